# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of piquet; corpus and fleet are shared between them."""
