# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases on a host are asked in the same host as the agent's own tests."""

from tests.host.conftest import host as host
