# SPDX-License-Identifier: GPL-3.0-or-later
"""Ready tests of a user's own fleet: `pytest --pyargs piquet.suite --ansible-inventory=hosts.yml --piquet-campaign=…`.

They run on the hosts through testinfra, and expect what the campaign says; `docs/testinfra.md` has the options.
"""
