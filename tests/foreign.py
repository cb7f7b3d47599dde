# SPDX-License-Identifier: GPL-3.0-or-later
"""Foreign sites on the test fleet: every kind of the corpus, installed as an owner on Debian would have done it.

Used by the demo and by the end-to-end tests, which share one fleet.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Set
from pathlib import Path

from testbed import Fleet
from testbed.host import Host, Provider
from testbed.sites import CERTIFICATE, KEY, put_certificate, put_sites

from .corpus.kinds import DOMAIN, HERE, Kind, Places, load, modules

UPSTREAM_PORT = 9000
EVERYWHERE = frozenset({"00-default", "static", "proxy", "wildcard", "tls", "redirect-https"})
"""Kinds that every nginx host gets; the others are dealt out, so that hosts differ as they do in the field."""

PROVIDERS: tuple[Provider, ...] = ("nginx", "apache")
_SRV = "/srv/sites"
_ETC: Mapping[Provider, str] = {"nginx": "/etc/nginx", "apache": "/etc/apache2"}
_UPSTREAM_UNIT = f"""\
[Unit]
Description=The application behind the proxying sites
[Service]
ExecStart=/bin/sh -c 'tail -f /dev/null | exec /usr/bin/python3 {_SRV}/upstream.py 127.0.0.1 {UPSTREAM_PORT}'
[Install]
WantedBy=multi-user.target
"""


def plant(fleet: Fleet, without: Set[str] = frozenset()) -> dict[str, tuple[Kind, ...]]:
    """Give every host its sites; host name → the kinds that it serves."""
    nginx, kinds = fleet.of("nginx"), {p: _kinds(p, without) for p in PROVIDERS}
    dealt = {host.name: _dealt(kinds["nginx"], number, len(nginx)) for number, host in enumerate(nginx)}
    dealt.update({host.name: kinds["apache"] for host in fleet.of("apache")})
    return {host.name: _plant(fleet, host, dealt[host.name]) for host in fleet}


def names(kinds: Iterable[Kind]) -> tuple[str, ...]:
    """The selected site names of these kinds."""
    return tuple(sorted({name for kind in kinds for name in kind.sites}))


def _kinds(provider: Provider, without: Set[str]) -> tuple[Kind, ...]:
    """Those that can live on a booted host."""
    return tuple(kind for kind in load(provider) if kind.hosts and kind.name not in without)


def _dealt(kinds: tuple[Kind, ...], number: int, hosts: int) -> tuple[Kind, ...]:
    return tuple(k for n, k in enumerate(kinds) if k.name in EVERYWHERE or n % hosts == number)


def _plant(fleet: Fleet, host: Host, kinds: tuple[Kind, ...]) -> tuple[Kind, ...]:
    """Those that the host's server knows: an older release has fewer modules."""
    put_certificate(fleet, host, [DOMAIN, f"*.{DOMAIN}", f"*.wildcard.{DOMAIN}", f"*.tls.{DOMAIN}"])
    _plant_upstream(host)
    if host.provider == "apache":
        host.run(f"a2enmod -q {' '.join(_debian_modules(host, kinds))} && systemctl restart apache2")
    host.run(f"rm -f {_ETC[host.provider]}/sites-enabled/*")
    if host.provider == "nginx":  # a reload cannot listen on [::1] while the distribution's site holds [::]
        host.run("systemctl restart nginx")
    links = " && ".join(
        f"ln -s ../sites-available/{kind.name}.conf {_ETC[host.provider]}/sites-enabled/{kind.name}.conf"
        for kind in kinds
    )
    host.write_files(dict(_vhosts(host.provider, kinds)))
    host.run(links)
    unknown = _without_unknown(host)
    kinds = tuple(kind for kind in kinds if kind.name not in unknown)
    put_sites(host, host.provider, _documents(kinds))
    host.run(f"chmod 0755 {_SRV}/*/*.cgi")
    return kinds


def _without_unknown(host: Host) -> set[str]:
    """Take out the kinds of nginx with a directive that this one does not know, and say which."""
    found: set[str] = set()
    while host.provider == "nginx":
        said = host.run("nginx -t 2>&1", check=False).stdout
        match = re.search(r"unknown directive .* in /etc/nginx/sites-enabled/([a-z0-9-]+)\.conf", said)
        if match is None:
            break
        host.run(f"rm /etc/nginx/sites-enabled/{match[1]}.conf /etc/nginx/sites-available/{match[1]}.conf")
        found.add(match[1])
    if found:
        print(f"      {host.name} has no module for {', '.join(sorted(found))}: left out")
    return found


def _plant_upstream(host: Host) -> None:
    host.write_files(
        {
            f"{_SRV}/upstream.py": (HERE / "upstream.py").read_bytes(),
            "/etc/systemd/system/foreign-upstream.service": _UPSTREAM_UNIT,
        }
    )
    host.run("systemctl daemon-reload && systemctl enable --quiet --now foreign-upstream.service")


def _debian_modules(host: Host, kinds: tuple[Kind, ...]) -> list[str]:
    """Those of the kinds' modules that Debian can enable; the others are compiled in."""
    there = set(host.run("ls /etc/apache2/mods-available").stdout.split())
    return [name for name in modules(kinds) if f"{name}.load" in there and not name.startswith("mpm_")]


def _vhosts(provider: Provider, kinds: Iterable[Kind]) -> Iterable[tuple[str, bytes]]:
    places = Places(80, 443, _SRV, f"127.0.0.1:{UPSTREAM_PORT}", CERTIFICATE, KEY)
    for kind in kinds:
        yield f"{_ETC[provider]}/sites-available/{kind.name}.conf", kind.rendered(places)


def _documents(kinds: Iterable[Kind]) -> Iterable[tuple[str, bytes]]:
    pages = [path for path in sorted((HERE / "www").rglob("*")) if path.is_file()]
    for kind in kinds:
        for page in pages:
            yield f"{_SRV}/{kind.name}/{page.relative_to(HERE / 'www')}", page.read_bytes()
        if kind.htaccess:
            yield f"{_SRV}/{kind.name}/.htaccess", Path(kind.htaccess).read_bytes()
