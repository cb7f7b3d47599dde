# SPDX-License-Identifier: GPL-3.0-or-later
"""Real hosts on one machine: systemd-nspawn containers with nginx or Apache, for tests, demo and practice."""

from testbed.fleet import Fleet, parse_hosts
from testbed.host import Host, Init, Provider
from testbed.kernel import TestbedError
from testbed.sites import CERTIFICATE, KEY, put_certificate, put_sites, reload_server

__all__ = [
    "CERTIFICATE",
    "KEY",
    "Fleet",
    "Host",
    "Init",
    "Provider",
    "TestbedError",
    "parse_hosts",
    "put_certificate",
    "put_sites",
    "reload_server",
]
