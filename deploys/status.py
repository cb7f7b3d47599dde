# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask every host what it is doing: `pyinfra INVENTORY deploys/status.py`."""

from piquet.deploys import status

status()
