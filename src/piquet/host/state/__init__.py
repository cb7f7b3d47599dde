# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept: what was staged and armed, flags, tokens, the journal; and how files are changed in one step."""
