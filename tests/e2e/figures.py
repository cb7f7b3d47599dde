# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures that end-to-end tests found, for the end of the run's output."""

LINES: list[str] = []
