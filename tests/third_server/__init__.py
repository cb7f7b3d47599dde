# SPDX-License-Identifier: GPL-3.0-or-later
"""A third, tiny web server, as the one folder that it is in each room: for the test that the rooms are all it needs."""
