# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx by Lua on a real host: no server block is touched, the lease alone begins and ends, nothing stays."""

from __future__ import annotations

import json
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

NAME = "www.e2e-lua.example"
PAGE = b"<!doctype html><html><head><title>here</title></head><body><p>as usual</p></body></html>\n"
FOLDER = "/srv/e2e-lua"
BLOCK_S, BANNER_S = 8, 8
BY_LUA = {"piquet_nginx": "lua"}
"""Else sites of others that share this host may speak against it."""
MODULES = {
    f"/etc/nginx/modules-enabled/{name}.conf": f"/usr/share/nginx/modules-available/{name[3:]}.conf"
    for name in ("10-mod-http-ndk", "50-mod-http-lua")
}
"""Link that Debian makes for a loaded module → where it leads."""
WORKERS = "pgrep -P $(cat /run/nginx.pid) | sort | tr '\\n' ' '"
"""A reload starts others; of those before it some may still be ending."""


@pytest.fixture(scope="module")
def host(fleet: Fleet) -> Iterator[Host]:
    """The first nginx host: its owner has a page there, and has loaded the Lua module."""
    host = fleet.of("nginx")[0]
    site = SITE["nginx"].format(name=NAME).replace("return 200 here;", f"root {FOLDER};")
    host.write_files({FILE["nginx"]: site, f"{FOLDER}/index.html": PAGE})
    links = " && ".join(f"ln -s {target} {link}" for link, target in MODULES.items())
    host.run(f"{links} && nginx -t -q && systemctl restart nginx")
    yield host
    host.run(f"rm -rf {FILE['nginx']} {FOLDER} {' '.join(MODULES)} && systemctl restart nginx")


def campaign(fleet: Fleet, folder: Path, lead_s: float) -> Drill:
    """A block, and a banner right behind it; the window is that of the block."""
    notes = folder / "messages" / "annonce"
    notes.mkdir(parents=True, exist_ok=True)
    for language in drive.LANGUAGES:
        (notes / f"{language}.md").write_text(f"{language}: on strike\n", encoding="utf-8")
    block = drive.write_campaign(fleet, folder, lead_s, BLOCK_S, sites=f"{{include: [{NAME}]}}")
    start = datetime.fromtimestamp(block.end_at, drive.ZONE).strftime("%Y-%m-%dT%H:%M:%S")
    banner = f"mode: banner, start: {start}, duration: {BANNER_S}s, style: bar, message: messages/annonce"
    text = block.campaign.read_text("utf-8")
    block.campaign.write_text(text.replace("greve}]", f"greve}}, {{{banner}}}]"), "utf-8")
    return block


def assert_staged(host: Host, files: dict[str, str]) -> None:
    """One file of ours has come to nginx, and none of the owner's was changed."""
    staged = drive.foreign_files(host)
    assert {path for path in staged if path not in files and path.startswith("/etc/nginx")} == {
        "/etc/nginx/conf.d/00-piquet.conf"
    }
    assert files.items() <= staged.items(), "a file of the owner's was changed"
    assert host.run("ls /etc/piquet/nginx").stdout.split() == ["http"]


def test_by_lua_from_survey_to_remove(fleet: Fleet, host: Host, tmp_path: Path) -> None:
    """Without a hook and without a reload since stage: block and banner in their windows, then the host as it was."""
    files, usual, only = drive.foreign_files(host), ask(host, NAME), [host]
    assert (usual.status, usual.body) == (200, PAGE)
    begun = time.monotonic()
    drive.run_verb(fleet, "survey")
    told = drive.run_verb(fleet, "hook", only=only, **BY_LUA).stdout
    assert f"ok: [{host.name}]" in told, told
    lead_s = drive.lead_s(time.monotonic() - begun)
    survey = json.loads((fleet.folder / f".piquet/surveys/{host.name}.json").read_text("utf-8"))
    assert survey["nginx"]["lua"] == {"usable": True}
    workers: set[str] = set()

    def armed(patience: int) -> Drill:
        drill = campaign(fleet, tmp_path, lead_s * patience)
        drill.verb("stage", only=only, **BY_LUA, piquet_baseline=False)
        assert_staged(host, files)
        workers.update(host.run(WORKERS).stdout.split())
        drill.verb("arm", only=only, **BY_LUA)
        return drill

    try:
        drill = drive.in_time(armed, spare_s=1.0)
        eyes = drive.look(drive.targets(host, [NAME]), drill.end_at + BANNER_S + 3.0)
        drive.sleep_until(drill.end_at + BANNER_S / 2)
        bannered = ask(host, NAME)
        (line,) = eyes.result()
        assert (line.is_ours_at_end, line.signs) == (False, {"drill/1/block"})
        window = (drill.start_at, drill.end_at)
        assert line.seconds_outside([window]) <= 0.1
        assert line.seconds_missed([window]) <= 0.1
        assert bannered.status == 200
        assert bannered.body.count(b"<aside data-piquet") == 1
        assert b"fr: on strike" in bannered.body
        assert ask(host, NAME) == usual
        assert set(host.run(WORKERS).stdout.split()) <= workers, "something has reloaded nginx"
    finally:
        drive.run_verb(fleet, "remove", only=only)
    assert drive.foreign_files(host) == files
    assert ask(host, NAME) == usual
