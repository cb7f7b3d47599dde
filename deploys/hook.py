# SPDX-License-Identifier: GPL-3.0-or-later
"""Put the one include line into every nginx server block: `pyinfra INVENTORY deploys/hook.py`."""

from piquet.deploys import hook

hook()
