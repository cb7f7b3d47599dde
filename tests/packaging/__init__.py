# SPDX-License-Identifier: GPL-3.0-or-later
"""What users install: the wheel and the collection, built of the checkout and used outside of it."""
