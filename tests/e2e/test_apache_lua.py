# SPDX-License-Identifier: GPL-3.0-or-later
"""Apache by Lua on a real host whose mod_lua runs our code from a file only: every mode, and the file deleted."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from testbed import Fleet
from testbed.host import Host
from tests import drive
from tests.drive import Drill
from tests.e2e.one_site import FILE, SITE
from tests.e2e.rehearsal import ask

NAME = "www.e2e-apache-lua.example"
FOLDER = "/srv/e2e-apache-lua"
PAGE = b"<!doctype html><html><head><title>here</title></head><body><p>as usual</p></body></html>\n"
PHASE_S = 6
BY_LUA = {"piquet_apache": "lua"}
CODE = "/usr/local/lib/piquet"


@pytest.fixture(scope="module")
def host(fleet: Fleet) -> Iterator[Host]:
    """The Apache host: its owner has a page there, and has not loaded mod_lua."""
    host = fleet.of("apache")[0]
    site = SITE["apache"].format(name=NAME).replace("/var/www/html", FOLDER)
    site = site.replace(
        "</VirtualHost>", f"<Directory {FOLDER}>\nRequire all granted\n</Directory>\n</VirtualHost>"
    )
    host.write_files({FILE["apache"]: site, f"{FOLDER}/index.html": PAGE})
    host.run("a2enmod -q headers rewrite substitute filter && systemctl restart apache2")
    yield host
    host.run(f"rm -rf {FILE['apache']} {FOLDER} && a2dismod -q substitute && systemctl restart apache2")


def campaign(fleet: Fleet, folder: Path, lead_s: float, block_s: int) -> Drill:
    """A block, then an occupied front page, then a banner."""
    notes = folder / "messages/annonce"
    notes.mkdir(parents=True, exist_ok=True)
    for language in drive.LANGUAGES:
        (notes / f"{language}.md").write_text(f"{language}: on strike\n", encoding="utf-8")
    block = drive.write_campaign(fleet, folder, lead_s, block_s, sites=f"{{include: [{NAME}]}}")
    at = [
        datetime.fromtimestamp(block.end_at + n * PHASE_S, drive.ZONE).strftime("%Y-%m-%dT%H:%M:%S")
        for n in (0, 1)
    ]
    occupy = f"{{mode: occupy, start: {at[0]}, duration: {PHASE_S}s, page: pages/greve, paths: [/]}}"
    banner = f"{{mode: banner, start: {at[1]}, duration: {PHASE_S}s, style: bar, message: messages/annonce}}"
    text = block.campaign.read_text("utf-8")
    block.campaign.write_text(text.replace("greve}]", f"greve}}, {occupy}, {banner}]"), "utf-8")
    return block


def armed(fleet: Fleet, host: Host, folder: Path, block_s: int) -> Drill:
    """Surveyed, staged and armed in time."""
    begun = time.monotonic()
    drive.run_verb(fleet, "survey", only=[host])
    lead_s = drive.lead_s(time.monotonic() - begun)

    def arm(patience: int) -> Drill:
        drill = campaign(fleet, folder, lead_s * patience, block_s)
        drill.verb("stage", only=[host], **BY_LUA, piquet_baseline=False, piquet_hosts=host.name)
        drill.verb("arm", only=[host], **BY_LUA, piquet_hosts=host.name)
        return drill

    return drive.in_time(arm)


def test_every_mode_from_survey_to_remove(fleet: Fleet, host: Host, tmp_path: Path) -> None:
    """Block, occupied page and banner in their windows; nothing before, between and after; no file left."""
    files, usual = drive.foreign_files(host), ask(host, NAME)
    assert (usual.status, usual.body) == (200, PAGE)
    try:
        drill = armed(fleet, host, tmp_path, PHASE_S)
        survey = json.loads((fleet.folder / f".piquet/surveys/{host.name}.json").read_text("utf-8"))
        is_by_file = survey["apache"]["lua"]["version"] not in ("5.1", "5.2", "5.3")
        found = host.run(f"ls {CODE}", check=False).stdout.split()
        assert [bool(re.fullmatch(r"[0-9a-f]{64}\.lua", name)) for name in found] == [True] * is_by_file
        eyes = drive.look(drive.targets(host, [NAME]), drill.end_at + 2 * PHASE_S + 3.0)
        drive.sleep_until(drill.end_at + PHASE_S / 2)
        occupied = ask(host, NAME)
        drive.sleep_until(drill.end_at + PHASE_S * 1.5)
        bannered = ask(host, NAME)
        (line,) = eyes.result()
        assert {"drill/1/block", "drill/2/occupy"} <= line.signs
        window = (drill.start_at, drill.end_at + PHASE_S)
        assert (line.seconds_outside([window]), line.is_ours_at_end) == (0.0, False)
        assert line.seconds_missed([window]) <= 0.1
        assert (occupied.status, b"fr" in occupied.body) == (200, True)
        assert bannered.body.count(b"<aside data-piquet") == 1
        assert ask(host, NAME) == usual
    finally:
        drive.run_verb(fleet, "remove", only=[host])
    assert drive.foreign_files(host) == files
    assert ask(host, NAME) == usual


@pytest.mark.parametrize("harm", ["rm {}", "truncate -s 0 {}", "rm -r $(dirname {})"])
def test_code_that_somebody_deletes_is_a_stop(fleet: Fleet, host: Host, tmp_path: Path, harm: str) -> None:
    """No request fails from the second second on, the site is back, and nothing brings the strike back."""
    usual = ask(host, NAME)
    try:
        drill = armed(fleet, host, tmp_path, 60)
        (code,) = host.run(f"ls {CODE}/*.lua").stdout.split()
        drive.sleep_until(drill.start_at + 1.0)
        assert ask(host, NAME).status == 503
        host.run(harm.format(code))
        time.sleep(2.0)
        answers = [ask(host, NAME) for _ in range(40)]
        assert answers == [usual] * 40
        told = host.run("piquet-host status", check=False)
        assert "block" not in told.stdout.splitlines()[0], told.stdout
        assert "code-lost" in host.run("cat /var/lib/piquet/journal.jsonl").stdout
        assert host.run(f"ls {CODE}", check=False).stdout == ""
        host.run("systemctl restart apache2")
        assert ask(host, NAME) == usual
    finally:
        drive.run_verb(fleet, "remove", only=[host])
    assert ask(host, NAME) == usual


def test_remove_leaves_code_that_a_server_still_reads(fleet: Fleet, host: Host, tmp_path: Path) -> None:
    """Where its owner has broken the configuration nothing makes it forget: that is told, a second remove ends it."""
    usual, broken = ask(host, NAME), "/etc/apache2/conf-enabled/e2e-broken.conf"
    try:
        armed(fleet, host, tmp_path, 60)
        host.write_file(broken, "Nonsense\n")
        done = drive.run_verb(fleet, "remove", only=[host], check=False)
        assert done.returncode
        assert CODE in done.stdout
        assert [ask(host, NAME) for _ in range(20)] == [usual] * 20
    finally:
        host.run(f"rm -f {broken}")
        drive.run_verb(fleet, "remove", only=[host])
    assert host.run(f"ls -d {CODE}", check=False).stdout == ""
    assert ask(host, NAME) == usual
