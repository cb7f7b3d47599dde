# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages for people who are to decide: what there is to see, and each view as phone and desktop side by side."""

from __future__ import annotations

from http import HTTPStatus

from piquet import answers, resources
from piquet.answers import SiteRequest
from piquet.campaign.windows import duration_text, local_text
from piquet.preview import sample
from piquet.preview.rendered_campaign import SECRET, Show
from piquet.preview.sample import SampleReply
from piquet.preview.view import HOME, PREVIEW_MOMENTS, View
from piquet.protocol.http import SIGN_HEADER
from piquet.servers.environment import render

WIDTHS: dict[str, tuple[int, int]] = {"phone": (390, 844), "desktop": (1280, 800)}
"""Name → width and height of a window, CSS pixels."""

_PAGES = {"front page": "/", "article": "/article"}
_TOLD = ("Retry-After", "Cache-Control", "X-Robots-Tag", "Content-Language", SIGN_HEADER)


def index_page(show: Show, port: int, request: SiteRequest, visit: int = 0) -> SampleReply:
    """A page of the index.

    Args:
        show: what can be seen.
        port: that the views are served on.
        request: to the index.
        visit: a number of its own, so that each look is that of somebody who comes for the first time.
    """
    path = request.target.partition("?")[0]
    if request.method not in ("GET", "HEAD"):
        return _page(405, port, b"Only GET and HEAD.\n", "text/plain; charset=utf-8")
    if path == "/preview.css":
        style = (resources.templates() / "preview" / "preview.css").read_bytes()
        return _page(200, port, style, "text/css; charset=utf-8")
    if path == "/":
        return _page(200, port, _overview(show).encode())
    label, _, place = path.removeprefix("/view/").partition("/")
    view = show.views.get(label) if path.startswith("/view/") else None
    if view is None or f"/{place}" not in sample.PATHS:
        return _page(404, port, b"There is no such view.\n", "text/plain; charset=utf-8")
    return _page(200, port, _side_by_side(show, port, view, f"/{place}", visit).encode())


def _page(status: int, port: int, body: bytes, kind: str = "text/html; charset=utf-8") -> SampleReply:
    policy = f"default-src 'none'; style-src 'self'; frame-src http://*.{HOME}:{port}; base-uri 'none'; "
    policy += "form-action 'none'; frame-ancestors 'none'"
    headers = {
        "Content-Type": kind,
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return SampleReply(status, headers, body)


def _overview(show: Show) -> str:
    campaign = show.loaded.campaign
    phases = [
        {
            "number": phase.number,
            "mode": phase.mode,
            "paths": phase.paths,
            "style": phase.style,
            "start": local_text(phase.start_at, campaign.timezone),
            "end": local_text(phase.end_at, campaign.timezone),
            "length": duration_text(phase.end_at - phase.start_at),
            "views": [(language, View("during", phase, language).label) for language in campaign.languages],
        }
        for phase in campaign.phases
    ]
    sites = campaign.sites
    by_answer = {
        said: sorted(n for n, given in sites.consent.items() if given == said and n not in sites.exclude)
        for said in ("in", "message", "out")
    }
    groups = (
        ("Agreed", by_answer["in"]),
        ("As usual but for messages, as was agreed", by_answer["message"]),
        ("As usual, did not agree", by_answer["out"]),
        ("As usual, excluded", sites.exclude),
    )
    return render(
        "preview/index.html.j2",
        campaign=campaign,
        phases=phases,
        sites=sites,
        groups=[(title, names) for title, names in groups if names],
        is_silence_no=bool(sites.consent) and "*" not in sites.consent,
    )


def _side_by_side(show: Show, port: int, view: View, path: str, visit: int) -> str:
    campaign = show.loaded.campaign
    sites = {name: f"http://{view.host(f'{name}{visit}')}:{port}" for name in (*WIDTHS, "tester")}
    return render(
        "preview/view.html.j2",
        campaign=campaign,
        view=view,
        in_force=view.in_force(campaign),
        path=path,
        sites=sites,
        widths=WIDTHS,
        phases=[(phase, View("during", phase, view.language).label) for phase in campaign.phases],
        moments=[(moment, View(moment, view.phase, view.language).label) for moment in PREVIEW_MOMENTS],
        languages=[(name, View(view.moment, view.phase, name).label) for name in campaign.languages],
        pages=_PAGES,
        told=_reply_lines(show, view, path),
        bypass=f"{sites['tester']}{answers.BYPASS_PREFIX}{SECRET}" if campaign.doors.bypass else "",
    )


def _reply_lines(show: Show, view: View, path: str) -> list[str]:
    """What the server answers, as lines that a sysadmin knows."""
    got = show.reply(view, SiteRequest("GET", path, view.host(), {"accept": "text/html"}))
    lines = [f"{got.status} {HTTPStatus(got.status).phrase}"]
    return lines + [f"{name}: {got.headers[name]}" for name in _TOLD if name in got.headers]
