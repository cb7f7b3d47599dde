# SPDX-License-Identifier: GPL-3.0-or-later
"""Apache: its configuration as it tells it itself, and what only its texts tell."""
