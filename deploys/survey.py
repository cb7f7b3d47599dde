# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at the web servers of every host and keep what was found: `pyinfra INVENTORY deploys/survey.py`."""

from piquet.deploys import survey

survey()
