# SPDX-License-Identifier: GPL-3.0-or-later
"""The organisers' words, checked, and made into the bytes that visitors get: pages, themes, languages, banners."""
