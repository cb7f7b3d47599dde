# SPDX-License-Identifier: GPL-3.0-or-later
"""Take exactly our line out of every server block that we hooked: `pyinfra INVENTORY deploys/unhook.py`."""

from piquet.deploys import unhook

unhook()
