# SPDX-License-Identifier: GPL-3.0-or-later
"""What was tried against the promise, and what came of it: made of the figures that the tests noted.

Usage:
    python -m tests.reliability           the totals of the run that has just ended; 1 where a table has no row
    python -m tests.reliability --keep    of the full matrix; with --suite of a run on one Debian release, which has not
                                          every table: keeps its figures, and makes docs/reliability.md and the
                                          releases of docs/platforms.md anew
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from testbed.image import own_suite
from tests import figures
from tests.figures import ROOT, Figure, Row
from tests.host import platforms_document

DOCUMENT = ROOT / "docs" / "reliability.md"
_OPENING = """\
# What was tried against it

Made of the figures of the full matrix, `script/test --long`. Its parts take hours and run by themselves too: behind
each total stand the commits that it is of, and a test's figures are replaced when that test runs again.

The promise: from `start` to `end` every selected site shows its page; at `end` everything is back, whatever happened;
before, after and beside it no answer changes by a byte.
"""


def _rows(found: Sequence[Figure]) -> Sequence[Row]:
    return [figure.row for figure in found]


def _by_file(found: Sequence[Figure]) -> Sequence[Row]:
    """How many tests of each file passed, and by name those that did not."""
    counts = Counter((figure.test.partition("::")[0], figure.row["outcome"]) for figure in found)
    files = sorted({file for file, _ in counts})
    failed = [figure.test for figure in found if figure.row["outcome"] != "passed"]
    rows: list[Row] = [{"tests": file, "passed": counts[file, "passed"]} for file in files]
    return rows + [{"tests": f"failed: {test}", "passed": 0} for test in failed]


@dataclass(frozen=True)
class Section:
    """One table of the document.

    Attributes:
        table: its name among the figures.
        title: as a heading.
        says: what was done, in a sentence or two.
        total: the one line that sums it up.
        is_long: only the full matrix has its figures.
        is_kept: it says something of the project, not only of one run.
        shown: the rows of its table.
    """

    table: str
    title: str
    says: str
    total: Callable[[Sequence[Row]], str]
    is_long: bool = False
    is_kept: bool = True
    shown: Callable[[Sequence[Figure]], Sequence[Row]] = _rows


def _sum(rows: Sequence[Row], column: str) -> int:
    return sum(int(row[column]) for row in rows)


def _wrong(rows: Sequence[Row]) -> int:
    return sum(int(value) for row in rows for column, value in row.items() if column.startswith("wrong"))


def _answers(rows: Sequence[Row]) -> str:
    kinds = {tuple(value for value in row.values() if isinstance(value, str)) for row in rows}
    return f"{len(kinds)} kinds, {_sum(rows, 'requests'):,} requests, {_wrong(rows)} wrong answers"


def _random(rows: Sequence[Row]) -> str:
    counts = {name: _sum(rows, name) for name in ("examples", "sites", "requests", "differences")}
    told = ", ".join(f"{counts[name]:,} {name}" for name in ("sites", "requests", "differences"))
    return f"{counts['examples']} configurations, {told}"


def _modes(rows: Sequence[Row]) -> str:
    whole = [row for row in rows if str(row["kinds"]).startswith("all ")]
    return (
        f"{_sum(whole, 'requests'):,} requests, {_wrong(whole)} wrong answers; {_sum(whole, 'one_banner'):,} pages "
        f"with exactly one banner, {_sum(whole, 'without'):,} without though they could have one"
    )


def _faults(rows: Sequence[Row]) -> str:
    outside = sum(float(row["site_seconds_outside"]) for row in rows)
    kinds = len({row["fault"] for row in rows})
    return f"{kinds} faults, {len(rows)} times, {outside:.1f} site-seconds on strike outside the window"


def _machine(rows: Sequence[Row]) -> str:
    return f"{sum(int(row['times']) for row in rows if row['rule'] == 'steps in all'):,} steps"


def _long(rows: Sequence[Row]) -> str:
    passed = sum(row["outcome"] == "passed" for row in rows)
    return f"{passed} tests passed, {len(rows) - passed} failed"


def _load(rows: Sequence[Row]) -> str:
    failed = {moment: 0 for moment in ("start", "end", "rollback")}
    for row in rows:
        if row["moment"] in failed and not int(row["reloads"]):  # with open_file_cache a rollback reloads
            failed[str(row["moment"])] += int(row["failed"])
    parts = ", ".join(f"{count} at {moment}" for moment, count in failed.items())
    return f"{_sum(rows, 'requests'):,} requests; failed where nothing was reloaded: {parts}"


def _skew(rows: Sequence[Row]) -> str:
    late = max(abs(float(value)) for row in rows for column, value in row.items() if column.endswith("_ms"))
    return f"largest distance from the agreed instant: {late:.0f} ms"


SECTIONS = (
    Section(
        "faults",
        "Faults on booted hosts",
        "On machines with systemd, the sites of the corpus and the real agent; every site was asked ten "
        "times a second all the while, and every foreign file compared before and after. Counted: "
        "seconds on strike outside the window of that fault, from one second after its end.",
        _faults,
    ),
    Section(
        "load",
        "Switching under load",
        "Keep-alive connections kept busy through a whole campaign. Start, end and rollback reload "
        "nothing; hook, stage and remove reload once, which costs at most the requests that are in "
        "flight.",
        _load,
    ),
    Section(
        "skew",
        "How exact start and end are",
        "Measured in the same load, by the first and last answers.",
        _skew,
    ),
    Section(
        "machine",
        "Random histories of one host",
        "The real agent, driven through random orders of everything that operators, owners, crashes and "
        "clocks do; after every step nothing that was released blocks, nothing blocks outside the "
        "window, and foreign bytes are as their owner left them.",
        _machine,
    ),
    Section(
        "corpus",
        "Kinds of virtual host",
        "Each kind asked on a real server without us and with us, byte for byte: staged, armed before "
        "the start, active, released, after the end. What each kind is: [kinds.md](kinds.md).",
        _answers,
    ),
    Section(
        "modes",
        "Occupy, banner, and the ways by Lua",
        "The same five states for every mode and every way to speak to a server; `all` is a row for all kinds of it. "
        "Each page with a banner is held against the page without, byte for byte. Pages without one though they could "
        "have it are listed by kind, with the cause.",
        _modes,
    ),
    Section(
        "main_files",
        "The owner's main file",
        "The same few kinds under main files of other hands; where one cannot be held, survey and plan say so and "
        "nothing is staged.",
        _answers,
    ),
    Section(
        "random_apache",
        "Configurations of Apache made at random",
        "Names, rules, `RewriteOptions` in every form, sections, macros, variables and includes: the survey names what "
        "is really served, staged no answer of any site changes by rules or by Lua, and inside the window each is on "
        "strike or was foretold not to be.",
        lambda rows: (
            f"{_sum(rows, 'configurations'):,} configurations, {_sum(rows, 'sites'):,} sites, "
            f"{_sum(rows, 'answers_staged'):,} staged answers, {_sum(rows, 'differences')} differences"
        ),
    ),
    Section(
        "random_nginx",
        "nginx configurations made at random",
        "Some sites each, of what http and server blocks may say by nginx's own modules and by those that Debian "
        "packages. Every site that the plan accepts: staged and armed byte for byte as before, in the window our "
        "answers and no others.",
        _random,
    ),
    Section(
        "packaged",
        "Configurations that Debian packages ship",
        "Installed as they come, asked without us and with us. What each is: [packaged.md](packaged.md).",
        _answers,
        is_long=True,
    ),
    Section(
        "parity",
        "The same by every road",
        "Twin hosts, one road each: Ansible and pyinfra, systemd and cron. Each verb looked at first, done, and done "
        "again, also when something is wrong; what was said and printed, every file, journal and answer compared.",
        lambda rows: f"{_sum(rows, 'pairs'):,} comparisons, none different",
    ),
    Section(
        "bad-input",
        "Bad input",
        "Broken campaigns, inventories and hosts: each is refused with place, expected, got and a hint, "
        "and nothing is changed.",
        lambda rows: f"{len(rows)} cases, {_sum(rows, 'reasons')} reasons told",
    ),
    Section(
        "long",
        "Only in the full matrix",
        "`script/test` leaves these to `script/test --long`.",
        _long,
        is_long=True,
        shown=_by_file,
    ),
    Section(
        "programs",
        "The servers",
        "By their own word. What was found on other Debian releases: [platforms.md](platforms.md).",
        lambda rows: ", ".join(f"{name.replace('_', ' ')} {version}" for name, version in rows[0].items()),
    ),
    Section(
        "tests",
        "The runs",
        "What pytest was asked for, and what it counted.",
        lambda rows: f"{_sum(rows, 'passed')} passed, {_sum(rows, 'failed')} failed",
        is_kept=False,
    ),
)


def main(arguments: Sequence[str]) -> int:
    """Print the totals of what was noted; where asked, keep the figures and write the document."""
    is_kept, tables = "--keep" in arguments, _tables(figures.noted())
    is_whole = "--suite" not in arguments
    wanted = [
        section
        for section in SECTIONS
        if (is_kept or not section.is_long) and (is_whole or section.table in tables)
    ]
    for section in wanted:
        print(_total(section, tables))
    missing = [section.table for section in wanted if section.table not in tables]
    if missing:
        print(f"no figures of: {', '.join(missing)}", file=sys.stderr)
    if is_kept:
        _keep()
    return 1 if missing else 0


def _keep() -> None:
    kept = {section.table for section in SECTIONS if section.is_kept} | {"suite"}
    found = figures.merged(figures.kept(), figures.noted(), collected())
    found = [figure for figure in found if figure.table in kept]
    figures.keep(found)
    found = [figure for figure in found if figure.suite == own_suite()]
    never = sorted(set(collected("-m", "long")) - {figure.test for figure in found})
    DOCUMENT.write_text(document(found, never), "utf-8")
    platforms_document.PATH.write_text(platforms_document.platforms_document(), "utf-8")


def collected(*arguments: str) -> list[str]:
    """The ids of all tests, or of those chosen, below `tests/`."""
    argv = [sys.executable, "-m", "pytest", "--collect-only", "--quiet", "--long", *arguments]
    said = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [line.removeprefix("tests/") for line in said.splitlines() if "::" in line]


def document(found: Sequence[Figure], never: Sequence[str]) -> str:
    """The whole text: the totals to read, the tables to look things up in.

    Args:
        found: what is kept.
        never: the tests of the full matrix that it has nothing of.
    """
    tables = _tables(found)
    kept = [section for section in SECTIONS if section.is_kept]
    totals = [f"- **{total}" for total in (_total(section, tables, "**") for section in kept)]
    open_ = [f"- **Never run**, or not since its name was changed: `{test}`." for test in never]
    chapters = [_chapter(section, tables[section.table]) for section in kept if section.table in tables]
    return "\n".join([_OPENING, *totals, *open_, "", *chapters])


def _tables(found: Sequence[Figure]) -> dict[str, list[Figure]]:
    tables: dict[str, list[Figure]] = {}
    for figure in found:
        tables.setdefault(figure.table, []).append(figure)
    return tables


def _total(section: Section, tables: Mapping[str, Sequence[Figure]], after_title: str = "") -> str:
    of = tables.get(section.table, [])
    commits = f" ({', '.join(sorted({figure.commit for figure in of}))})" if of else ""
    total = section.total([figure.row for figure in of]) if of else "no figures"
    return f"{section.title}:{after_title} {total}" + (f"{commits}." if after_title else "")


def _chapter(section: Section, found: Sequence[Figure]) -> str:
    return f"## {section.title}\n\n{section.says}\n\n{_table(section.shown(found))}\n"


def _table(rows: Sequence[Row]) -> str:
    """A Markdown table with the columns of the first row; same rows once, in a steady order."""
    columns = list(rows[0])
    lines = sorted({" | ".join(_cell(row[column]) for column in columns) for row in rows})
    head = [" | ".join(column.replace("_", " ") for column in columns), " | ".join("---" for _ in columns)]
    return "\n".join(f"| {line} |" for line in [*head, *lines])


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
