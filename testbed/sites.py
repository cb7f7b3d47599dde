# SPDX-License-Identifier: GPL-3.0-or-later
"""Foreign sites on a test host: vhosts that somebody else wrote, as piquet finds them in the field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from testbed.fleet import Fleet
from testbed.host import Host, Init, Provider
from testbed.layout import TEST, UNIT

CERTIFICATE = "/etc/ssl/certs/testbed-sites.pem"
KEY = "/etc/ssl/private/testbed-sites.key"

# A reload returns before anything changed. It is over when there is a new worker and none of before takes connections
# any more: each is gone, a zombie (no command line), or (nginx) says in its title that it is shutting down.
_RELOAD = """\
main=$({main})
before=$(pgrep --parent "$main")
{reload} || exit
for _ in $(seq 300); do
  old=0 new=0
  for worker in $before; do
    grep -qsv 'shutting down' "/proc/$worker/cmdline" && old=1
  done
  for worker in $(pgrep --parent "$main"); do
    printf '%s\\n' "$before" | grep -qx "$worker" || new=1
  done
  [ $old$new = 01 ] && exit 0
  sleep 0.05
done
echo "{name} still has its workers of before the reload" >&2
exit 1
"""
_MAIN: Mapping[Init, str] = {
    "systemd": "systemctl show --property MainPID --value {name}.service",
    "plain": "cat /run/{name}.pid /run/{name}/{name}.pid 2>/dev/null",
}
_ASK: Mapping[Init, str] = {"systemd": "systemctl reload {name}.service", "plain": "service {name} reload"}


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
    host.run(TEST[host.layout][provider])
    reload_server(host, provider)


def reload_server(host: Host, provider: Provider) -> None:
    """Reload and wait until every new connection meets the new configuration.

    Raises:
        TestbedError: the server refused, or went on with its old workers.
    """
    name = UNIT[host.layout][provider]
    main, ask = _MAIN[host.init].format(name=name), _ASK[host.init].format(name=name)
    host.run(_RELOAD.format(name=name, main=main, reload=ask))


def put_certificate(fleet: Fleet, host: Host, names: Sequence[str]) -> None:
    """Give a host one certificate for all these names, at `CERTIFICATE` and `KEY`; the sites that use it come after."""
    chain, key = fleet.issue(names)
    host.write_file(CERTIFICATE, chain)
    host.write_file(KEY, key, mode=0o600)
