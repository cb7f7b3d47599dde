# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the preview, asked over HTTP; how it looks is a matter for tests/browser."""
