# SPDX-License-Identifier: GPL-3.0-or-later
"""The account of a campaign as one page for people, which opens without a network and prints. No file, no clock."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from piquet import outlook
from piquet.campaign.model import Campaign
from piquet.pages.dates import zone_label
from piquet.printable import in_one_line
from piquet.report.account import Picture
from piquet.report.decided import decided_lines
from piquet.report.words import ReportWords, report_words
from piquet.servers.environment import render

_SAME_COMMAND_S = 600.0
Rows = Sequence[Sequence[str]]


@dataclass(frozen=True)
class AccountTable:
    """Rows under their titles."""

    titles: Sequence[str]
    rows: Rows


@dataclass(frozen=True)
class AccountPicture:
    """A picture that the page carries in itself."""

    alt: str
    data: str


@dataclass(frozen=True)
class AccountPart:
    """A heading, with sentences, then a table if there is one, lists of names, and pictures."""

    title: str
    lines: Sequence[str] = ()
    table: AccountTable | None = None
    after: Sequence[str] = ()
    pictures: Sequence[AccountPicture] = ()


@dataclass(frozen=True)
class _Reading:
    """One document in one language."""

    campaign: Campaign
    document: Mapping[str, Any]
    words: ReportWords

    def at(self, instant: str | None) -> str:
        """An instant of the document in the campaign's zone, to the tenth of a second where it has one."""
        if instant is None:
            return self.words.say("seen_unknown")
        local = datetime.fromisoformat(instant).astimezone(ZoneInfo(self.campaign.timezone))
        tenth = f".{local.microsecond // 100_000}" if local.microsecond else ""
        return f"{local:%Y-%m-%d %H:%M:%S}{tenth}"

    def known(self, prefix: str, word: str) -> str:
        """A word of ours in this language; one that we have none for stands as it is."""
        key = f"{prefix}_{word}"
        return self.words.say(key) if key in self.words.texts else in_one_line(word)

    def table(self, titles: str, rows: Rows) -> AccountTable | None:
        """A table, None without rows.

        Args:
            titles: keys of its columns, with spaces between.
            rows: as many cells as titles.
        """
        heads = [self.words.say(f"column_{title}") for title in titles.split()]
        return AccountTable(heads, rows) if rows else None


def account_page(
    campaign: Campaign, document: Mapping[str, Any], pictures: Sequence[Picture], languages: Sequence[str]
) -> str:
    """HTML, each language in an article of its own.

    Args:
        campaign: that the document is about.
        document: what `account` made.
        pictures: those in a language of the page are shown.
        languages: of `HANDED_IN`.
    """
    articles = []
    for language in languages:
        reading = _Reading(campaign, document, report_words(language))
        about = {
            "at": reading.words.instant(campaign, datetime.fromisoformat(document["made_at"])),
            "zone": zone_label(campaign, reading.words.pages),
        }
        articles.append(
            {
                "language": language,
                "title": reading.words.say("account_title", campaign=campaign.name),
                "about": reading.words.say("account_about", **about),
                "parts": [*_parts(reading), *_pictures(reading, pictures)],
            }
        )
    return render("report/account.html.j2", articles=articles)


def _parts(reading: _Reading) -> Iterator[AccountPart]:
    yield _decision(reading)
    yield _story(reading)
    yield _gaps(reading)
    yield _coverage(reading)
    yield _looks(reading)
    yield _stops(reading)
    yield _certificate(reading)
    yield _commands(reading)
    if others := _others_part(reading):
        yield others


def _decision(reading: _Reading) -> AccountPart:
    words, coverage = reading.words, reading.document["coverage"]
    lines = list(decided_lines(reading.campaign, words))
    for phase in reading.campaign.phases:
        alone = replace(reading.campaign, phases=(phase,))  # its own hours, whatever touches it
        told = {"mode": reading.known("mode", phase.mode), "window": words.window(alone, phase)}
        lines.append(words.say("decision_window", number=phase.number, **told))
    if coverage["is_of_armed_plans"]:
        lines.append(words.say("armed_digests", digests=", ".join(coverage["plan_digests"])))
    else:
        lines.append(words.say("armed_none"))
    return AccountPart(words.say("decision_title"), lines)


