# SPDX-License-Identifier: GPL-3.0-or-later
"""Foreign vhosts of many kinds, asked byte for byte on real servers: unhooked, staged, active and after."""
