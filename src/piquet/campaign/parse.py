# SPDX-License-Identifier: GPL-3.0-or-later
"""Text of a campaign file → Campaign, or every reason why not.

Takes text, gives a value: no file, no network, no clock. The schema judges the form; here is judged what a
schema cannot say (zones, clocks, names). A part that the schema refused is not judged a second time.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from piquet.campaign import names, windows
from piquet.campaign.consent import read_consent
from piquet.campaign.document import Document, Path, read_document, shown
from piquet.campaign.model import (
    Campaign,
    ConsentAnswer,
    Doors,
    Emergency,
    Limits,
    Mandate,
    Phase,
    Role,
    Selection,
    Theme,
)
from piquet.campaign.names import Refusal
from piquet.campaign.reader import Reader
from piquet.campaign.schema import campaign_schema
from piquet.errors import CampaignError, Problem

MAX_TOLD = 200
"""Problems of one campaign that are told; nobody reads more at once."""


def parse_campaign(text: str, file: str, consent_text: str | None = None) -> Campaign:
    """Read a campaign file.

    Args:
        text: YAML 1.2.
        file: its name, for messages.
        consent_text: the CSV that the file names under `sites.consent`, if it was found.

    Raises:
        CampaignError: with every problem of both texts at once.
    """
    campaign, problems = parse_and_judge(read_document(text, file), consent_text)
    if campaign is None:
        raise not_usable(file, problems)
    return campaign


def not_usable(file: str, problems: Iterable[Problem]) -> CampaignError:
    """The error that carries all problems of a campaign."""
    found = sorted(problems)
    count = "1 problem" if len(found) == 1 else f"{len(found)} problems"
    rest = len(found) - MAX_TOLD
    more = [Problem(file, 0, 0, f"{rest} more are not told", hint="mend these first")] if rest > 0 else []
    return CampaignError(f"{file} cannot be used as it is: {count}", [*found[:MAX_TOLD], *more])


def parse_and_judge(document: Document, consent_text: str | None) -> tuple[Campaign | None, list[Problem]]:
    """The campaign, or None and the problems."""
    problems = list(document.problems)
    if document.data is None and problems:
        return None, problems
    if document.data is None:
        return None, [
            Problem(document.file, 0, 0, "the file is empty", "a campaign", hint="`piquet init` writes one")
        ]
    reader = _CampaignReader(document, campaign_schema())
    campaign = reader.campaign(consent_text)
    problems += reader.problems
    return (None if problems else campaign), problems


class _CampaignReader(Reader):
    """Reads the one document that a campaign is."""

    def campaign(self, consent_text: str | None) -> Campaign | None:
        """All parts; None where the form does not allow to go on."""
        data = self.document.data
        if not isinstance(data, dict):
            return None
        tz = self.word(("timezone",), windows.zone)
        phases = self._phases(tz or ZoneInfo("UTC"))
        self.word(("contact",), names.contact)
        self.word(("theme",), relative_file)
        parts = (
            self._selection(consent_text),
            self._doors(),
            self._limits(),
            self._mandate(),
            self._emergency(),
        )
        if self.problems:
            return None
        languages, theme = tuple(data["languages"]), Theme(data.get("theme", Theme().name))
        return Campaign(
            data["campaign"], data["timezone"], languages, data["contact"], tuple(phases), *parts, theme,
            revision=data.get("revision", 1),
        )  # fmt: skip

    def _phases(self, tz: ZoneInfo) -> list[Phase]:
        count = len(self.get(("phases",), ()))
        found = [phase for index in range(count) if (phase := self._phase(("phases", index), tz))]
        for first, second in windows.overlaps(found):
            self.note(
                ("phases", second.number - 1, "start"),
                f"this phase begins before phase {first.number} has ended",
                f"{_local_text(first.end_at, tz)} or later",
                _local_text(second.start_at, tz),
                f"phases come one after the other: let it begin later, or phase {first.number} end earlier",
            )
        return found

    def _phase(self, path: Path, tz: ZoneInfo) -> Phase | None:
        item = self.get(path)
        if not isinstance(item, dict):
            return None
        for key in ("page", "message"):
            self.word((*path, key), relative_file)
        self.word((*path, "more"), names.page_link)
        paths = self.words((*path, "paths"), names.occupied_path)
        start_at = self.word((*path, "start"), windows.instant, tz)
        end_at = self._end(path, start_at, tz)
        if start_at is None or end_at is None or not self.sound((*path, "mode")):
            return None
        number = int(path[-1]) + 1
        return Phase(
            number,
            item["mode"],
            start_at,
            end_at,
            item.get("page"),
            paths,
            item.get("style"),
            item.get("message"),
            item.get("more", ""),
        )

    def _end(self, path: Path, start_at: datetime | None, tz: ZoneInfo) -> datetime | None:
        if ("end" in self.get(path)) == ("duration" in self.get(path)):
            self.note(path, "a phase needs either `end` or `duration`", "one of the two")
            return None
        length = self.word((*path, "duration"), windows.duration)
        end_at = self.word((*path, "end"), windows.instant, tz)
        if start_at and end_at and end_at <= start_at:
            expected, got = f"after {_local_text(start_at, tz)}", _local_text(end_at, tz)
            hint = "look at both dates; `duration: 24h` in place of `end` cannot go wrong like this"
            self.note((*path, "end"), "the end is not after the start", expected, got, hint)
            return None
        if start_at and length:
            if length > timedelta(days=3660):
                self.note((*path, "duration"), "this is too long", "at most ten years", f"{length.days} days")
                return None
            return start_at + length
        return end_at

    def _selection(self, consent_text: str | None) -> Selection:
        include = self.words(("sites", "include"), names.site_pattern)
        exclude = self.words(("sites", "exclude"), names.site_pattern)
        places = {("exclude", name): place for name, place in self._places(("sites", "exclude"))}
        consent = self._consent(consent_text, places)
        confirmed = self.words(("sites", "confirmed"), names.site_pattern)
        if self.sound(("sites", "consent")) is bool(consent):  # else the list's own problems come first
            self._check_confirmed({*exclude, *consent})
        return Selection(include, exclude, consent, confirmed, places=places)

    def _places(self, path: Path) -> Iterator[tuple[str, str]]:
        """Each word of a list as it is meant, and where it stands; those refused are left out."""
        for index, text in enumerate(self.get(path, ())):
            if isinstance(text, str) and self.sound((*path, index)):
                line, column = self.document.places[(*path, index)]
                yield text.lower(), f"{self.document.file}:{line}:{column}"

    def _check_confirmed(self, told: set[str]) -> None:
        """A confirmation is of a name as it is written elsewhere: a misspelt one would confirm nothing."""
        for index, text in enumerate(self.get(("sites", "confirmed"), ())):
            if isinstance(text, str) and text.lower() not in told:
                close = difflib.get_close_matches(text.lower(), sorted(told), 1)
                hint = f"did you mean {close[0]}?" if close else "take it out"
                message = "this name stands neither in `exclude` nor in the consent list"
                self.note(
                    ("sites", "confirmed", index), message, "a name as it stands there", shown(text), hint
                )

    def _consent(
        self, consent_text: str | None, places: dict[tuple[str, str], str]
    ) -> dict[str, ConsentAnswer]:
        """The answers; `places` is told where each stands."""
        path = ("sites", "consent")
        file = self.word(path, relative_file)
        if file is None:
            return {}
        if consent_text is None:
            self.note(
                path, "there is no such consent list", hint=f"make {file}, with a first line `site,answer`"
            )
            return {}
        read = read_consent(consent_text, file)
        self.problems += read.problems
        for name, (line, column) in read.places.items():
            places["consent", name] = f"{file}:{line}:{column}"
        return read.answers

    def _doors(self) -> Doors:
        paths = self.words(("open", "paths"), names.door_path)
        networks = self.words(("open", "networks"), names.network)
        return Doors(
            tuple(sorted(set(paths))), tuple(sorted(set(networks))), bool(self.get(("open", "bypass")))
        )

    def _limits(self) -> Limits:
        max_block = self.word(("limits", "max_block"), windows.duration) or timedelta(hours=24)
        share = self.get(("limits", "max_share"), "100%")
        return Limits(max_block, int(share.removesuffix("%")))

    def _emergency(self) -> Emergency | None:
        found = self.get(("emergency",))
        if isinstance(found, str):
            return Emergency(self.word(("emergency",), names.urgent) or "")
        if not isinstance(found, Mapping):
            return None
        languages = [tag for tag in self.get(("languages",), ()) if isinstance(tag, str)]
        for tag in sorted(set(found) - set(languages)):
            self.note(
                ("emergency", tag), "this is none of the campaign's languages", ", ".join(languages), tag
            )
        for tag in languages:
            if tag not in found:
                self.note(
                    ("emergency",), f"there is no text in {tag}", "a text in each language, or one address"
                )
        return Emergency(texts=dict(found))

    def _mandate(self) -> Mandate | None:
        data = self.get(("mandate",))
        if not isinstance(data, dict):
            return None
        self.word(("mandate", "decided_on"), _day)
        self.word(("mandate", "record"), names.contact)
        roles = self.get(("mandate", "roles"), {})
        for name in roles:
            self.word(("mandate", "roles", name, "signers"), relative_file)
        if any(path[:1] == ("mandate",) for path in self.refused):
            return None
        made = (Role(name, role["threshold"], role["signers"]) for name, role in sorted(roles.items()))
        votes = dict(data.get("votes", {}))
        return Mandate(data["decision"], data["decided_on"], votes, data.get("record", ""), tuple(made))


def relative_file(text: str) -> str:
    """A relative file name that stays below the campaign's folder.

    Raises:
        Refusal: if it does not.
    """
    if any(part in ("", ".", "..") or part.startswith(".") for part in text.split("/")):
        raise Refusal(
            "this leaves the campaign's folder, or is hidden", "a file or folder beside the campaign"
        )
    return text


def _day(text: str) -> str:
    try:
        date.fromisoformat(text)
    except ValueError as err:
        raise Refusal(f"there is no such day: {err}", "a date such as 2026-12-12") from err
    return text


def _local_text(at: datetime, tz: ZoneInfo) -> str:
    return at.astimezone(tz).strftime("%Y-%m-%dT%H:%M:%S")
