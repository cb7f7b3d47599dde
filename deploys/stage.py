# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry the inert bundle to every host: `pyinfra INVENTORY deploys/stage.py`."""

from piquet.deploys import stage

stage()
