# SPDX-License-Identifier: GPL-3.0-or-later
"""A hook line that somebody takes out of an armed host stops that site, whoever did it and whoever puts it back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from piquet.host import request
from piquet.host.outcome import Request
from piquet.host.state import armed, flags
from tests.host.folder_host import HOUR_S, SITES, FolderHost
from tests.host.hook_looks import two_looks

FIRST, OTHER = SITES


def file_of(host: FolderHost, site: str = FIRST) -> Path:
    """The file of a site."""
    return host.root / "etc/nginx/sites-available" / site


def take_out(host: FolderHost, site: str = FIRST) -> bytes:
    """What a deploy does: the owner's own text again; the text with our line."""
    path = file_of(host, site)
    hooked = path.read_bytes()
    path.write_bytes(b"".join(line for line in hooked.splitlines(True) if b"# piquet hook" not in line))
    assert path.read_bytes() != hooked
    host.machine().servers["nginx"].reload()
    return hooked


def comment_out(host: FolderHost) -> bytes:
    """What a person does who wants to see it again later."""
    path = file_of(host)
    hooked = path.read_bytes()
    path.write_bytes(hooked.replace(b"include ", b"# include "))
    host.machine().servers["nginx"].reload()
    return hooked


def rename(host: FolderHost) -> bytes:
    """The site moves to another file, without our line."""
    hooked = take_out(host)
    path = file_of(host)
    (host.root / "etc/nginx/conf.d/moved.conf").write_bytes(path.read_bytes())
    path.unlink()
    (host.root / "etc/nginx/sites-enabled" / FIRST).unlink()
    host.machine().servers["nginx"].reload()
    return hooked


def up(host: FolderHost) -> frozenset[str]:
    """Keys whose flag is up."""
    return flags.up(host.paths) or frozenset()