def _story(reading: _Reading) -> AccountPart:
    phases = {phase["number"]: phase for phase in reading.document["phases"]}
    rows = [
        (
            in_one_line(host["host"]),
            f"{seen['number']} {reading.known('mode', phases[seen['number']]['mode'])}",
            reading.at(phases[seen["number"]]["start"]),
            _seen_in_words(reading, seen["start"], phases[seen["number"]]["start"]),
            reading.at(phases[seen["number"]]["end"]),
            _seen_in_words(reading, seen["end"], phases[seen["number"]]["end"]),
        )
        for host in reading.document["hosts"]
        for seen in host["phases"]
    ]
    table = reading.table("host phase start started end ended", rows)
    return AccountPart(reading.words.say("story_title"), [reading.words.say("story_about")], table)


def _seen_in_words(reading: _Reading, seen: Mapping[str, Any], due: str) -> str:
    word = str(seen["word"]).replace("-", "_")
    if word != "confirmed":
        return reading.words.say(f"seen_{word}", at=reading.at(seen["at"]))
    if seen["is_release"]:
        return reading.words.say("seen_released", at=reading.at(seen["at"]))
    after_s = (datetime.fromisoformat(seen["at"]) - datetime.fromisoformat(due)).total_seconds()
    return reading.words.say("seen_at", at=reading.at(seen["at"]), after=f"{after_s:+.1f}")


def _gaps(reading: _Reading) -> AccountPart:
    """Hosts of which something is not known, and why."""
    words, hosts = reading.words, reading.document["hosts"]
    due_at = min(outlook.all_back_at(reading.campaign), datetime.fromisoformat(reading.document["made_at"]))
    never = [host["host"] for host in hosts if host["heard_at"] is None]
    early: dict[str, list[str]] = {}
    for host in hosts:
        if host["heard_at"] and datetime.fromisoformat(host["heard_at"]) < due_at:
            early.setdefault(reading.at(host["heard_at"]), []).append(host["host"])
    torn = [host["host"] for host in hosts if host["heard_at"] and not host["journal_is_whole"]]
    lines = [words.say("gap_never", hosts=", ".join(never))] if never else []
    lines += [words.say("gap_asked", at=at, hosts=", ".join(names)) for at, names in sorted(early.items())]
    lines += [words.say("gap_lines", hosts=", ".join(torn))] if torn else []
    return AccountPart(words.say("gap_title"), lines or [words.say("gap_none" if hosts else "gap_nothing")])


def _coverage(reading: _Reading) -> AccountPart:
    words, coverage = reading.words, reading.document["coverage"]
    lines = [] if coverage["is_of_armed_plans"] else [words.say("coverage_planned")]
    if coverage["unsurveyed_hosts"] and not coverage["is_of_armed_plans"]:
        lines.append(words.say("when_unasked", hosts=", ".join(coverage["unsurveyed_hosts"])))
    if coverage["unknown_hosts"]:
        lines.append(words.say("coverage_unknown", hosts=", ".join(coverage["unknown_hosts"])))
    rows = [(str(p["number"]), reading.known("mode", p["mode"]), str(p["sites"])) for p in coverage["phases"]]
    named = [
        words.say(
            "sites_of_phases",
            phases=", ".join(map(str, group["phases"])) or words.say("phases_none"),
            sites=", ".join(group["sites"]),
        )
        for group in coverage["shown"]
    ]
    named += [
        words.say("sites_usual", reason=reading.known("usual", reason), sites=", ".join(names))
        for reason, names in coverage["as_usual"].items()
    ]
    return AccountPart(words.say("coverage_title"), lines, reading.table("phase mode number", rows), named)


def _looks(reading: _Reading) -> AccountPart:
    rows = [
        (
            reading.at(_instant(look)),
            "; ".join(
                f"{part.get('phase') or reading.words.say('phases_none')}: {part.get('showing')}/{part.get('asked')}"
                for part in look.get("parts") or ()
            ),
            f"{look.get('errors')}, {look.get('warnings')}",
            str(look.get("not_asked")),
        )
        for look in reading.document["looks"]
    ]
    lines = [] if rows else [reading.words.say("looks_none")]
    return AccountPart(
        reading.words.say("looks_title"), lines, reading.table("when showing errors unasked", rows)
    )


