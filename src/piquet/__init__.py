# SPDX-License-Identifier: GPL-3.0-or-later
"""piquet holds a digital picket line on a fleet of nginx and Apache sites, and makes sure that it ends."""

__version__ = "0.1.0"