@pytest.mark.parametrize("start", [0, HOUR_S // 2], ids=["in the window", "before the window"])
@pytest.mark.parametrize("out", [take_out, comment_out, rename])
def test_two_looks_without_the_line_are_a_stop(
    host: FolderHost, out: Callable[[FolderHost], bytes], start: int
) -> None:
    """That site's flag goes, is recorded, told by status with its hour, and stays away when the line comes back."""
    host.hook()
    digest = host.stage(start=start)
    host.good("arm", plan_digest=digest)
    hooked = out(host)
    host.reconcile()
    assert up(host) == set(SITES), "one look is no stop"
    host.now += 60
    host.reconcile()
    assert up(host) == {OTHER}
    assert host.journal()[-1] == "hook-taken-out" or "hook-taken-out" in host.journal()
    (told,) = (f for f in host.ask("status").findings if f.code == "stopped")
    assert (told.severity, told.subject) == ("error", FIRST)
    assert "Mon 12 Jan 1970 13:47" in told.message and "arm" in told.hint
    (host.root / "etc/nginx/conf.d/moved.conf").unlink(missing_ok=True)
    file_of(host).write_bytes(hooked)
    link = host.root / "etc/nginx/sites-enabled" / FIRST
    link.exists() or link.symlink_to(f"../sites-available/{FIRST}")
    host.machine().servers["nginx"].reload()
    for is_boot in (False, True):
        if is_boot:
            host.reboot()
        host.reconcile(boot=is_boot)
        assert up(host) == {OTHER} and not host.is_ours()
    outcome = host.good("arm", plan_digest=digest)
    assert outcome.is_changed and "was-stopped" in {f.code for f in outcome.findings}
    assert up(host) == set(SITES)
    assert host.ask("status").is_ok


def test_hook_puts_no_site_of_an_armed_host_on_strike(host: FolderHost) -> None:
    """Also at once, before anybody has looked: it stops the site first, and says so."""
    digest = host.arm()
    take_out(host)
    outcome = host.hook()
    assert [f.subject for f in outcome.findings if f.code == "stopped"] == [FIRST]
    assert outcome.is_changed and not host.is_ours() and host.is_ours(OTHER)
    two_looks(host)
    assert up(host) == {OTHER}
    host.good("arm", plan_digest=digest)
    assert host.is_ours()


def test_hooking_the_last_site_releases_the_host(host: FolderHost) -> None:
    """Nothing is left that could be armed."""
    host.arm()
    for site in SITES:
        path = file_of(host, site)
        path.write_bytes(path.read_bytes().replace(b"include ", b"# include "))
    host.machine().servers["nginx"].reload()
    host.hook()
    assert not host.paths.armed.exists() and not host.paths.spool.exists()


def test_a_line_that_is_back_within_the_minute_is_no_stop(host: FolderHost) -> None:
    """A deploy in two steps."""
    host.arm()
    hooked = take_out(host)
    host.reconcile()
    file_of(host).write_bytes(hooked)
    host.machine().servers["nginx"].reload()
    host.now += 60
    two_looks(host)
    assert up(host) == set(SITES) and host.is_ours()


def test_a_clock_set_back_starts_the_minute_again(host: FolderHost) -> None:
    """Neither never nor at once."""
    host.arm()
    take_out(host)
    host.reconcile()
    host.now -= 1800
    host.reconcile()
    assert up(host) == set(SITES)
    host.now += 60
    host.reconcile()
    assert up(host) == {OTHER}


def no_file(host: FolderHost) -> None:
    """Gone."""
    file_of(host).unlink()


def no_link(host: FolderHost) -> None:
    """The site is disabled."""
    (host.root / "etc/nginx/sites-enabled" / FIRST).unlink()


def no_site(host: FolderHost) -> None:
    """It is deleted, file and link."""
    no_link(host)
    no_file(host)


def half_a_file(host: FolderHost) -> None:
    """An editor is saving."""
    file_of(host).write_bytes(b"server { listen 127.0.0.1:9; server_name www.a.test; ")


def broken_elsewhere(host: FolderHost) -> None:
    """Nobody can tell what nginx would do."""
    take_out(host)
    (host.root / "etc/nginx/conf.d/broken.conf").write_text("no such directive;\n")


def one_block_more(host: FolderHost) -> None:
    """What certbot does at its first certificate: the block is split, and the new one has no line."""
    path = file_of(host)
    text = f"server {{\n listen 127.0.0.1:{host.port};\n server_name {FIRST} x.test;\n return 301 /;\n}}\n"
    path.write_bytes(path.read_bytes() + text.encode())


def package_removed(host: FolderHost) -> None:
    """The program is gone, its files stay."""
    host.stop()


@pytest.mark.parametrize(
    "happen", [no_file, no_link, no_site, half_a_file, broken_elsewhere, one_block_more, package_removed]
)
def test_what_is_no_stop(host: FolderHost, happen: Callable[[FolderHost], None]) -> None:
    """A file that is missing, disabled or cannot be read, a block that is new: whatever the looks, the flags stay."""
    host.arm()
    happen(host)
    for _ in range(3):
        two_looks(host)
    assert up(host) == set(SITES)


def test_a_site_that_is_away_is_not_stopped_with_another(host: FolderHost) -> None:
    """One is disabled, and the line of the other is taken out: only that is a stop."""
    host.arm()
    no_link(host)
    take_out(host, OTHER)
    two_looks(host)
    assert up(host) == {FIRST}


def test_status_is_one_document_for_programs_when_a_site_was_stopped(
    host: FolderHost, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same document as ever, with the problem in it, and an exit code that is not zero."""
    from piquet.host import command_line as program

    host.arm()
    take_out(host)
    two_looks(host)
    monkeypatch.setattr(program, "this_machine", lambda role: host.machine(role))
    assert program.main(["status", "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["state"], [p["code"] for p in said["problems"]]) == ("armed", ["hook-missing", "stopped"])


def test_the_record_is_written_before_the_line_comes_back(host: FolderHost) -> None:
    """A power cut right behind the hook verb brings nothing up."""
    host.arm()
    take_out(host)
    host.hook()
    current = armed.current_arming(host.paths)
    assert current is not None and set(current.stopped) == {FIRST} == set(current.unhooked)
    host.reboot()
    request.carry_out(host.machine("boot"), Request("reconcile", options={"boot": True}))
    assert up(host) == {OTHER}


@pytest.mark.parametrize("damaged", ["armed", "token"])
def test_hook_beside_a_damaged_arming_shows_nothing(host: FolderHost, damaged: str) -> None:
    """Its flags stand until the next look: the line does not come back before they are gone, for good."""
    host.arm()
    take_out(host)
    getattr(host.paths, damaged).write_text("[]")
    assert up(host) == {FIRST, OTHER} and not host.is_ours(FIRST)
    found = host.hook().findings
    assert up(host) == frozenset() and not host.is_ours(FIRST)
    assert "released" in next(f.message for f in found if f.code == "stopped")
    host.reboot()
    request.carry_out(host.machine("boot"), Request("reconcile", options={"boot": True}))
    assert up(host) == frozenset()


def test_hook_after_an_end_that_nobody_saw_leaves_nothing_for_a_clock_that_is_set_back(
    host: FolderHost,
) -> None:
    """The line comes back to a host that is over; the hour may come again, the strike does not."""
    host.arm()
    take_out(host)
    host.now += 2 * HOUR_S
    assert up(host) == {FIRST, OTHER}, "no timer has run since"
    host.hook()
    host.now -= 2 * HOUR_S
    assert up(host) == frozenset() and not host.is_ours(FIRST)
    host.reconcile()
    assert not host.is_ours(FIRST) and armed.current_arming(host.paths) is None


def test_hook_beside_a_site_that_is_over_takes_its_flag(host: FolderHost) -> None:
    """The same for one site whose last phase is over while others go on."""
    host.hook()
    digest = host.stage(later=[(HOUR_S, 2 * HOUR_S)], shares={FIRST: (1,)})
    host.good("arm", plan_digest=digest)
    take_out(host)
    host.now += HOUR_S + 60
    host.hook()
    assert up(host) == {OTHER}
    host.now -= HOUR_S
    host.reconcile()
    assert up(host) == {OTHER} and not host.is_ours(FIRST)
