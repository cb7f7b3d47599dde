# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs on a booted host beside the server that is asked: named in the survey, one by one, and left alone."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping

import pytest

from testbed import Fleet
from testbed.host import Host
from tests import drive

NGINX = "pid /run/beside.pid; user www-data; events {} http { server { listen 8099; return 200 beside; } }\n"
PLAIN = (
    "pid /run/nginx.pid; error_log /dev/null; events {} "
    "http { access_log off; server { listen 8098; return 200 plain; } }\n"
)
"""Of a master that may not read what others of this host's owner may."""
APACHE = """\
Include /etc/apache2/mods-enabled/mpm_event.load
Include /etc/apache2/mods-enabled/authz_core.load
ServerName beside
PidFile /run/beside.pid
ErrorLog /var/log/beside.log
DefaultRuntimeDir /run
Listen 8099
"""
BESIDE: Mapping[str, tuple[str, str]] = {
    "nginx": (NGINX, "nginx -c /root/beside.conf"),
    "apache": (APACHE, "apache2 -f /root/beside.conf"),
}
CONTAINED = (
    "unshare --mount --pid --fork --mount-proc sh -c '{command}; sleep 600' >/dev/null 2>&1 </dev/null &"
)


@contextlib.contextmanager
def beside(host: Host, *, is_contained: bool = False) -> Iterator[None]:
    """Another server of the host's kind, started by hand with a configuration of its own."""
    text, command = BESIDE[host.provider]
    host.write_file("/root/beside.conf", text)
    host.run(CONTAINED.format(command=command) if is_contained else f"{command} >/dev/null 2>&1 </dev/null")
    host.run("timeout 20 sh -c 'until curl -so /dev/null 127.0.0.1:8099; do sleep 0.1; done'")
    try:
        yield
    finally:
        host.run(
            "pkill -f '[b]eside.conf'; timeout 20 sh -c 'while pgrep -f [b]eside.conf; do sleep 0.1; done'; "
            "rm -f /root/beside.conf /var/log/beside.log /run/beside.pid",
            check=False,
        )


def found(fleet: Fleet, host: Host) -> dict[str, str]:
    """Code → severity of what a survey of a host finds of its servers' processes."""
    drive.run_verb(fleet, "survey", only=[host], check=False)
    survey = json.loads((fleet.folder / ".piquet/surveys" / f"{host.name}.json").read_text("utf-8"))
    codes = {finding["code"]: finding["severity"] for finding in survey["findings"]}
    return {
        code: codes[code]
        for code in ("other-server", "server-in-container", "master-not-root")
        if code in codes
    }


@pytest.mark.parametrize("provider", ["nginx", "apache"])
def test_a_server_beside_the_one_that_is_asked(fleet: Fleet, provider: str) -> None:
    """Started by hand, or in a container: a finding each; nothing where there is none."""
    host = fleet.of(provider)[0]  # type: ignore[arg-type]
    assert found(fleet, host) == {}
    with beside(host):
        assert found(fleet, host) == {"other-server": "warning"}
    with beside(host, is_contained=True):
        assert found(fleet, host) == {"server-in-container": "warning"}


def test_a_master_that_is_not_root(fleet: Fleet) -> None:
    """It would read none of our files: said at once, and not after a minute of waiting for new workers."""
    host = fleet.of("nginx")[0]
    host.write_file("/srv/plain.conf", PLAIN)
    host.run("systemctl stop nginx")
    try:
        host.run(
            "chown -R www-data /var/lib/nginx; install -o www-data /dev/null /run/nginx.pid; "
            "setpriv --reuid www-data --regid www-data --clear-groups nginx -c /srv/plain.conf >/dev/null 2>&1 "
            "</dev/null"
        )
        assert found(fleet, host) == {"master-not-root": "error"}
    finally:
        host.run(
            "pkill -x nginx; sleep 0.5; rm -f /run/nginx.pid /srv/plain.conf; systemctl start nginx",
            check=False,
        )
