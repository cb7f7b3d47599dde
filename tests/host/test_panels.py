# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosting panels: the hook line in the place that they leave to their owner, and what their rebuilds do to it.

The panels are stand-ins: each writes server blocks with the same includes, in the same order, as its own templates do.
"""

from __future__ import annotations

import http.client
import ssl
from pathlib import Path

import pytest

from piquet.host.servers import probe
from piquet.host.servers.nginx.panels import PANELS
from piquet.host.state import flags
from piquet.protocol.places import HOOK_MARK
from tests.corpus.servers import make_certificate
from tests.host.folder_host import HOUR_S, SITES, FolderHost
from tests.host.hook_looks import two_looks
from tests.ports import free_ports

SITE, OTHER = SITES
MARK = HOOK_MARK.encode()
USED = {panel.title: panel for panel in PANELS if panel.include}

YUNOHOST_HTTP = """\
server {{
    listen 127.0.0.1:{http};
    server_name {site};
    include {etc}/conf.d/acme-challenge.conf.inc;
{redirected}
}}
"""
YUNOHOST_HTTPS = """\
server {{
    listen 127.0.0.1:{https} ssl;
    server_name {site};
    ssl_certificate {root}/c.pem;
    ssl_certificate_key {root}/k.pem;
    include {etc}/conf.d/{site}.d/*.conf;
    include {etc}/conf.d/yunohost_sso.conf.inc;
}}
"""
YUNOHOST_REDIRECT = "    location / { return 301 https://$host$request_uri; }"
HESTIA_HTTP = """\
server {{
    listen 127.0.0.1:{http};
    server_name {site};
    include {home}/nginx.forcessl.conf*;
    location / {{ return 200 usual; }}
    include {home}/nginx.conf_*;
}}
"""
HESTIA_HTTPS = """\
server {{
    listen 127.0.0.1:{https} ssl;
    server_name {site};
    ssl_certificate {root}/c.pem;
    ssl_certificate_key {root}/k.pem;
    if ($anti_replay = 425) {{ return 425; }}
    include {home}/nginx.hsts.conf*;
    location / {{ return 200 usual; }}
    include {home}/nginx.ssl.conf_*;
}}
"""
ANTI_REPLAY = 'map $ssl_early_data $anti_replay {{ 1 425; default ""; }}\ninclude {home}/nginx.conf;\n'


class Panelled:
    """A host whose first site a panel looks after."""

    def __init__(self, host: FolderHost, title: str) -> None:
        self.host, self.title = host, title
        (self.https,) = free_ports(1)
        make_certificate(host.root / "c.pem", host.root / "k.pem")
        sign = host.paths.at(USED[title].sign)
        sign.parent.mkdir(parents=True)
        sign.touch()
        (host.conf.parent / "sites-enabled" / SITE).unlink()
        self.redirects = True
        self.make = {"YunoHost": self._yunohost, "HestiaCP": self._hestia}[title]
        self.rebuild()

    @property
    def etc(self) -> Path:
        """nginx's folder."""
        return self.host.conf.parent

    @property
    def home(self) -> Path:
        """HestiaCP's folder of a site's files."""
        return self.host.root / "home/op/conf/web" / SITE

    @property
    def places(self) -> list[Path]:
        """Where our own files should come."""
        own = [f"conf.d/{SITE}.d/00-piquet.conf"] if self.title == "YunoHost" else []
        hestia = [] if own else ["nginx.ssl.conf_00-piquet"]
        hestia += [] if own or self.redirects else ["nginx.conf_00-piquet"]
        return [*(self.etc / name for name in own), *(self.home / name for name in hestia)]

    def rebuild(self) -> None:
        """What the panel's own rebuild does: every file that it generates, written anew."""
        words = {"site": SITE, "etc": self.etc, "home": self.home, "root": self.host.root}
        words |= {"http": self.host.port, "https": self.https}
        for path, text in self.make().items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.format(**words))
        self.load()

    def load(self) -> None:
        """What a panel does at the end."""
        self.host.machine().servers["nginx"].reload()

    def _yunohost(self) -> dict[Path, str]:
        app = "# of an application\nrewrite ^/app$ /app/ permanent;\nlocation / {{ return 200 usual; }}\n"
        folder = f"    include {self.etc}/conf.d/{SITE}.d/*.conf;"
        http = YUNOHOST_HTTP.replace(
            "{redirected}",
            YUNOHOST_REDIRECT.replace("{", "{{").replace("}", "}}") if self.redirects else folder,
        )
        return {
            self.etc / f"conf.d/{SITE}.d/app.conf": app,
            self.etc / "conf.d/acme-challenge.conf.inc": "location ^~ /.well-known/acme-challenge/ {{ }}\n",
            self.etc / "conf.d/yunohost_sso.conf.inc": "location /sso {{ return 200 sso; }}\n",
            self.etc / f"conf.d/{SITE}.conf": http + YUNOHOST_HTTPS,
        }

    def _hestia(self) -> dict[Path, str]:
        force = {self.home / "nginx.forcessl.conf": "return 301 https://$host$request_uri;\n"}
        return {
            self.etc / "conf.d/domains.conf": ANTI_REPLAY + "include {home}/nginx.ssl.conf;\n",
            self.home / "nginx.conf": HESTIA_HTTP,
            self.home / "nginx.ssl.conf": HESTIA_HTTPS,
            self.home / "nginx.conf_redirect": "if ($host = old.test) {{ return 301 http://new.test/; }}\n",
            **(force if self.redirects else {}),
        }

    def answers(self) -> tuple[int, int]:
        """By http and https."""
        https = {**self.host.target(SITE), "port": self.https, "tls": True}
        return self.host.answer().status, probe.probe(https).status

    def raw(self) -> list[tuple[object, ...]]:
        """By http and https: status, every header but the date, and body."""
        found: list[tuple[object, ...]] = []
        for port, kind in ((self.host.port, http.client.HTTPConnection), (self.https, _unchecked)):
            connection = kind("127.0.0.1", port, timeout=10)
            connection.request("GET", "/some/page?x=1", headers={"Host": SITE})
            reply = connection.getresponse()
            headers = [pair for pair in reply.getheaders() if pair[0] != "Date"]
            found.append((reply.status, headers, reply.read()))
            connection.close()
        return found

    def generated(self) -> list[str]:
        """Names of the panel's own files in which our line stands."""
        found = [*(self.etc / "conf.d").rglob("*"), *self.home.rglob("*")]
        return [p.name for p in found if p.is_file() and p not in self.places and MARK in p.read_bytes()]

    def told(self) -> list[dict[str, object]]:
        """What the survey says of panels."""
        survey = self.host.good("survey").survey
        assert survey is not None
        (panel,) = survey["nginx"]["panels"]
        assert panel["title"] == self.title
        return list(panel["apart"])


def _unchecked(address: str, port: int, timeout: int) -> http.client.HTTPSConnection:
    """To a server whose certificate nobody checks."""
    return http.client.HTTPSConnection(
        address, port, timeout=timeout, context=ssl._create_unverified_context()
    )


@pytest.fixture(params=[*USED])
def site(host: FolderHost, request: pytest.FixtureRequest) -> Panelled:
    """Of each panel whose place we use; http redirects to https, as it does by default or usually."""
    return Panelled(host, request.param)


def up(host: FolderHost) -> frozenset[str]:
    """Keys whose flag is up."""
    return flags.up(host.paths) or frozenset()


def test_the_line_comes_from_the_panels_place_and_outlives_a_rebuild(
    host: FolderHost, site: Panelled
) -> None:
    """Both ports show the strike; a rebuild takes the line out of what the panel generates, and https stays held.

    That is told and no stop. The end and remove leave what the panel has written, and nothing else.
    """
    before, usual = host.tree(), site.raw()
    assert site.answers() == (301, 200)
    (apart,) = site.told()
    host.hook()
    assert site.raw() == usual
    host.arm()
    assert [place.read_bytes().count(MARK) for place in site.places] == [1]
    assert len(site.generated()) == 1 and site.answers() == (503, 503)
    site.rebuild()
    assert site.answers() == (301, 503)
    two_looks(host)
    assert up(host) == set(SITES) and site.answers() == (301, 503) and host.is_ours(OTHER)
    (told,) = [one for one in host.ask("status").findings if one.code == "hook-missing"]
    assert told.subject == apart["block"]
    host.now += HOUR_S
    host.reconcile()
    assert site.raw() == usual
    host.good("remove")
    assert host.tree() == before and site.raw() == usual


@pytest.mark.parametrize("redirects", [True, False])
def test_unhook_takes_exactly_that_back(host: FolderHost, site: Panelled, redirects: bool) -> None:
    """Without the panel's redirect every block has its place, and no file that it generates is touched."""
    (site.home / "nginx.forcessl.conf").unlink(missing_ok=True)
    site.redirects = redirects
    site.rebuild()
    before = host.tree()
    assert bool(site.told()) is redirects
    host.hook()
    assert len(site.generated()) == redirects and all(place.is_file() for place in site.places)
    assert host.hook().is_changed is False
    host.good("unhook")
    assert host.tree() == before


def test_our_file_deleted_is_a_stop(host: FolderHost, site: Panelled) -> None:
    """As any hook line that somebody takes out; the other site goes on."""
    host.arm()
    for place in site.places:
        place.unlink()
    site.load()
    two_looks(host)
    assert up(host) == {OTHER}


def test_a_block_that_lacks_its_place_is_a_stop(host: FolderHost, site: Panelled) -> None:
    """No rebuild makes one: somebody has taken the include out, although the line in the other block is still there."""
    host.arm()
    (place,) = site.places
    for file in (site.etc / f"conf.d/{SITE}.conf", site.home / "nginx.ssl.conf"):
        if file.exists():
            lines = file.read_text().splitlines(True)
            include = f"include {place.parent}/"
            file.write_text("".join(line for line in lines if include not in line or "*" not in line))
    site.load()
    two_looks(host)
    assert up(host) == {OTHER}


def test_a_place_behind_a_redirect_of_later(host: FolderHost) -> None:
    """What the panel puts before its place is told; hook then puts the line first, once in each block."""
    site = Panelled(host, "HestiaCP")
    force = site.home / "nginx.forcessl.conf"
    text = force.read_text()
    force.unlink()
    site.redirects = False
    site.load()
    before = host.tree()
    digest = host.arm()
    assert site.told() == [] and site.answers() == (503, 503)
    force.write_text(text)
    site.load()
    assert site.answers() == (301, 503)
    two_looks(host)
    assert up(host) == set(SITES)
    assert "hook-not-first" in {finding.code for finding in host.ask("status").findings}
    (apart,) = site.told()
    assert apart["before"] == ["return"]
    host.hook()
    host.good("arm", plan_digest=digest)
    assert site.answers() == (503, 503) and not (site.home / "nginx.conf_00-piquet").exists()
    force.unlink()
    host.good("remove")
    assert host.tree() == before


def test_the_line_never_comes_in_twice(host: FolderHost) -> None:
    """Where one of two blocks that share a place has its owner's line, the other gets ours: nginx would refuse two."""
    site = Panelled(host, "YunoHost")
    site.redirects = False
    site.rebuild()
    file = site.etc / f"conf.d/{SITE}.conf"
    line = f"server {{\n    include {host.paths.hook_include};\n"
    file.write_text(file.read_text().replace("server {\n", line, 1))
    site.load()
    before = host.tree()
    host.arm()
    assert site.answers() == (503, 503) and not any(place.exists() for place in site.places)
    assert file.read_bytes().count(MARK) == 1
    host.good("remove")
    assert host.tree() == before


@pytest.mark.parametrize(("title", "is_link"), [("YunoHost", False), ("HestiaCP", True)])
def test_a_file_of_somebody_elses_is_left_alone(host: FolderHost, title: str, is_link: bool) -> None:
    """Hook refuses, and names it."""
    site = Panelled(host, title)
    (place,) = site.places
    (place.with_name("theirs") if is_link else place).write_text("# mine\n")
    if is_link:
        place.symlink_to("theirs")
    site.load()
    survey = host.good("survey").survey
    assert survey is not None
    refused = host.ask("hook", files=survey["nginx"]["files"], allow_unloaded=True)
    (told,) = [finding for finding in refused.findings if finding.code == "place-taken"]
    assert told.subject == str(place) and place.read_text() == "# mine\n" and site.generated() == []


def test_each_panel_is_recognised(still: FolderHost) -> None:
    """By its sign, and named in the survey with its place; nothing where there is none."""
    assert recognised(still) == []
    for panel in PANELS:
        sign = still.paths.at(panel.sign)
        sign.parent.mkdir(parents=True, exist_ok=True)
        sign.touch()
        assert recognised(still) == [{**panel.to_json(), "apart": []}]
        sign.unlink()


def recognised(host: FolderHost) -> list[object]:
    """Panels, as the survey of a host tells them."""
    survey = host.good("survey").survey
    assert survey is not None
    return list(survey["nginx"]["panels"])
