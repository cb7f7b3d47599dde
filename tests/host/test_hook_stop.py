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
from tests.host.box import HOUR_S, SITES, Box
from tests.host.hook_looks import two_looks

FIRST, OTHER = SITES


def file_of(box: Box, site: str = FIRST) -> Path:
    """The file of a site."""
    return box.root / "etc/nginx/sites-available" / site


def take_out(box: Box, site: str = FIRST) -> bytes:
    """What a deploy does: the owner's own text again; the text with our line."""
    path = file_of(box, site)
    hooked = path.read_bytes()
    path.write_bytes(b"".join(line for line in hooked.splitlines(True) if b"# piquet hook" not in line))
    assert path.read_bytes() != hooked
    box.machine().servers["nginx"].reload()
    return hooked


def comment_out(box: Box) -> bytes:
    """What a person does who wants to see it again later."""
    path = file_of(box)
    hooked = path.read_bytes()
    path.write_bytes(hooked.replace(b"include ", b"# include "))
    box.machine().servers["nginx"].reload()
    return hooked


def rename(box: Box) -> bytes:
    """The site moves to another file, without our line."""
    hooked = take_out(box)
    path = file_of(box)
    (box.root / "etc/nginx/conf.d/moved.conf").write_bytes(path.read_bytes())
    path.unlink()
    (box.root / "etc/nginx/sites-enabled" / FIRST).unlink()
    box.machine().servers["nginx"].reload()
    return hooked


def up(box: Box) -> frozenset[str]:
    """Keys whose flag is up."""
    return flags.up(box.paths) or frozenset()


