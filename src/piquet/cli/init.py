# SPDX-License-Identifier: GPL-3.0-or-later
"""`piquet init`: the campaign of `inventory.example/` with its texts in six languages, to be rewritten."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import click

from piquet.errors import CampaignError, Problem
from piquet.resources import example_campaign

_EXAMPLE_BLOCK = date(2026, 12, 17)
_EXAMPLE_DATE = re.compile(r"2026-12-(?P<day>[0-9]{2})")
_BESIDE = ("consent.csv", "pages/*/*", "messages/*/*")
_LEAD_TIME = timedelta(days=7)
_IGNORED = "# two secrets, and what the controller keeps\nbypass.key\npages.key\n.piquet/\n"


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=".")
def command(folder: Path) -> None:
    """Write an example campaign into FOLDER. Never overwrites a file."""
    example = dict(example_files(date.today() + _LEAD_TIME))
    taken = [name for name in example if (folder / name).exists()]
    if taken:
        problems = [Problem(str(folder / name), 0, 0, "this file is there already") for name in taken]
        raise CampaignError("nothing was written: choose an empty folder", problems)
    for name, text in example.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with (folder / name).open("x", encoding="utf-8") as stream:
            stream.write(text)
        click.echo(folder / name)
    click.echo(
        f"\nnext: write your windows and your sites into {folder / 'campaign.yml'}, who agreed into consent.csv, and "
        f"your words into\npages/ and messages/ beside it; then: piquet check {folder / 'campaign.yml'}",
        err=True,
    )


def example_files(start: date) -> Iterator[tuple[str, str]]:
    """Relative name and text of each file, the campaign first; its block begins on `start`, the rest as far from it."""
    campaign = (example_campaign() / "campaign.yml").read_text("utf-8")

    def moved(match: re.Match[str]) -> str:
        return (start + timedelta(days=int(match["day"]) - _EXAMPLE_BLOCK.day)).isoformat()

    yield "campaign.yml", _EXAMPLE_DATE.sub(moved, campaign)
    yield ".gitignore", _IGNORED
    for file in sorted(f for pattern in _BESIDE for f in example_campaign().glob(pattern)):
        yield file.relative_to(example_campaign()).as_posix(), file.read_text("utf-8")
