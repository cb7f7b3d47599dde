# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the pytest plugin and of what it judges by; on booted hosts: `tests/e2e/test_testinfra.py`."""
