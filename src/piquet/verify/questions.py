# SPDX-License-Identifier: GPL-3.0-or-later
"""What to ask a site so that every row of the table of answers is seen at least once.

The addresses and doors come from `piquet.answers`; what is right comes from `expectations`. No file, no
network, no clock.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import replace
from functools import cache

from piquet.answers import (
    BUILT_IN_DOORS,
    BYPASS_COOKIE,
    BYPASS_PREFIX,
    STYLE_ASSETS,
    USUAL_QUERY,
    at_host,
    usual_cookie_name,
)
from piquet.campaign.model import Campaign
from piquet.protocol.http import ABOUT_PATH, ASSET_PREFIX
from piquet.verify.baseline import Key
from piquet.verify.observation import ACCEPT_HTML, UNKNOWN_SITE, Inquiry, Question, Target

DEEP_PATH = "/piquet-verify/deep/path.html?page=2"
CLIMBING = tuple(f"{BUILT_IN_DOORS[0]}{up}/piquet-verify" for up in ("..", "%2e%2e"))
"""Out of a door: no door. Some firewalls refuse them at all times, which only a baseline can tell."""
FRONT = Question("GET", "/", (ACCEPT_HTML,))


def jobs(
    targets: Iterable[Target], campaign: Campaign, secret: str | None, in_window: bool
) -> tuple[Inquiry, ...]:
    """Every target with its questions.

    Args:
        targets: whom to ask.
        campaign: its languages and doors decide what is worth asking.
        secret: the bypass secret, None where the campaign has none.
        in_window: a phase is in force, so the selected sites are asked the strike's questions too.
    """
    more = (*strike_questions(campaign, secret), *occupied_questions(campaign))

    @cache
    def usual(health_paths: tuple[str, ...]) -> tuple[Question, ...]:
        return usual_questions(at_host(campaign, health_paths), secret)

    def asked(target: Target) -> tuple[Question, ...]:
        if target.site == UNKNOWN_SITE:
            return (FRONT,)
        return (*usual(target.health_paths), *(more if in_window and target.phases else ()))

    return tuple(Inquiry(target, asked(target)) for target in targets)


def asking_for_lines(jobs: Iterable[Inquiry], places: Container[Key]) -> tuple[Inquiry, ...]:
    """The same jobs, asking for the body's lines at the places whose body changes by itself."""
    return tuple(
        Inquiry(
            job.target, tuple(replace(q, keep_lines=Key.of(job.target, q) in places) for q in job.questions)
        )
        for job in jobs
    )


def usual_questions(campaign: Campaign, secret: str | None) -> tuple[Question, ...]:
    """Harmless GETs that any site can be asked at any time; also what a baseline remembers.

    Our own addresses are among them: before the start and after the end they belong to the site. So are paths that
    climb out of a door, and the front page with the bypass cookie, which an application may echo: inside the window it
    must answer alike.
    """
    doors = (path + "piquet-verify" if path.endswith("/") else path for path in BUILT_IN_DOORS)
    styles = (ASSET_PREFIX + STYLE_ASSETS[phase.mode] for phase in campaign.phases)
    own = (ABOUT_PATH, ASSET_PREFIX, ASSET_PREFIX + "x", *styles)
    occupied = (path for phase in campaign.phases for path in phase.paths if path != "/")
    paths = dict.fromkeys((DEEP_PATH, *own, *doors, *CLIMBING, *campaign.doors.paths, *occupied))
    cookie = [Question("GET", "/", (ACCEPT_HTML, ("cookie", f"{BYPASS_COOKIE}={secret}")))] if secret else []
    return (FRONT, *(Question("GET", path, (ACCEPT_HTML,)) for path in paths), *cookie)


def occupied_questions(campaign: Campaign) -> tuple[Question, ...]:
    """What is asked besides of a site whose paths are occupied: each with a query, and the way to the usual page."""
    paths = dict.fromkeys(path for phase in campaign.phases for path in phase.paths)
    links = [Question("GET", f"{path}?{USUAL_QUERY}", (ACCEPT_HTML,)) for path in paths]
    cookies = [
        Question(
            "GET", phase.paths[0], (ACCEPT_HTML, ("cookie", f"{usual_cookie_name(campaign, phase)}=usual"))
        )
        for phase in campaign.phases
        if phase.paths
    ]
    asked = [Question("GET", f"{path}?x=1", (ACCEPT_HTML,)) for path in paths]
    return tuple(dict.fromkeys((*asked, *links, *cookies)))


def strike_questions(campaign: Campaign, secret: str | None) -> tuple[Question, ...]:
    """What only a site on strike is asked: methods, JSON, languages, the bypass."""
    found = [
        Question("HEAD", "/", (ACCEPT_HTML,)),
        Question("GET", "/", (("accept", "application/json"),)),
        Question("POST", "/", (ACCEPT_HTML,), is_late=True),
    ]
    found += [Question("GET", "/", (ACCEPT_HTML, ("accept-language", code))) for code in campaign.languages]
    if secret:
        found.append(Question("GET", BYPASS_PREFIX + secret, (ACCEPT_HTML,)))
    return tuple(found)
