# SPDX-License-Identifier: GPL-3.0-or-later
"""A picket that one version staged and armed is looked at, ended and removed by another one, both ways.

`upgrade/piquet-host` is the agent as it was installed on 29 November 2026, before its rooms.
"""

from __future__ import annotations

import re
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from piquet import agent_archive, bundle
from testbed import Fleet
from tests import drive
from tests.drive import Drill
from tests.e2e import one_site
from tests.e2e.one_site import name_of

OLD = Path(__file__).parent / "upgrade/piquet-host"
LEFT = "find / -xdev -not -path '/proc/*' -name '*piquet*' -not -path '/var/log/*' -not -path '/tmp/*'"

As = Callable[[str], None]


@pytest.fixture(scope="module")
def sites(fleet: Fleet) -> Iterator[Fleet]:
    """One site on every host, surveyed by whoever comes."""
    with one_site.planted(fleet):
        yield fleet


@pytest.fixture
def speak(monkeypatch: pytest.MonkeyPatch) -> As:
    """Carry the agent of one version from now on, `old` or `new`."""
    with zipfile.ZipFile(OLD) as archive:
        old = {name: archive.read(name) for name in archive.namelist()}
    new = agent_archive.agent_zipapp()
    modules = {"old": agent_archive._zip(old), "new": agent_archive.agent_modules()}

    def carry(version: str) -> None:
        is_old = version == "old"
        monkeypatch.setattr(bundle, "agent_zipapp", lambda python: OLD.read_bytes() if is_old else new)
        monkeypatch.setattr(agent_archive, "agent_modules", lambda: modules[version])

    return carry


def armed(fleet: Fleet, folder: Path) -> Drill:
    """A picket from survey to arm, inside its window."""
    begin = time.monotonic()
    drive.run_verb(fleet, "survey")
    lead_s = drive.lead_s(time.monotonic() - begin)
    drill = drive.write_campaign(fleet, folder, lead_s, 600, sites=one_site.chosen(fleet))
    for verb in ("hook", "stage", "arm"):
        drill.verb(verb, piquet_baseline=False)
    drive.sleep_until(drill.start_at + 0.5)
    return drill


def shown(fleet: Fleet) -> set[bool]:
    """Whether sites show the strike."""
    targets = [target for host in fleet for target in drive.targets(host, [name_of(host)])]
    return {line.is_ours_at_end for line in drive.look(targets, time.time() + 2.0).result() if line.samples}


@pytest.mark.parametrize(("first", "then"), [("old", "new"), ("new", "old")])
def test_one_version_ends_what_the_other_armed(
    sites: Fleet, tmp_path: Path, speak: As, first: str, then: str
) -> None:
    """Status tells of it, its own timer leaves it alone, rollback ends it, remove leaves nothing."""
    before = {host.name: (host.run(LEFT).stdout, drive.foreign_files(host)) for host in sites}
    speak(first)
    drill = armed(sites, tmp_path)
    assert shown(sites) == {True}
    speak(then)
    said = re.findall(r" armed: (?:block on )?1 site$", drill.verb("status").stdout, re.MULTILINE)
    assert len(said) == len(sites.hosts)
    for host in sites:  # what the timer runs is the agent that was staged
        host.run("piquet-host reconcile && piquet-host status >/dev/null")
    assert shown(sites) == {True}
    drill.verb("rollback")
    assert shown(sites) == {False}
    for host in sites:
        host.run("piquet-host reconcile")
    assert shown(sites) == {False}
    drill.verb("remove")
    assert before == {host.name: (host.run(LEFT).stdout, drive.foreign_files(host)) for host in sites}


def test_another_version_replaces_the_agent_of_one_that_is_over(
    sites: Fleet, tmp_path: Path, speak: As
) -> None:
    """Refused while the old picket is armed; after its rollback the new one is staged, armed, and ends by itself."""
    speak("old")
    drill = armed(sites, tmp_path)
    speak("new")
    refused = drill.verb("stage", piquet_baseline=False, check=False)
    assert refused.returncode and "rollback first" in refused.stdout, refused.stdout
    assert shown(sites) == {True}
    drill.verb("rollback")
    armed(sites, tmp_path / "new")
    assert shown(sites) == {True}
    drive.run_verb(sites, "remove")
    assert shown(sites) == {False}
