# SPDX-License-Identifier: GPL-3.0-or-later
"""The scenarios of `extensions/molecule`, run whole and for real."""
