# SPDX-License-Identifier: GPL-3.0-or-later
"""Foreign sites on a test host: vhosts that somebody else wrote, as piquet finds them in the field."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from piquet.testbed.fleet import Fleet
from piquet.testbed.host import Host, Provider

CERTIFICATE = "/etc/ssl/certs/testbed-sites.pem"
KEY = "/etc/ssl/private/testbed-sites.key"

_CHECK = {"nginx": "nginx -t", "apache": "apache2ctl configtest"}
_UNIT = {"nginx": "nginx.service", "apache": "apache2.service"}


def put_sites(host: Host, provider: Provider, sites: Iterable[tuple[str, str]]) -> None:
    """Install vhosts and let the server serve them.

    Args:
        host: a booted host that runs this provider.
        provider: whose configuration is tested and reloaded.
        sites: (absolute path, text) of every file, already rendered: vhosts, snippets, documents.

    Raises:
        TestbedError: the server refuses the configuration; the message holds what it says.
    """
    host.write_files(dict(sites))
    host.run(f"{_CHECK[provider]} && systemctl reload {_UNIT[provider]}")


def put_certificate(fleet: Fleet, host: Host, names: Sequence[str]) -> None:
    """Give a host one certificate for all these names, at `CERTIFICATE` and `KEY`; the sites that use it come after."""
    chain, key = fleet.issue(names)
    host.write_file(CERTIFICATE, chain)
    host.write_file(KEY, key, mode=0o600)
