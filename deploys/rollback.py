# SPDX-License-Identifier: GPL-3.0-or-later
"""Put every site back to normal now: `pyinfra INVENTORY deploys/rollback.py`."""

from piquet.deploys import rollback

rollback()
