# SPDX-License-Identifier: GPL-3.0-or-later
"""Show the strike on the real hosts to one secret cookie: `pyinfra INVENTORY deploys/rehearse.py`."""

from piquet.deploys import rehearse

rehearse()
