# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet as visitors meet it, asked from the controller at every site's own address.

`probe` asks once, `sweep` a whole fleet, `inspection` judges all of it, `watch` looks without pause across a switch.
"""
