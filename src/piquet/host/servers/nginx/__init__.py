# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx: its configuration, read by a tokenizer of our own that knows byte offsets, and our one line in it."""
