# SPDX-License-Identifier: GPL-3.0-or-later
"""Several Apaches on one host, as Debian's own `setup-instance` makes them: each held, each released, by itself."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed import Fleet
from testbed.host import Host
from tests import drive
from tests.drive import Drill

NAME, PORT = "apache@blog", 8088
FIRST, SECOND, APART = "www.instances.example", "www.blog.example", "apart.blog.example"
SITES = f"{{include: [{FIRST}, {SECOND}, {APART}]}}"
BLOG = "/etc/apache2-blog"
BROKEN = f"{BLOG}/conf-enabled/broken.conf"
PAGE = "{name} as usual\n"
SITE = """\
<VirtualHost *:{port}>
    ServerName {name}
    DocumentRoot /srv/instances/{name}
    <Directory /srv/instances>
        Require all granted
    </Directory>
</VirtualHost>
"""
WAYS = ("rules", "lua")


@pytest.fixture(scope="module")
def host(fleet: Fleet) -> Iterator[Host]:
    """The Apache host with a site of its own, and a second Apache on another port with two."""
    host = fleet.of("apache")[0]
    host.run("a2enmod -q headers rewrite")
    before = drive.foreign_files(host)
    host.run("sh /usr/share/doc/apache2/examples/setup-instance blog")
    host.run(f"rm -f {BLOG}/sites-enabled/*; echo Listen {PORT} >{BLOG}/ports.conf")
    host.write_files(
        {
            "/etc/apache2/sites-enabled/e2e.conf": SITE.format(port=80, name=FIRST),
            f"{BLOG}/sites-enabled/e2e.conf": "".join(
                SITE.format(port=PORT, name=n) for n in (SECOND, APART)
            ),
            **{f"/srv/instances/{n}/index.html": PAGE.format(name=n) for n in (FIRST, SECOND, APART)},
        }
    )
    host.run("systemctl restart apache2 && systemctl start apache2@blog && sleep 1.2")
    yield host
    host.run(
        f"systemctl stop apache2@blog; rm -rf {BLOG} /srv/instances /etc/apache2/sites-enabled/e2e.conf "
        "/var/log/apache2-blog /etc/logrotate.d/apache2-blog /etc/default/apache-htcacheclean-blog "
        "/usr/local/sbin/*-blog; systemctl restart apache2",
        check=False,
    )
    assert drive.foreign_files(host) == before


def ask(host: Host, name: str) -> tuple[str, str]:
    """Status and body, of the server that has the name."""
    port = 80 if name == FIRST else PORT
    said = host.run(f"curl -s -m 20 -w '\\n%{{http_code}}' -H 'Host: {name}' http://127.0.0.1:{port}/").stdout
    body, _, status = said.rpartition("\n")
    return status, body


def asked(host: Host) -> dict[str, tuple[str, str]]:
    """Every site."""
    return {name: ask(host, name) for name in (FIRST, SECOND, APART)}


def statuses(host: Host) -> list[str]:
    """Of every site."""
    return [status for status, _ in asked(host).values()]


USUAL = {name: ("200", PAGE.format(name=name)) for name in (FIRST, SECOND, APART)}


def armed(fleet: Fleet, host: Host, folder: Path, way: str, lasts_s: int) -> Drill:
    """Surveyed, staged and armed in time."""
    begun = time.monotonic()
    drive.run_verb(fleet, "survey", only=[host])
    lead_s = drive.lead_s(time.monotonic() - begun)
    values = {"piquet_apache": way, "piquet_baseline": False, "piquet_hosts": host.name}

    def arm(patience: int) -> Drill:
        drill = drive.write_campaign(fleet, folder, lead_s * patience, lasts_s, sites=SITES)
        drill.verb("stage", only=[host], **values)
        drill.verb("arm", only=[host], **values)
        return drill

    return drive.in_time(arm)


@pytest.mark.long
@pytest.mark.parametrize("way", WAYS)
def test_both_are_held_and_come_back_by_themselves(
    fleet: Fleet, host: Host, tmp_path: Path, way: str
) -> None:
    """Told apart by the survey, on strike in the window alone, back at its end, and no file left."""
    files = drive.foreign_files(host)
    try:
        drill = armed(fleet, host, tmp_path, way, 8)
        survey = json.loads((fleet.folder / f".piquet/surveys/{host.name}.json").read_text("utf-8"))
        assert [v["names"] for v in survey[NAME]["vhosts"]] == [[SECOND], [APART]]
        assert "other-server" not in [finding["code"] for finding in survey["findings"]]
        assert asked(host) == USUAL
        drive.sleep_until(drill.start_at + 0.5)
        assert statuses(host) == ["503"] * 3
        host.run(f"piquet-host stop {APART}")
        assert statuses(host) == ["503", "503", "200"]
        drive.sleep_until(drill.end_at)
        assert asked(host) == USUAL
    finally:
        drive.run_verb(fleet, "remove", only=[host])
    assert (drive.foreign_files(host), asked(host)) == (files, USUAL)


@pytest.mark.long
def test_one_that_is_broken_holds_up_nothing(fleet: Fleet, host: Host, tmp_path: Path) -> None:
    """Broken by its owner in the window, all come back; broken before, it is refused before anything is written."""
    files = drive.foreign_files(host)
    try:
        drill = armed(fleet, host, tmp_path, "rules", 600)
        drive.sleep_until(drill.start_at + 0.5)
        drill.verb("verify", only=[host], piquet_verify_moment="during", piquet_hosts=host.name)
        host.write_file(BROKEN, "Nonsense\n")
        assert statuses(host) == ["503"] * 3
        done = drive.run_verb(fleet, "rollback", only=[host], check=False)
        assert asked(host) == USUAL, done.stdout
        host.run("systemctl restart apache2")
        assert asked(host) == USUAL
        drive.run_verb(fleet, "remove", only=[host], check=False)
        assert asked(host) == USUAL
        refused = drill.verb("stage", only=[host], check=False, piquet_baseline=False, piquet_hosts=host.name)
        assert refused.returncode and NAME in refused.stdout
        assert not drive.foreign_files(host).keys() - files.keys() - {BROKEN}
    finally:
        host.run(f"rm -f {BROKEN}; systemctl reload apache2@blog")
        drive.run_verb(fleet, "remove", only=[host])
    assert (drive.foreign_files(host), asked(host)) == (files, USUAL)


@pytest.mark.long
def test_a_power_cut_in_the_window(fleet: Fleet, host: Host, tmp_path: Path) -> None:
    """What we have to do after a boot is done before the instance answers, as it is for the first one."""
    host.run("systemctl enable apache2@blog")
    try:
        drill = armed(fleet, host, tmp_path, "rules", 600)
        drive.sleep_until(drill.start_at + 0.5)
        assert statuses(host) == ["503"] * 3
        host.power_cut()
        host.boot()
        assert statuses(host) == ["503"] * 3
        before = host.run("systemctl show --property=After apache2@blog").stdout
        assert "piquet-boot.service" in before
        drive.run_verb(fleet, "rollback", only=[host])
        assert asked(host) == USUAL
    finally:
        drive.run_verb(fleet, "remove", only=[host])
        host.run("systemctl disable apache2@blog")
