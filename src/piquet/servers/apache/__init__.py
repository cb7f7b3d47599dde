# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of Apache, by rules and by mod_lua."""
