# SPDX-License-Identifier: GPL-3.0-or-later
"""The pyinfra side without hosts: variables, steps, facts, inventories, and the order of things."""
