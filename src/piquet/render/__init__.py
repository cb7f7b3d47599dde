# SPDX-License-Identifier: GPL-3.0-or-later
"""From a plan to the text of every file: nginx, Apache, pages, units. No file is written here."""
