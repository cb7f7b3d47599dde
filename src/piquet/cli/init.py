# SPDX-License-Identifier: GPL-3.0-or-later
"""`piquet init`: a commented example campaign with pages, to be rewritten."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from importlib.resources import as_file, files
from pathlib import Path

import click

from piquet.errors import CampaignError, Problem

_START_MARK = "@START@"
_LEAD_TIME = timedelta(days=7)


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
    click.echo(f"\nnext: edit these, then `piquet check {folder / 'campaign.yml'}`", err=True)


def example_files(start: date) -> Iterator[tuple[str, str]]:
    """Relative name and text of each file, the campaign first; its window begins on `start`."""
    with as_file(files("piquet.cli").joinpath("example")) as example:
        for file in sorted(path for path in example.rglob("*") if path.is_file()):
            name = file.relative_to(example).as_posix().replace("gitignore", ".gitignore")
            yield name, file.read_text("utf-8").replace(_START_MARK, start.isoformat())
