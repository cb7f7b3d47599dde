# SPDX-License-Identifier: GPL-3.0-or-later
"""Pin who may decide on every host: `pyinfra INVENTORY deploys/trust.py`."""

from piquet.deploys import trust

trust()
