# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine's edges: paths and commands of an operating system, files, processes, the lock, what calls us again."""
