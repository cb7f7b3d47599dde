# SPDX-License-Identifier: GPL-3.0-or-later
"""A rehearsal on real hosts: one link each, the strike for its holder alone, and an end that nobody has to remember."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed import Fleet
from tests.drive import Drill, write_campaign
from tests.e2e.one_site import chosen, name_of, planted
from tests.e2e.rehearsal import FOLDER, ask, grow_old, opened, passes, rehearse, wait_until

TENANT = "setpriv --reuid nobody --regid nogroup --clear-groups"
LOOK = Path(__file__).parent.parent / "local_account.py"


@pytest.fixture(scope="module")
def staged(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    """One foreign site on every host, hooked and staged for a campaign that starts in an hour."""
    with planted(fleet):
        folder = tmp_path_factory.mktemp("rehearse")
        drill = write_campaign(fleet, folder, 3600, 600, sites=chosen(fleet))
        for verb in ("survey", "hook", "stage"):
            drill.verb(verb, piquet_baseline=False)
        yield drill
        drill.verb("remove")


def test_the_holder_of_a_link_sees_the_strike(staged: Drill) -> None:
    """On every host with its own secret, without a reload; everybody else, and everybody afterwards, the usual site."""
    usual = {host.name: ask(host, name_of(host)) for host in staged.fleet}
    assert all("rehearsal" not in told for told in rehearse(staged, "--check").values())
    assert [passes(host) for host in staged.fleet] == [[]] * len(list(staged.fleet))
    told = rehearse(staged)
    words = {}
    for host in staged.fleet:
        link = str(told[host.name]["rehearsal"]["path"])
        assert told[host.name]["rehearsal"]["links"] == [f"http://{name_of(host)}{link}"]
        words[host.name] = word = opened(host, name_of(host), link)
        seen = ask(host, name_of(host), word=word)
        assert (seen.status, seen.mark) == (503, "drill/1/block")
        assert ask(host, name_of(host)) == usual[host.name]
        assert ask(host, name_of(host), word=f"1-{'0' * 32}") == usual[host.name]
    assert len(set(words.values())) == len(words)
    assert all(told["changed"] for told in rehearse(staged, "--end").values())
    for host in staged.fleet:
        assert ask(host, name_of(host), word=words[host.name]) == usual[host.name]
    assert not any(told["changed"] for told in rehearse(staged, "--end").values())


def test_nobody_else_on_the_host_learns_the_secret(staged: Drill) -> None:
    """A tenant cannot list the folder; the server's own user finds what it is told; no log or state of ours has it."""
    told = rehearse(staged, "--phase", "1")
    for host in staged.fleet:
        (word,) = passes(host)
        assert str(told[host.name]["rehearsal"]["path"]).endswith(f"/{word}")
        tenant = "setpriv --reuid nobody --regid nogroup --clear-groups"
        assert host.run(f"{tenant} ls {FOLDER}", check=False).returncode != 0
        secret = word.partition("-")[2]
        assert secret not in host.run(f"{tenant} cat {FOLDER}/{word}").stdout
        places = "/var/lib/piquet /var/log /etc /run/piquet /usr/local"
        assert host.run(f"grep -rl {secret} {places} 2>/dev/null; true").stdout == ""
        assert secret not in host.run("journalctl --no-pager -n 2000; true").stdout
        assert secret not in host.run("piquet-host status --json").stdout
    rehearse(staged, "--end")


def test_the_timer_of_a_staged_host_ends_it(staged: Drill) -> None:
    """Nobody has armed, nobody comes back: it is over at the next full minute behind its half hour."""
    rehearse(staged)
    words = {host.name: passes(host)[0] for host in staged.fleet}
    for host in staged.fleet:
        assert ask(host, name_of(host), word=words[host.name]).mark == "drill/1/block"
        grow_old(host)
    for host in staged.fleet:
        assert wait_until(lambda host=host: passes(host) == []), host.journal()  # type: ignore[misc]
        assert ask(host, name_of(host), word=words[host.name]).mark is None
        assert '"rehearsal-ended"' in host.run("tail -n 1 /var/lib/piquet/journal.jsonl").stdout


def test_a_local_account_learns_nothing_before_the_start(staged: Drill) -> None:
    """Neither page, nor window, nor sites, on an armed host: no file, no folder, no unit, no process tells it."""
    staged.verb("arm")
    start, end = int(staged.start_at), int(staged.end_at)
    instants = [time.strftime(form, time.gmtime(at)) for at in (start, end) for form in ("%F %T", "%FT%T")]
    for host in staged.fleet:
        host.write_file("/root/look.py", LOOK.read_text("utf-8"))
        look = f"{TENANT} /usr/bin/python3 - / < /root/look.py"
        asked = (
            "systemctl show 'piquet-*' --all; systemctl list-timers --all; systemctl cat 'piquet-*'; ps auxww"
        )
        seen = (
            host.run(look).stdout + host.run(f"{TENANT} sh -c {shlex.quote(asked)} 2>&1", check=False).stdout
        )
        host.run("rm /root/look.py")
        assert "piquet-host" in seen and "piquet-reconcile.timer" in seen
        words = [*instants, str(start), str(end), name_of(host), "X-Piquet", "drill"]
        assert [word for word in words if word in seen] == [], host.name
        folder = host.run("ls -d /var/lib/piquet/www-*").stdout.strip()
        assert folder.rpartition("-")[2] not in seen
    staged.verb("rollback")
