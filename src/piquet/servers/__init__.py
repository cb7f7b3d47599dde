# SPDX-License-Identifier: GPL-3.0-or-later
"""From a plan to the text of configuration, a room for each web server. It writes no file and decides nothing."""
