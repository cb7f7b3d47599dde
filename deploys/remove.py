# SPDX-License-Identifier: GPL-3.0-or-later
"""Take away all that is ours and prove that nothing is left: `pyinfra INVENTORY deploys/remove.py`."""

from piquet.deploys import remove

remove()
