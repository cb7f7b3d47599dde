# SPDX-License-Identifier: GPL-3.0-or-later
"""Put one site back to normal for good: `pyinfra INVENTORY deploys/stop.py`."""

from piquet.deploys import stop

stop()
