# SPDX-License-Identifier: GPL-3.0-or-later
"""Take all that is ours off every host: `pyinfra INVENTORY deploys/remove.py`."""

from piquet.deploys import remove

remove()
