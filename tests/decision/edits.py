# SPDX-License-Identifier: GPL-3.0-or-later
"""Campaigns made at random, edits of them, and what a visitor of a fixed fleet gets of each: all that is decided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from piquet import answers
from piquet.answers import SiteRequest
from piquet.campaign.model import (
    Campaign,
    Doors,
    Emergency,
    Limits,
    Mandate,
    Phase,
    Selection,
    Theme,
)
from piquet.campaign.windows import overlaps
from piquet.pages.rendered import campaign_files, fragments
from piquet.pages.source import PageSource, Pick
from piquet.plan.selection import Selector
from tests.unit.picture_files import png

PATTERNS = ("*", "a.test.org", "b.test.org", "*.test.org", "*.b.test.org", "c.b.test.org", "other.net")
FLEET = (
    "always.org",
    *PATTERNS[1:],
    "new.net",
    "d.b.test.org",
    "e.test.org",
    "localhost",
    "10.0.0.1",
    "test.org",
)
PATHS = ("/", "/une", "/api/x", "/a%20b")
DOORS = ("/api/", "/api", "/api/x", "/oai", "/robots.txt", "/.well-known/piquet/", "/une")
NETWORKS = (
    "192.0.2.0/24",
    "192.0.2.0/25",
    "192.0.2.128/25",
    "192.0.2.7/32",
    "2001:db8::/32",
    "2001:db8:1::/48",
)
START = datetime(2026, 12, 17, tzinfo=UTC)
SECRET = "0" * 32
WORDS = ("# Grève\n\nParce que.\n", "# Grève\n\nParce que !\n", "Pourquoi ?\n")


@dataclass(frozen=True)
class Asked:
    """A campaign and its texts."""

    campaign: Campaign
    pages: tuple[PageSource, ...]


def whole() -> Asked:
    """One of each mode in two languages, with a door, a network and a list: every site `always.org` is struck."""
    day = timedelta(days=1)
    phases = (
        Phase(1, "banner", START - day, START, None, (), "bar", "messages/avant", "https://example.org/"),
        Phase(2, "block", START, START + day, "pages/greve"),
        Phase(3, "occupy", START + 2 * day, START + 3 * day, "pages/une", ("/", "/une")),
    )
    consent: dict[str, Any] = {"*": "in", "b.test.org": "out", "*.b.test.org": "message"}
    campaign = Campaign(
        "greve", "Europe/Paris", ("fr", "en"), "https://example.org/greve", phases,
        Selection(("*",), ("other.net",), consent), Doors(("/api/",), ("192.0.2.0/24",)), Limits(day, 100),
    )  # fmt: skip
    pages = tuple(
        PageSource(number, tag, f"{number}/{tag}.md", "markdown", WORDS[0])
        for number in (1, 2, 3)
        for tag in ("fr", "en")
    )
    return Asked(campaign, pages)


def what_is_decided(asked: Asked) -> Any:
    """Every answer of the table in every window, on each site of the fleet, and every byte that is sent.

    The table is asked for each phase once; which phase a site is in, for each instant at which one begins or ends.
    """
    campaign, files = asked.campaign, campaign_files(asked.campaign, asked.pages)
    secret = SECRET if campaign.doors.bypass else None
    table = {
        phase.number: [
            answers.expect(campaign, phase, request, secret, answers.asset_names(files, phase.number))
            for request in _requests()
        ]
        for phase in campaign.phases
    }
    selector = Selector(campaign)
    hours = {name: [_window(campaign, number) for number in selector.phases(name)] for name in FLEET}
    banners = [fragments(campaign, asked.pages, is_open=is_open) for is_open in (False, True)]
    return table, hours, files, banners


def _window(campaign: Campaign, number: int) -> tuple[int, datetime, datetime]:
    phase = campaign.phases[number - 1]
    return number, phase.start_at, phase.end_at


def _requests() -> list[SiteRequest]:
    html = {"accept": "text/html"}
    targets = [*PATHS, *DOORS, "/api/x/y", "/apix", "/oai/z", "/?piquet=usual", "/une?piquet=usual", "/z"]
    targets += ["/.well-known/piquet.json", answers.BYPASS_PREFIX + SECRET]
    found = [SiteRequest("GET", target, "always.org", html) for target in targets]
    remotes = ("192.0.2.7", "192.0.2.8", "192.0.2.130", "192.0.3.1", "2001:db8::1", "2001:db8:1::1")
    found += [SiteRequest("GET", "/", "always.org", html, remote) for remote in remotes]
    for tag in ("fr", "en", "de", ""):
        found.append(SiteRequest("GET", "/", "always.org", {"accept-language": tag}))
    found.append(SiteRequest("POST", "/", "always.org", {"accept": "application/json"}))
    found.append(SiteRequest("GET", "/", "always.org", {"cookie": f"piquet_bypass={SECRET}"}))
    return found


Edit = Callable[[Asked], Asked]


def pairs_of_edits() -> st.SearchStrategy[tuple[Edit, Edit]]:
    """Two changes that an author of a campaign may make, mostly to the same part; many of them mean nothing."""
    kinds = (_sites(), _doors(), _phases(), _texts(), _themes(), _others())
    return st.one_of(
        *(st.tuples(kind, kind) for kind in kinds), st.tuples(st.one_of(*kinds), st.one_of(*kinds))
    )


def _of(campaign: Callable[[Campaign], Campaign]) -> Edit:
    return lambda asked: replace(asked, campaign=campaign(asked.campaign))


def _sites() -> st.SearchStrategy[Edit]:
    some = st.lists(st.sampled_from(PATTERNS), unique=True, max_size=4)
    said = st.dictionaries(st.sampled_from(PATTERNS), st.sampled_from(("in", "out", "message")), max_size=4)

    def changed(more: list[str], out: list[str], answers: dict[str, Any], confirmed: list[str]) -> Edit:
        def edit(campaign: Campaign) -> Campaign:
            old = campaign.sites
            excluded = [name for name in (*old.exclude, *out) if name != "*"]
            consent = {**old.consent, **answers, "always.org": "in"}
            return replace(
                campaign,
                sites=Selection(
                    ("always.org", *old.include, *more), tuple(excluded), consent, tuple(confirmed)
                ),
            )

        return _of(edit)

    return st.builds(changed, some, some, said, some)


def _doors() -> st.SearchStrategy[Edit]:
    some = st.lists(st.sampled_from((*DOORS, *NETWORKS)), unique=True, max_size=3)

    def changed(turned: list[str], bypass: bool) -> Edit:
        def edit(campaign: Campaign) -> Campaign:
            old = campaign.doors
            found = {*old.paths, *old.networks} ^ set(turned)
            paths, networks = (tuple(sorted(found & set(pool))) for pool in (DOORS, NETWORKS))
            return replace(campaign, doors=Doors(paths, networks, bypass))

        return _of(edit)

    return st.builds(changed, some, st.booleans())


def _phases() -> st.SearchStrategy[Edit]:
    seconds = st.sampled_from((0, 1, 60, 3600, -3600))

    def changed(
        number: int, start: int, end: int, paths: list[str], style: str, more: str, page: str
    ) -> Edit:
        def edit(campaign: Campaign) -> Campaign:
            found = list(campaign.phases)
            old = found[number]
            new = replace(
                old,
                start_at=old.start_at + timedelta(seconds=start),
                end_at=old.end_at + timedelta(seconds=end),
                paths=tuple(paths) if old.mode == "occupy" else (),
                style=style if old.mode == "banner" else None,
                more=more if old.mode == "banner" else "",
                page=page if old.page else None,
            )
            found[number] = new
            return campaign if list(overlaps(found)) else replace(campaign, phases=tuple(found))

        return _of(edit)

    return st.builds(
        changed,
        st.integers(0, 2),
        seconds,
        seconds,
        st.lists(st.sampled_from(PATHS), unique=True, min_size=1),
        st.sampled_from(("bar", "modal")),
        st.sampled_from(("", "https://example.org/", "/greve")),
        st.sampled_from(("pages/greve", "pages/autre")),
    )


def _texts() -> st.SearchStrategy[Edit]:
    def changed(at: int, words: str, file: str, side: int | None, picks: int) -> Edit:
        def edit(asked: Asked) -> Asked:
            found = list(asked.pages)
            old = found[at]
            shows = old.phase != 1 and side is not None
            found[at] = replace(
                old,
                text=words + ("\n![x](p.png)\n" if shows else ""),
                file=file,
                pictures={"p.png": png(side or 1, 1)} if shows else {},
                picks=(Pick("/a", "A"),) * picks if old.phase == 3 else (),
            )
            return replace(asked, pages=tuple(found))

        return edit

    return st.builds(
        changed, st.integers(0, 5), st.sampled_from(WORDS), st.sampled_from(("a.md", "b.md")),
        st.sampled_from((None, 1, 2)), st.integers(0, 1),
    )  # fmt: skip


def _themes() -> st.SearchStrategy[Edit]:
    """Some of them differ in their style sheet alone, which is an asset."""
    own = [
        Theme("themes/ours", {"strike.css": css.encode()}) for css in ("p {color: red}", "p {color: blue}")
    ]
    theme = st.sampled_from((Theme("poster"), Theme("letter"), *own))
    return theme.map(lambda value: _of(lambda campaign: replace(campaign, theme=value)))


def _others() -> st.SearchStrategy[Edit]:
    def swapped(campaign: Campaign) -> Campaign:
        return replace(campaign, languages=campaign.languages[::-1])

    contact = st.sampled_from(("https://example.org/greve", "mailto:greve@example.org"))
    emergency = st.sampled_from(
        (None, Emergency("tel:+33123456789"), Emergency(texts={"fr": "x", "en": "y"}))
    )
    mandate = st.sampled_from((None, Mandate("assembly", "2026-12-12", {"for": 29}, "", ())))
    return st.one_of(
        st.just(_of(swapped)),
        contact.map(lambda value: _of(lambda campaign: replace(campaign, contact=value))),
        emergency.map(lambda value: _of(lambda campaign: replace(campaign, emergency=value))),
        mandate.map(lambda value: _of(lambda campaign: replace(campaign, mandate=value))),
    )
