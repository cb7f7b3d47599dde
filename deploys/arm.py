# SPDX-License-Identifier: GPL-3.0-or-later
"""Commit every host to the window: `pyinfra INVENTORY deploys/arm.py`."""

from piquet.deploys import arm

arm()
