# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests on booted hosts, over the real network, with the real clock."""
