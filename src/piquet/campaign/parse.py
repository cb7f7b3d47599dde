# SPDX-License-Identifier: GPL-3.0-or-later
"""Text of a campaign file → Campaign, or every reason why not.

Takes text, gives a value: no file, no network, no clock. The schema judges the form; here is judged what a
schema cannot say (zones, clocks, names). A part that the schema refused is not judged a second time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from piquet.campaign import names, windows
from piquet.campaign.consent import read_consent
from piquet.campaign.document import Document, Path, read_document, shown
from piquet.campaign.model import Answer, Campaign, Doors, Limits, Mandate, Phase, Role, Selection
from piquet.campaign.names import Refusal
from piquet.campaign.schema import schema_problems
from piquet.errors import CampaignError, Problem

T = TypeVar("T")


def parse_campaign(text: str, file: str, consent_text: str | None = None) -> Campaign:
    """Read a campaign file.

    Args:
        text: YAML 1.2.
        file: its name, for messages.
        consent_text: the CSV that the file names under `sites.consent`, if it was found.

    Raises:
        CampaignError: with every problem of both texts at once.
    """
    campaign, problems = judge(read_document(text, file), consent_text)
    if campaign is None:
        raise not_usable(file, problems)
    return campaign


def not_usable(file: str, problems: Iterable[Problem]) -> CampaignError:
    """The error that carries all problems of a campaign."""
    found = tuple(problems)
    count = "1 problem" if len(found) == 1 else f"{len(found)} problems"
    return CampaignError(f"{file} cannot be used as it is: {count}", found)


def judge(document: Document, consent_text: str | None) -> tuple[Campaign | None, list[Problem]]:
    """The campaign, or None and the problems."""
    problems = list(document.problems)
    if document.data is None and problems:
        return None, problems
    if document.data is None:
        return None, [
            Problem(document.file, 0, 0, "the file is empty", "a campaign", hint="`piquet init` writes one")
        ]
    reader = _Reader(document)
    campaign = reader.campaign(consent_text)
    problems += reader.problems
    return (None if problems else campaign), problems


class _Reader:
    """Turns the data of one document into values and collects what it cannot turn."""

    def __init__(self, document: Document) -> None:
        found = list(schema_problems(document))
        self.document = document
        self.problems = [problem for _, problem in found]
        self._refused = {path for path, _ in found}

    def campaign(self, consent_text: str | None) -> Campaign | None:
        """All parts; None where the form does not allow to go on."""
        data = self.document.data
        if not isinstance(data, dict):
            return None
        tz = self._word(("timezone",), windows.zone)
        phases = self._phases(tz or ZoneInfo("UTC"))
        self._word(("contact",), names.contact)
        parts = (self._selection(consent_text), self._doors(), self._limits(), self._mandate())
        if self.problems:
            return None
        languages = tuple(data["languages"])
        return Campaign(
            data["campaign"], data["timezone"], languages, data["contact"], tuple(phases), *parts
        )  # fmt: skip

    def _sound(self, path: Path) -> bool:
        """Whether there is a value at `path` that the schema has nothing against, itself included."""
        value: Any = self.document.data
        for depth, part in enumerate(path):
            if path[: depth + 1] in self._refused or not isinstance(value, dict | list):
                return False
            if isinstance(value, dict) and part not in value:
                return False
            value = value[part]  # type: ignore[index]
        return path not in self._refused and () not in self._refused

    def _get(self, path: Path, default: Any = None) -> Any:
        if not self._sound(path):
            return default
        value = self.document.data
        for part in path:
            value = value[part]
        return value

    def _word(self, path: Path, check: Callable[..., T], *more: Any) -> T | None:
        """Check one word; None if it is missing or was refused."""
        text = self._get(path)
        if not isinstance(text, str):
            return None
        try:
            return check(text, *more)
        except Refusal as err:
            self._note(path, err.message, err.expected, shown(text), err.hint)
            return None

    def _words(self, path: Path, check: Callable[[str], str]) -> tuple[str, ...]:
        """Check each word of a list; those refused are left out."""
        found = [self._word((*path, index), check) for index in range(len(self._get(path, ())))]
        return tuple(word for word in found if word is not None)

    def _note(self, path: Path, message: str, expected: str = "", got: str = "", hint: str = "") -> None:
        self.problems.append(self.document.problem(path, message, expected=expected, got=got, hint=hint))

    def _phases(self, tz: ZoneInfo) -> list[Phase]:
        count = len(self._get(("phases",), ()))
        found = [phase for index in range(count) if (phase := self._phase(("phases", index), tz))]
        for first, second in windows.overlaps(found):
            self._note(
                ("phases", second.number - 1, "start"),
                f"this phase begins before phase {first.number} has ended",
                f"{_local(first.end_at, tz)} or later",
                _local(second.start_at, tz),
            )
        return found

    def _phase(self, path: Path, tz: ZoneInfo) -> Phase | None:
        item = self._get(path)
        if not isinstance(item, dict):
            return None
        for key in ("page", "message"):
            self._word((*path, key), _inside)
        paths = self._words((*path, "paths"), names.occupied_path)
        start_at = self._word((*path, "start"), windows.instant, tz)
        end_at = self._end(path, start_at, tz)
        if start_at is None or end_at is None or not self._sound((*path, "mode")):
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
        )

    def _end(self, path: Path, start_at: datetime | None, tz: ZoneInfo) -> datetime | None:
        if ("end" in self._get(path)) == ("duration" in self._get(path)):
            self._note(path, "a phase needs either `end` or `duration`", "one of the two")
            return None
        length = self._word((*path, "duration"), windows.duration)
        end_at = self._word((*path, "end"), windows.instant, tz)
        if start_at and end_at and end_at <= start_at:
            expected, got = f"after {_local(start_at, tz)}", _local(end_at, tz)
            hint = "look at both dates; `duration: 24h` in place of `end` cannot go wrong like this"
            self._note((*path, "end"), "the end is not after the start", expected, got, hint)
            return None
        if start_at and length:
            if length > timedelta(days=3660):
                self._note(
                    (*path, "duration"), "this is too long", "at most ten years", f"{length.days} days"
                )
                return None
            return start_at + length
        return end_at

    def _selection(self, consent_text: str | None) -> Selection:
        include = self._words(("sites", "include"), names.site_pattern)
        exclude = self._words(("sites", "exclude"), names.site_pattern)
        return Selection(include, exclude, self._consent(consent_text))

    def _consent(self, consent_text: str | None) -> dict[str, Answer]:
        path = ("sites", "consent")
        file = self._word(path, _inside)
        if file is None:
            return {}
        if consent_text is None:
            self._note(
                path, "there is no such consent list", hint=f"make {file}, with a first line `site,answer`"
            )
            return {}
        found, problems = read_consent(consent_text, file)
        self.problems += problems
        return found

    def _doors(self) -> Doors:
        paths = self._words(("open", "paths"), names.door_path)
        networks = self._words(("open", "networks"), names.network)
        return Doors(
            tuple(sorted(set(paths))), tuple(sorted(set(networks))), bool(self._get(("open", "bypass")))
        )

    def _limits(self) -> Limits:
        max_block = self._word(("limits", "max_block"), windows.duration) or timedelta(hours=24)
        share = self._get(("limits", "max_share"), "100%")
        return Limits(max_block, int(share.removesuffix("%")))

    def _mandate(self) -> Mandate | None:
        data = self._get(("mandate",))
        if not isinstance(data, dict):
            return None
        self._word(("mandate", "decided_on"), _day)
        self._word(("mandate", "record"), names.contact)
        roles = self._get(("mandate", "roles"), {})
        for name in roles:
            self._word(("mandate", "roles", name, "signers"), _inside)
        if any(path[:1] == ("mandate",) for path in self._refused):
            return None
        made = (Role(name, role["threshold"], role["signers"]) for name, role in sorted(roles.items()))
        votes = dict(data.get("votes", {}))
        return Mandate(data["decision"], data["decided_on"], votes, data.get("record", ""), tuple(made))


def _inside(text: str) -> str:
    """A relative file name that stays below the campaign's folder."""
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


def _local(at: datetime, tz: ZoneInfo) -> str:
    return at.astimezone(tz).strftime("%Y-%m-%dT%H:%M:%S")
