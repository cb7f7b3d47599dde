# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of nginx, by the include line and by its Lua module."""
