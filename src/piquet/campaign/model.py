# SPDX-License-Identifier: GPL-3.0-or-later
"""What a campaign is, as values.

Nothing here is checked: `parse_campaign` is the one way in, and whatever it returns keeps the promises
written below. No file, no network, no clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

Mode = Literal["block", "occupy", "banner"]
ConsentAnswer = Literal["in", "out", "message"]
BUILT_IN_THEMES = ("poster", "letter")
"""Folders of `templates/page/themes/`; the first one is the default, and lends others what they leave out."""


@dataclass(frozen=True)
class Phase:
    """One window and what is shown in it.

    Attributes:
        number: 1-based, in the order of the file.
        mode: what visitors get.
        start_at: first instant of the window, aware, UTC, whole seconds.
        end_at: first instant after the window, aware, UTC, whole seconds.
        page: folder of the pages, relative to the campaign file, or None (banner).
        paths: the paths that are occupied; empty for the other modes.
        style: `bar` or `modal` for a banner, else None.
        message: folder of the banner's texts, relative to the campaign file, or None.
        more: where a banner's last link leads, https or a path on the site, or "".
    """

    number: int
    mode: Mode
    start_at: datetime
    end_at: datetime
    page: str | None = None
    paths: tuple[str, ...] = ()
    style: str | None = None
    message: str | None = None
    more: str = ""


@dataclass(frozen=True)
class Doors:
    """What stays open, besides the built-in doors.

    Attributes:
        paths: path prefixes as a client sends them, sorted; each starts with `/`, none is `/`.
        networks: canonical CIDR of either family, sorted.
        bypass: whether the holder of the secret cookie is let through.
    """

    paths: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    bypass: bool = False


@dataclass(frozen=True)
class Selection:
    """Which sites are meant.

    Attributes:
        include: patterns, each a site name, `*`, or `*.suffix`.
        exclude: patterns of the same form; whatever they match is never touched.
        consent: pattern → answer; empty means that nobody had to be asked.
        confirmed: names of `exclude` and of the consent list that are meant as they are written, though no host
            serves them.
        withdrawn: sites that took their consent back after the vote; no part of the decision, and never touched.
        places: (`exclude` or `consent`, pattern) → `file:line:column`, for messages; it is no part of the meaning.
    """

    include: tuple[str, ...]
    exclude: tuple[str, ...]
    consent: Mapping[str, ConsentAnswer]
    confirmed: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()
    places: Mapping[tuple[str, str], str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Limits:
    """What a plan may not go beyond.

    Attributes:
        max_block: the longest window of a block phase, elapsed time.
        max_share_percent: of all names that the fleet serves, 1 to 100.
    """

    max_block: timedelta
    max_share_percent: int


@dataclass(frozen=True)
class Role:
    """A group of people whose signatures count together (recorded, not checked yet).

    Attributes:
        name: of the role.
        threshold: how many signatures are needed.
        signers: file of the allowed signers, relative to the campaign file.
    """

    name: str
    threshold: int
    signers: str


@dataclass(frozen=True)
class Mandate:
    """The decision that the campaign rests on: a record.

    Attributes:
        decision: who decided.
        decided_on: ISO date.
        votes: figures by `for`, `against`, `abstain`; may be empty.
        record: address of the minutes, or "".
        roles: sorted by name.
    """

    decision: str
    decided_on: str
    votes: Mapping[str, int]
    record: str
    roles: tuple[Role, ...]


@dataclass(frozen=True)
class Emergency:
    """How people reach content that cannot wait, if the organisers give a way.

    Attributes:
        address: https, mailto or tel address, or "".
        texts: language → CommonMark, for every language of the campaign, or empty.
    """

    address: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Theme:
    """How pages and banners look.

    Attributes:
        name: one of `BUILT_IN_THEMES`, or a folder relative to the campaign file.
        files: name → bytes of what lies in that folder; empty for a built-in theme.
        words: language → key → text, in the place of our own words; from its `words.yml`.
    """

    name: str = BUILT_IN_THEMES[0]
    files: Mapping[str, bytes] = field(default_factory=dict)
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Campaign:
    """A whole campaign.

    Attributes:
        name: `[a-z0-9-]{3,48}`.
        timezone: IANA name; only for showing times, the phases hold UTC.
        languages: first = default.
        contact: http, https or mailto address.
        phases: in the order of the file.
        sites: which ones.
        doors: what stays open.
        limits: what a plan may not go beyond.
        mandate: the record of the decision, if there is one.
        emergency: the way to content that cannot wait, if there is one.
        theme: how pages and banners look.
        illustrated: numbers of the phases whose texts carry pictures, in any language.
        revision: which version of the decision this is; a renewal has the next one.
    """

    name: str
    timezone: str
    languages: tuple[str, ...]
    contact: str
    phases: tuple[Phase, ...]
    sites: Selection
    doors: Doors
    limits: Limits
    mandate: Mandate | None = None
    emergency: Emergency | None = None
    theme: Theme = field(default_factory=Theme)
    illustrated: frozenset[int] = frozenset()
    revision: int = 1
