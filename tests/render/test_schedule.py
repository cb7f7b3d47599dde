# SPDX-License-Identifier: GPL-3.0-or-later
"""The schedule's own files: units or one cron file, never both, and the cron file is what cron accepts."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from piquet.bundle import Bundle, build_bundles
from piquet.fleet.model import Scheduler
from tests.render.samples import CAMPAIGN, KEY, SECRET, host, pages, plan

GOLDEN = Path(__file__).with_name("piquet.cron")
CRON_FILE = "/etc/cron.d/piquet"


def bundle(scheduler: Scheduler, contact: str = CAMPAIGN.contact) -> Bundle:
    """One host's bundle."""
    made = plan(host("a.example.org", scheduler=scheduler), campaign=replace(CAMPAIGN, contact=contact))
    (only,) = build_bundles(made, pages(), SECRET, KEY)
    return only


def paths(scheduler: Scheduler) -> set[str]:
    """What the bundle brings."""
    return {file.path for file in bundle(scheduler).files}


def test_the_cron_file_is_the_golden_one(is_regenerating: bool) -> None:
    """Word for word; `--regenerate` writes it anew."""
    (file,) = (file for file in bundle("cron").files if file.path == CRON_FILE)
    if is_regenerating:
        GOLDEN.write_bytes(file.content)
    assert (file.mode, file.content) == ("0600", GOLDEN.read_bytes())


def test_one_schedule_and_nothing_else_differs() -> None:
    """Cron's bundle has one file in the place of units and links; all else is the same, byte for byte."""
    units, cron = ({f.path: f for f in bundle(name).files} for name in ("systemd", "cron"))
    assert {path for path in units.keys() - cron.keys()} == {p for p in units if "/systemd/" in p}
    assert cron.keys() - units.keys() == {CRON_FILE}
    assert {p: units[p].entry() for p in units.keys() & cron.keys()} == {
        p: cron[p].entry() for p in units.keys() & cron.keys()
    }


def test_cron_accepts_the_file() -> None:
    """A name of letters only, lines of known form, an end of line at the end; else cron passes over it without a word.

    Source: cron(8) and crontab(5) of Debian.
    """
    text = GOLDEN.read_text("utf-8")
    assert re.fullmatch(r"[a-zA-Z0-9_-]+", CRON_FILE.rpartition("/")[2])
    form = re.compile(r"#.*|[A-Z]+=\S+|(@reboot|\*( \*){4}) root /[^%\\]+")
    assert [line for line in text.splitlines() if not form.fullmatch(line)] == []
    assert text.endswith("\n") and not text.endswith("\n\n")


@pytest.mark.parametrize(
    "contact", ["https://example.org/%0a* * * * * root x", "https://example.org/\n* * * * * root x"]
)
def test_a_contact_stays_in_its_comment(contact: str) -> None:
    """Nothing of the campaign can become a job."""
    (file,) = (f for f in bundle("cron", contact).files if f.path == CRON_FILE)
    jobs = [line for line in file.content.decode().splitlines() if not line.startswith("#")]
    golden = [line for line in GOLDEN.read_text("utf-8").splitlines() if not line.startswith("#")]
    assert jobs == golden
