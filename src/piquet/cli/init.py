# SPDX-License-Identifier: GPL-3.0-or-later
"""`piquet init`: the campaign of `inventory.example/` with its texts in six languages, to be rewritten."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from datetime import date, timedelta
from io import StringIO
from pathlib import Path

import click

from piquet.errors import CampaignError, Problem
from piquet.resources import example_campaign

_EXAMPLE_BLOCK = date(2026, 12, 17)
_EXAMPLE_DATE = re.compile(r"2026-12-(?P<day>[0-9]{2})")
_BESIDE = ("consent.csv", "pages/*/*", "messages/*/*")
_LEAD_TIME = timedelta(days=7)
_IGNORED = "# two secrets, and what the controller keeps\nbypass.key\npages.key\n.piquet/\n"


_LANGUAGES = re.compile(r"languages: \[(?P<all>[a-z, ]+)\]")


def _languages(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...]:
    """What was asked for, in that order; all that the example has if nothing was."""
    known = tuple(_words(_example_text()))
    wanted = tuple(dict.fromkeys(part.strip() for part in (value or "").split(",") if part.strip())) or known
    if unknown := [language for language in wanted if language not in known]:
        raise click.UsageError(
            f"--languages {value}: the example has no text in {', '.join(unknown)}; it has {', '.join(known)}; "
            "another language is a file of yours, such as pages/greve/nl.md, named in `languages` afterwards"
        )
    return wanted


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default="campaign")
@click.option(
    "--languages", callback=_languages, help="Only these, the default first, such as fr,en [all six]."
)
def command(folder: Path, languages: tuple[str, ...]) -> None:
    """Write an example campaign into FOLDER (campaign by default). Never overwrites a file.

    Beside it comes an ansible.cfg, if there is none: with it playbooks speak in sentences.
    """
    example = dict(example_files(date.today() + _LEAD_TIME, languages))
    taken = [name for name in example if (folder / name).exists()]
    if taken:
        problems = [Problem(str(folder / name), 0, 0, "this file is there already") for name in taken]
        raise CampaignError("nothing was written: choose an empty folder", problems)
    for name, text in example.items():
        _write(folder / name, text)
    settings = folder.parent / "ansible.cfg"
    if folder.resolve() != Path.cwd() and not settings.exists():
        _write(settings, (example_campaign().parent / "ansible.cfg").read_text("utf-8"))
    click.echo(
        f"\nnext: write your windows and your sites into {folder / 'campaign.yml'}, who agreed into consent.csv, and "
        f"your words into\npages/ and messages/ beside it; then: piquet check {folder / 'campaign.yml'}",
        err=True,
    )


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("x", encoding="utf-8") as stream:
        stream.write(text)
    click.echo(file)


def example_files(start: date, languages: Collection[str] = ()) -> Iterator[tuple[str, str]]:
    """Relative name and text of each file, the campaign first; its block begins on `start`, the rest as far from it.

    Args:
        start: a local date.
        languages: of the example's, all if none is named; the first is the campaign's default.
    """
    languages = languages or _words(_example_text())

    def moved(match: re.Match[str]) -> str:
        return (start + timedelta(days=int(match["day"]) - _EXAMPLE_BLOCK.day)).isoformat()

    chosen = _LANGUAGES.sub(f"languages: [{', '.join(languages)}]", _example_text(), count=1)
    yield "campaign.yml", _EXAMPLE_DATE.sub(moved, chosen)
    yield ".gitignore", _IGNORED
    for file in sorted(f for pattern in _BESIDE for f in example_campaign().glob(pattern)):
        text = file.read_text("utf-8")
        if file.suffix != ".md" or file.stem in languages:
            is_whole = file.suffix != ".yml" or len(languages) == len(_words(_example_text()))
            yield (
                file.relative_to(example_campaign()).as_posix(),
                text if is_whole else _selection_in(text, languages),
            )


def _selection_in(text: str, languages: Collection[str]) -> str:
    """A selection without the texts of other languages; comments and order stay."""
    from ruamel.yaml import YAML

    yaml, written = YAML(), StringIO()
    yaml.width = 1000
    selection = yaml.load(text)
    for spoken in (value for item in selection for value in item.values() if isinstance(value, dict)):
        for language in [language for language in spoken if language not in languages]:
            del spoken[language]
    yaml.dump(selection, written)
    return written.getvalue()


def _example_text() -> str:
    return (example_campaign() / "campaign.yml").read_text("utf-8")


def _words(campaign: str) -> list[str]:
    """The languages of a campaign file that is ours."""
    found = _LANGUAGES.search(campaign)
    return found["all"].split(", ") if found else []
