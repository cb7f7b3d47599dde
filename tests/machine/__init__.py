# SPDX-License-Identifier: GPL-3.0-or-later
"""The real agent under whatever people, clocks, power cuts and deaths may do to it, in any order."""
