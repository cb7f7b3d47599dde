# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet: the hosts of an inventory and the sites that each one was seen to serve."""
