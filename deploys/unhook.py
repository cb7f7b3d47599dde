# SPDX-License-Identifier: GPL-3.0-or-later
"""Take exactly the include line out of every nginx server block: `pyinfra INVENTORY deploys/unhook.py`."""

from piquet.deploys import unhook

unhook()
