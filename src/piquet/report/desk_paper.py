# SPDX-License-Identifier: GPL-3.0-or-later
"""The paper for the desk: when, on how many sites, how to end it, what to say, and what happens by itself.

For whoever sits by the telephone and has never seen piquet. No file, no network, no clock.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from piquet import outlook
from piquet.campaign.model import Campaign, Phase
from piquet.controller.commands import by_command
from piquet.fleet.sites import count_sites
from piquet.plan import Plan
from piquet.printable import in_one_line
from piquet.protocol.findings import errors
from piquet.protocol.places import END_IT_NOW
from piquet.report.decided import decided_lines
from piquet.report.ssh_line import ending_line
from piquet.report.words import ReportWords, whole_phases
from piquet.servers.environment import render

_WIDTH = 80


@dataclass(frozen=True)
class PaperLine:
    """One thing to read, and what to type, if anything; a command stands alone on its line."""

    text: str
    command: str = ""


@dataclass(frozen=True)
class PaperPart:
    """A heading and what stands below."""

    title: str
    lines: tuple[PaperLine, ...]


@dataclass(frozen=True)
class DeskPaper:
    """A paper in one language.

    Attributes:
        language: its tag.
        title: one line.
        about: what it was made of, and when.
        parts: in the order of the page.
    """

    language: str
    title: str
    about: str
    parts: tuple[PaperPart, ...]


@dataclass(frozen=True)
class DeskFacts:
    """What a paper is made of.

    Attributes:
        plan: who shows what.
        hosts: inventory name → host variables.
        unasked: hosts that were never surveyed, so that nobody knows their sites.
        inventory: as it was given with `-i`.
        engine: that was chosen.
        printed_at: aware; when the plan was looked at.
    """

    plan: Plan
    hosts: Mapping[str, Mapping[str, Any]]
    unasked: Sequence[str]
    inventory: str
    engine: str
    printed_at: datetime

    @property
    def campaign(self) -> Campaign:
        """What was decided."""
        return self.plan.campaign

    @property
    def meant(self) -> list[str]:
        """Hosts that show something, or may."""
        return sorted({host.host for host in self.plan.hosts if host.entries} | set(self.unasked))

    def typed(self, command: str) -> str:
        """A command of ours as one types it."""
        return by_command(command, self.inventory, self.engine)


def desk_paper(facts: DeskFacts, words: ReportWords) -> DeskPaper:
    """The paper in one language."""
    campaign = facts.campaign
    return DeskPaper(
        words.language,
        words.say("desk_title", campaign=campaign.name),
        words.say("desk_about", at=words.instant(campaign, facts.printed_at)),
        (
            PaperPart(words.say("when_title"), tuple(_when_lines(facts, words))),
            PaperPart(words.say("end_title"), tuple(_end(facts, words))),
            PaperPart(words.say("phone_title"), tuple(_phone(campaign, words))),
            PaperPart(words.say("nobody_title"), tuple(_nobody_lines(facts, words))),
        ),
    )


def paper_text(paper: DeskPaper) -> str:
    """For a terminal or a plain printer; commands are never broken, so that they can be copied as they stand."""
    lines = [paper.title, "=" * len(paper.title), "", *textwrap.wrap(paper.about, _WIDTH)]
    for part in paper.parts:
        lines += ["", part.title, "-" * len(part.title)]
        for line in part.lines:
            lines += textwrap.wrap(line.text, _WIDTH, break_long_words=False, break_on_hyphens=False)
            lines += [f"    {line.command}"] if line.command else []
    return "\n".join(lines).replace("\u00a0", " ") + "\n"


def paper_html(papers: Sequence[DeskPaper]) -> str:
    """Papers in several languages as one document, each on pages of its own; it asks for nothing else."""
    return render("report/paper.html.j2", papers=papers)


def _when_lines(facts: DeskFacts, words: ReportWords) -> Iterator[PaperLine]:
    for phase in whole_phases(facts.campaign):
        sites = _sites(facts, _alike_numbers(facts.campaign, phase), words)
        told = {
            "window": words.window(facts.campaign, phase),
            "sites": sites,
            "paths": ", ".join(phase.paths),
        }
        yield PaperLine(words.say(f"when_{phase.mode}", **told))
    sites = _sites(facts, {phase.number for phase in facts.campaign.phases}, words)
    yield PaperLine(words.say("when_total", sites=sites, hosts=words.count("hosts", len(facts.meant))))
    if facts.unasked:
        yield PaperLine(words.say("when_unasked", hosts=", ".join(facts.unasked)))
    if elsewhere := len(facts.hosts) - len(facts.meant):
        yield PaperLine(words.say("when_elsewhere", hosts=words.count("hosts", elsewhere)))
    if errors(facts.plan.findings):
        yield PaperLine(words.say("when_doubtful"), facts.typed("piquet plan -i INVENTORY"))
    doors = facts.campaign.doors
    opened = [words.say("when_doors_own"), *doors.paths, *doors.networks]
    yield PaperLine(words.say("when_doors", doors=", ".join(opened)))


def _end(facts: DeskFacts, words: ReportWords) -> Iterator[PaperLine]:
    yield PaperLine(words.say("end_whole"), facts.typed("piquet rollback -i INVENTORY"))
    yield PaperLine(words.say("end_site"), facts.typed("piquet stop SITE -i INVENTORY"))
    lines = {host: ending_line(host, facts.hosts.get(host, {})) for host in facts.meant}
    if any(lines.values()):
        yield PaperLine(words.say("end_ssh"))
    for host, line in lines.items():
        text = in_one_line(host) if line else words.say("end_otherwise", host=host)
        yield PaperLine(text, line)
    yield PaperLine(words.say("end_root"), END_IT_NOW)
    yield PaperLine(words.say("end_final"))


def _phone(campaign: Campaign, words: ReportWords) -> Iterator[PaperLine]:
    yield PaperLine(words.say("phone_strike" if outlook.strikes(campaign) else "phone_banner"))
    yield PaperLine(words.say("phone_end", end=words.instant(campaign, outlook.all_back_at(campaign))))
    yield PaperLine(words.say("phone_data"))
    yield PaperLine(words.say("phone_contact", contact=campaign.contact))
    if campaign.emergency and campaign.emergency.address:
        yield PaperLine(words.say("phone_emergency", address=campaign.emergency.address))
    for line in decided_lines(campaign, words):
        yield PaperLine(line)
    yield PaperLine(words.say("phone_back"))


def _nobody_lines(facts: DeskFacts, words: ReportWords) -> Iterator[PaperLine]:
    yield PaperLine(words.say("nobody_armed"))
    end = words.instant(facts.campaign, outlook.all_back_at(facts.campaign))
    yield PaperLine(words.say("nobody_end", end=end))
    yield PaperLine(words.say("nobody_unarmed"), facts.typed("piquet status -i INVENTORY"))


def _alike_numbers(campaign: Campaign, whole: Phase) -> set[int]:
    """The phases that a window with whole hours is made of."""
    return {
        phase.number
        for phase in campaign.phases
        if phase.mode == whole.mode
        and set(phase.paths) == set(whole.paths)
        and whole.start_at <= phase.start_at < whole.end_at
    }


def _sites(facts: DeskFacts, numbers: Set[int], words: ReportWords) -> str:
    """How many sites show one of these phases; while hosts were not asked, no more than is known."""
    number = count_sites(
        entry.name for host in facts.plan.hosts for entry in host.entries if numbers & set(entry.phases)
    )
    if not facts.unasked:
        return words.count("sites", number)
    return words.say("sites_least" if number > 1 else "sites_unknown", number=number)
