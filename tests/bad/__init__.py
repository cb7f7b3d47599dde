# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input: a folder for each case, with what it must be answered in `expected.txt`. A new case needs no code."""
