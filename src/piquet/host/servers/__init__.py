# SPDX-License-Identifier: GPL-3.0-or-later
"""The web servers: what every one of them can do for us (`web_server`), and a room for each."""