@pytest.mark.parametrize("start", [0, HOUR_S // 2], ids=["in the window", "before the window"])
@pytest.mark.parametrize("out", [take_out, comment_out, rename])
def test_two_looks_without_the_line_are_a_stop(box: Box, out: Callable[[Box], bytes], start: int) -> None:
    """That site's flag goes, is recorded, told by status with its hour, and stays away when the line comes back."""
    box.hook()
    digest = box.stage(start=start)
    box.good("arm", plan_digest=digest)
    hooked = out(box)
    box.reconcile()
    assert up(box) == set(SITES), "one look is no stop"
    box.now += 60
    box.reconcile()
    assert up(box) == {OTHER}
    assert box.journal()[-1] == "hook-taken-out" or "hook-taken-out" in box.journal()
    (told,) = (f for f in box.ask("status").findings if f.code == "stopped")
    assert (told.severity, told.subject) == ("error", FIRST)
    assert "Mon 12 Jan 1970 13:47" in told.message and "arm" in told.hint
    (box.root / "etc/nginx/conf.d/moved.conf").unlink(missing_ok=True)
    file_of(box).write_bytes(hooked)
    link = box.root / "etc/nginx/sites-enabled" / FIRST
    link.exists() or link.symlink_to(f"../sites-available/{FIRST}")
    box.machine().servers["nginx"].reload()
    for is_boot in (False, True):
        if is_boot:
            box.reboot()
        box.reconcile(boot=is_boot)
        assert up(box) == {OTHER} and not box.is_ours()
    outcome = box.good("arm", plan_digest=digest)
    assert outcome.is_changed and "was-stopped" in {f.code for f in outcome.findings}
    assert up(box) == set(SITES)
    assert box.ask("status").is_ok


def test_hook_puts_no_site_of_an_armed_host_on_strike(box: Box) -> None:
    """Also at once, before anybody has looked: it stops the site first, and says so."""
    digest = box.arm()
    take_out(box)
    outcome = box.hook()
    assert [f.subject for f in outcome.findings if f.code == "stopped"] == [FIRST]
    assert outcome.is_changed and not box.is_ours() and box.is_ours(OTHER)
    two_looks(box)
    assert up(box) == {OTHER}
    box.good("arm", plan_digest=digest)
    assert box.is_ours()


def test_hooking_the_last_site_releases_the_host(box: Box) -> None:
    """Nothing is left that could be armed."""
    box.arm()
    for site in SITES:
        path = file_of(box, site)
        path.write_bytes(path.read_bytes().replace(b"include ", b"# include "))
    box.machine().servers["nginx"].reload()
    box.hook()
    assert not box.paths.armed.exists() and not box.paths.spool.exists()


def test_a_line_that_is_back_within_the_minute_is_no_stop(box: Box) -> None:
    """A deploy in two steps."""
    box.arm()
    hooked = take_out(box)
    box.reconcile()
    file_of(box).write_bytes(hooked)
    box.machine().servers["nginx"].reload()
    box.now += 60
    two_looks(box)
    assert up(box) == set(SITES) and box.is_ours()


def test_a_clock_set_back_starts_the_minute_again(box: Box) -> None:
    """Neither never nor at once."""
    box.arm()
    take_out(box)
    box.reconcile()
    box.now -= 1800
    box.reconcile()
    assert up(box) == set(SITES)
    box.now += 60
    box.reconcile()
    assert up(box) == {OTHER}


def no_file(box: Box) -> None:
    """Gone."""
    file_of(box).unlink()


def no_link(box: Box) -> None:
    """The site is disabled."""
    (box.root / "etc/nginx/sites-enabled" / FIRST).unlink()


def no_site(box: Box) -> None:
    """It is deleted, file and link."""
    no_link(box)
    no_file(box)


def half_a_file(box: Box) -> None:
    """An editor is saving."""
    file_of(box).write_bytes(b"server { listen 127.0.0.1:9; server_name www.a.test; ")


def broken_elsewhere(box: Box) -> None:
    """Nobody can tell what nginx would do."""
    take_out(box)
    (box.root / "etc/nginx/conf.d/broken.conf").write_text("no such directive;\n")


def one_block_more(box: Box) -> None:
    """What certbot does at its first certificate: the block is split, and the new one has no line."""
    path = file_of(box)
    text = f"server {{\n listen 127.0.0.1:{box.port};\n server_name {FIRST} x.test;\n return 301 /;\n}}\n"
    path.write_bytes(path.read_bytes() + text.encode())


def package_removed(box: Box) -> None:
    """The program is gone, its files stay."""
    box.stop()


@pytest.mark.parametrize(
    "happen", [no_file, no_link, no_site, half_a_file, broken_elsewhere, one_block_more, package_removed]
)
def test_what_is_no_stop(box: Box, happen: Callable[[Box], None]) -> None:
    """A file that is missing, disabled or cannot be read, a block that is new: whatever the looks, the flags stay."""
    box.arm()
    happen(box)
    for _ in range(3):
        two_looks(box)
    assert up(box) == set(SITES)


def test_a_site_that_is_away_is_not_stopped_with_another(box: Box) -> None:
    """One is disabled, and the line of the other is taken out: only that is a stop."""
    box.arm()
    no_link(box)
    take_out(box, OTHER)
    two_looks(box)
    assert up(box) == {FIRST}


def test_status_is_one_document_for_programs_when_a_site_was_stopped(
    box: Box, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same document as ever, with the problem in it, and an exit code that is not zero."""
    from piquet.host import command_line as program

    box.arm()
    take_out(box)
    two_looks(box)
    monkeypatch.setattr(program, "this_machine", lambda role: box.machine(role))
    assert program.main(["status", "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["state"], [p["code"] for p in said["problems"]]) == ("armed", ["hook-missing", "stopped"])


def test_the_record_is_written_before_the_line_comes_back(box: Box) -> None:
    """A power cut right behind the hook verb brings nothing up."""
    box.arm()
    take_out(box)
    box.hook()
    current = armed.current_arming(box.paths)
    assert current is not None and set(current.stopped) == {FIRST} == set(current.unhooked)
    box.reboot()
    request.carry_out(box.machine("boot"), Request("reconcile", options={"boot": True}))
    assert up(box) == {OTHER}


@pytest.mark.parametrize("damaged", ["armed", "token"])
def test_hook_beside_a_damaged_arming_shows_nothing(box: Box, damaged: str) -> None:
    """Its flags stand until the next look: the line does not come back before they are gone, for good."""
    box.arm()
    take_out(box)
    getattr(box.paths, damaged).write_text("[]")
    assert up(box) == {FIRST, OTHER} and not box.is_ours(FIRST)
    found = box.hook().findings
    assert up(box) == frozenset() and not box.is_ours(FIRST)
    assert "released" in next(f.message for f in found if f.code == "stopped")
    box.reboot()
    request.carry_out(box.machine("boot"), Request("reconcile", options={"boot": True}))
    assert up(box) == frozenset()


def test_hook_after_an_end_that_nobody_saw_leaves_nothing_for_a_clock_that_is_set_back(box: Box) -> None:
    """The line comes back to a host that is over; the hour may come again, the strike does not."""
    box.arm()
    take_out(box)
    box.now += 2 * HOUR_S
    assert up(box) == {FIRST, OTHER}, "no timer has run since"
    box.hook()
    box.now -= 2 * HOUR_S
    assert up(box) == frozenset() and not box.is_ours(FIRST)
    box.reconcile()
    assert not box.is_ours(FIRST) and armed.current_arming(box.paths) is None


def test_hook_beside_a_site_that_is_over_takes_its_flag(box: Box) -> None:
    """The same for one site whose last phase is over while others go on."""
    box.hook()
    digest = box.stage(later=[(HOUR_S, 2 * HOUR_S)], shares={FIRST: (1,)})
    box.good("arm", plan_digest=digest)
    take_out(box)
    box.now += HOUR_S + 60
    box.hook()
    assert up(box) == {OTHER}
    box.now -= HOUR_S
    box.reconcile()
    assert up(box) == {OTHER} and not box.is_ours(FIRST)
