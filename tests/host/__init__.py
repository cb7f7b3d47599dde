# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the host agent: pure rules, real nginx and Apache processes under a root of their own, crashes."""
