# SPDX-License-Identifier: GPL-3.0-or-later
"""What visitors see, in a real browser: the distribution's Chromium, before real servers and before the preview."""
