# SPDX-License-Identifier: GPL-3.0-or-later
"""The same picket by every road: each verb by each engine and each scheduler, on twin hosts, compared in everything."""
