# SPDX-License-Identifier: GPL-3.0-or-later
"""The same way to write golden files anew as in the unit tests."""