def _stops(reading: _Reading) -> AccountPart:
    words = reading.words
    found = sorted(
        (stop["at"], host["host"], stop) for host in reading.document["hosts"] for stop in host["stops"]
    )
    rows = [
        (
            reading.at(at),
            in_one_line(host),
            in_one_line(", ".join(stop["sites"])) or words.say("everything"),
            reading.known("how", stop["by"]),
            reading.known("by", stop["role"]),
        )
        for at, host, stop in found
    ]
    lines = [] if rows else [words.say("stops_none")]
    withdrawn = [f"{one['site']} ({one['at']})" for one in reading.document["withdrawals"]]
    lines.append(
        words.say("withdrawals_of", sites=", ".join(withdrawn))
        if withdrawn
        else words.say("withdrawals_none")
    )
    return AccountPart(words.say("stops_title"), lines, reading.table("when host what how by", rows))


def _certificate(reading: _Reading) -> AccountPart:
    words, made = reading.words, reading.document["certificate"]
    if made is None:
        return AccountPart(words.say("certificate_title"), [words.say("certificate_none")])
    when = {"at": reading.at(made["at"]), "baseline": reading.at(made["baseline_at"])}
    lines = [
        words.say("certificate_clean" if made["clean"] else "certificate_not_clean"),
        words.say("certificate_when", **when),
        words.say("certificate_not_asked", number=len(made["not_asked"]), missing=made["missing"]),
    ]
    counts = [(reading.known("verdict", verdict), str(n)) for verdict, n in made["counts"].items() if n]
    worse = [
        f"{row['host']}, {row['name']} ({row['address']}:{row['port']}): {reading.known('verdict', row['verdict'])}"
        for row in made["rows"]
        if row["verdict"] not in ("identical", "stable")
    ]
    table = reading.table("answer number", counts)
    return AccountPart(words.say("certificate_title"), lines, table, [in_one_line(line) for line in worse])


def _commands(reading: _Reading) -> AccountPart:
    rows = [tuple(map(in_one_line, row)) for row in _grouped_commands(reading)]
    lines = [] if rows else [reading.words.say("commands_none")]
    table = reading.table("when command result hosts digest", rows)
    return AccountPart(reading.words.say("commands_title"), lines, table)


def _grouped_commands(reading: _Reading) -> Iterator[tuple[str, ...]]:
    """One row for what was done on several hosts in one go."""

    def alike(record: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple(str(record.get(key) or "") for key in ("verb", "result", "plan_digest", "site"))

    ordered = sorted(reading.document["commands"], key=lambda record: float(record["at"]))
    for (verb, result, digest, site), records in groupby(ordered, alike):
        for run in _runs(records):
            hosts = ", ".join(sorted({str(record.get("host") or "") for record in run}))
            yield reading.at(_instant(run[0])), verb, result, hosts, f"{digest[:12]} {site}".strip()


def _runs(records: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """Those that follow each other at once; a host that comes again begins another run."""
    run: list[Mapping[str, Any]] = []
    for record in records:
        is_apart = run and float(record["at"]) - float(run[-1]["at"]) > _SAME_COMMAND_S
        if is_apart or any(record.get("host") == other.get("host") for other in run):
            yield run
            run = []
        run.append(record)
    if run:
        yield run


def _others_part(reading: _Reading) -> AccountPart | None:
    found = sorted(
        (float(record["at"]), host["host"], str(record.get("event")), str(record.get("verb")))
        for host in reading.document["hosts"]
        for record in host["others"]
    )
    rows = [
        (reading.at(_instant({"at": at})), *map(in_one_line, (host, event, verb)))
        for at, host, event, verb in found
    ]
    table = reading.table("when host what command", rows)
    return AccountPart(reading.words.say("others_title"), table=table) if table else None


def _pictures(reading: _Reading, pictures: Iterable[Picture]) -> Iterator[AccountPart]:
    modes = {phase.number: phase.mode for phase in reading.campaign.phases}
    shown = [
        AccountPicture(
            reading.words.say(
                "pictures_alt",
                phase=picture.phase,
                mode=reading.known("mode", modes.get(picture.phase, "")),
                language=picture.language,
                device=reading.known("device", picture.device),
            ),
            base64.b64encode(picture.png).decode("ascii"),
        )
        for picture in pictures
        if picture.language == reading.words.language
    ]
    if shown:
        about = [reading.words.say("pictures_about")]
        yield AccountPart(reading.words.say("pictures_title"), about, pictures=shown)


def _instant(record: Mapping[str, Any]) -> str:
    return datetime.fromtimestamp(float(record["at"]), ZoneInfo("UTC")).isoformat()
