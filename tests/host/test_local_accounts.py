# SPDX-License-Identifier: GPL-3.0-or-later
"""What any local account finds on a host before the start: neither page, nor window, nor sites, nor their campaign."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from piquet.bundle import Bundle, build_bundles, pages_folder
from piquet.fleet.model import Scheduler, ServerFacts
from piquet.host.state import armed, flags, manifest, store, transaction
from piquet.host.system.paths import Paths
from tests.render.samples import CAMPAIGN, KEY, PHASE, SECRET, WWW, facts, host, pages, plan

SITES = ("chosen.example.org", "*.wild.example.org")
PAGE = "these words are for the day of the strike"
SHARED = replace(
    PHASE, number=2, start_at=PHASE.end_at, end_at=PHASE.end_at + (PHASE.end_at - PHASE.start_at)
)
LOOK = Path(__file__).parent.parent / "local_account.py"
SERVERS: dict[str, ServerFacts] = {
    "nginx by the hook": facts(),
    "nginx by Lua": facts(variant="lua"),
    "Apache by rules": facts("apache", variant="rules"),
    "Apache by Lua": facts("apache", variant="lua"),
    "Apache by Lua from a file": facts("apache", variant="lua", lua_version="5.4"),
}


@pytest.fixture
def root() -> Iterator[Path]:
    """A root that everybody may enter, as `/` is."""
    folder = Path(tempfile.mkdtemp(prefix="piquet-tenant-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("server", "scheduler"), [*((name, "systemd") for name in SERVERS), ("nginx by the hook", "cron")]
)
def test_a_local_account_finds_nothing_before_the_start(
    root: Path, server: str, scheduler: Scheduler
) -> None:
    """All that lies there is listed, read and searched, and what has a public name is asked for by that."""
    paths = Paths(str(root))
    bundle = _bundle(SERVERS[server], scheduler)
    _arm(paths, bundle)
    seen = _look(root, [record["path"] for record in json.loads(bundle.manifest)["files"]])
    assert [place for place in seen if "piquet-host" in place], "the look has seen nothing at all"
    told = {place: words for place, text in seen.items() if (words := _telling(place + text))}
    assert told == {}


def test_the_look_sees_what_is_open(root: Path) -> None:
    """The same look finds each of them where somebody leaves a file or a folder open."""
    paths, bundle = Paths(str(root)), _bundle(SERVERS["Apache by rules"], "systemd")
    _arm(paths, bundle)
    paths.live.chmod(0o755)
    assert any(_telling(place) for place in _look(root, []) if place.startswith("/run/piquet/live/"))
    paths.live.chmod(0o711)
    paths.lib.chmod(0o755)
    paths.at(WWW).chmod(0o755)
    (paths.at(WWW) / "sites").chmod(0o755)
    assert any(_telling(place) for place in _look(root, []))
    paths.etc.chmod(0o755)
    paths.manifest.chmod(0o644)
    assert {"chosen.example.org", str(int(PHASE.start_at.timestamp()))} <= set(
        _telling(_look(root, [])["/etc/piquet/manifest.json"])
    )


def test_the_name_of_the_folder_is_a_secret() -> None:
    """It follows from the key and the campaign, and from nothing that is public; each has its own."""
    names = {pages_folder(key, name) for key in (KEY, SECRET) for name in ("greve", "autre")}
    assert len(names) == 4
    assert {pages_folder(KEY, "greve")} == {WWW} and len(WWW.rpartition("-")[2]) == 32


def _bundle(server: ServerFacts, scheduler: Scheduler) -> Bundle:
    """A bundle with every kind of mark: a wildcard, very many names below it, a site that takes part in one phase."""
    many = tuple(f"{'x' * 60}{number}.wild.example.org" for number in range(150))
    planned = host(*SITES, known=many, server=server, scheduler=scheduler)
    entries = (replace(planned.entries[0], phases=(1, 2)), *planned.entries[1:])
    campaign = replace(CAMPAIGN, phases=(PHASE, SHARED))
    sources = [*pages(PAGE), *(replace(source, phase=2) for source in pages(PAGE))]
    (bundle,) = build_bundles(
        plan(replace(planned, entries=entries), campaign=campaign), sources, SECRET, KEY
    )
    return bundle


def _arm(paths: Paths, bundle: Bundle) -> None:
    """Everything where stage and arm put it; no server is needed for that."""
    contents = {file.path: file.content for file in bundle.files}
    records: list[dict[str, Any]] = json.loads(bundle.manifest)["files"]
    changes = [manifest.change_for(paths, record, contents[record["path"]], "d" * 64) for record in records]
    transaction.make_changes(paths, "stage", changes, ())
    transaction.commit(paths)
    store.write_state(paths.manifest, json.loads(bundle.manifest))
    staged = manifest.Manifest(json.loads(bundle.manifest))
    armed.write_armed(paths, armed.begin(staged, "d" * 64, 0.0, "b", {}, {}))
    flags.make_flags(paths, sorted(staged.ends()))


def _look(root: Path, named: list[str]) -> dict[str, str]:
    """Place → text, of all that an account without any right can list or open."""
    command = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        sys.executable,
        "-",
        str(root),
        *named,
    ]
    base = ["/usr/bin/python3" if word == sys.executable else word for word in command]
    done = subprocess.run(base, input=LOOK.read_text(), capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


def _telling(text: str) -> list[str]:
    """What of all that is to stay unknown a text holds."""
    instants = [at for phase in (PHASE, SHARED) for at in (phase.start_at, phase.end_at)]
    words = [
        word for at in instants for word in (f"{at:%Y-%m-%d}", f"{at:%d %b %Y}", str(int(at.timestamp())))
    ]
    words += [
        "1797465",
        "1797",
        *[site.removeprefix("*.") for site in SITES],
        PAGE,
        SECRET,
        KEY,
        "greve-",
        WWW[-32:],
    ]
    return [word for word in words if word in text]
