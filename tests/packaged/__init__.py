# SPDX-License-Identifier: GPL-3.0-or-later
"""Web applications that Debian packages, with the configurations that their packages ship, used as they come."""
