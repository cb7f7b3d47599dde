# SPDX-License-Identifier: GPL-3.0-or-later
"""What controller and host must agree on, written once and carried to the host: Python 3.8, standard library only."""
