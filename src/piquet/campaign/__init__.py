# SPDX-License-Identifier: GPL-3.0-or-later
"""The campaign file: what is shown, when, on which sites, and who agreed to it."""
