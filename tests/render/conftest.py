# SPDX-License-Identifier: GPL-3.0-or-later
"""Golden files of rendered texts are regenerated like all others."""
