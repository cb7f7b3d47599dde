# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx's banner as values: who carries it, its text in pieces that nginx can read, and in front of what it stands.

Source: nginx 1.22 `NGX_CONF_BUFFER`: a word of the configuration is shorter than 4096 bytes, escapes counted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from piquet import answers, banner, outlook
from piquet.plan import HostPlan
from piquet.protocol.http import TARGETED
from piquet.servers.nginx.facts import NginxFacts
from piquet.servers.view import CampaignView, shares

PIECE_BYTES = 2000
"""Of a piece; each of them may need a backslash."""
LEADS = {
    "a": r"\n",
    "b": r"\r",
    "c": r"\n\t",
    "d": r"\n ",
    "e": r"\n  ",
    "f": r"\n    ",
    "g": "</head>",
}
"""Letter of a needle → what stands in front of the body tag, as nginx's configuration writes it.

`sub_filter` knows no scripts. A string or an expression in a script goes over no line's end, so that a body tag that
begins a line is none of theirs; else it must come right behind the head. Other pages carry no banner by this variant.
"""
MARKED = f"<aside {banner.BANNER_MARK}="
"""How a banner begins. Where one stands in a page already, another site of the fleet behind this one has put it in."""


_LIFETIME = r".*(?:s-maxage|max-age)=\"?0*[1-9]"
_LATER = r"(?!.*max-age=)[^;]*;(?!(?:0|-1|Thu, 01 Jan 1970.*)?$)"
_KEPT = rf"^(?!.*no-store)(?:(?!.*no-cache(?!=))|{_LIFETIME}|{_LATER})"
"""Cache-Control and Expires, with a semicolon between, of an answer that some cache could keep.

A `no-cache` with names is about these headers alone. Source: RFC 9111, 5.2.2.4.
"""
OPEN = "o"
"""What stands behind the number of a phase where a site shows banners only, so that it gets the other wording."""


def banner_values(view: CampaignView, host: HostPlan, server: NginxFacts) -> dict[str, Any]:
    """Values of the banner on a server, for the template."""
    kinds = "|".join(answers.EMBEDDING)
    wordings = _wordings(view, host)
    texts = {f"{key} ": _pieces(text) for key, text in wordings.items()}
    count = max((len(pieces) for pieces in texts.values()), default=0)
    return {
        "wordings": wordings,
        "open": OPEN if any(OPEN in key for key in wordings) else "",
        "embedded": f"^(?:{kinds}) (?!same-origin$).",
        "carrier": r"^[0-9]+ 200 (?:identity)? text/html *(?:;|$)",
        "piece_numbers": range(count),
        "pieces": [_row(texts, number) for number in range(count)],
        "kept": _KEPT,
        "targets": TARGETED,
        "targeted": "".join("$sent_http_" + name.lower().replace("-", "_") for name in TARGETED),
        "expires": "http expires" not in server.own,
        "anchor": banner.ANCHOR,
        "marked": MARKED,
        "moment": momentary_type(view.secret),
        "needles": list(LEADS.items()),
    }


def _wordings(view: CampaignView, host: HostPlan) -> dict[str, str]:
    """Phase and language, as nginx has them in one word with a space between → banner; only what some site shows."""
    struck = {outlook.takes_part(view.campaign, phases) for phases in shares(host, "nginx")}
    found: dict[str, str] = {}
    for phase in view.of_mode("banner"):
        if True in struck:
            found |= {f"{phase.number} {language}": text for language, text in phase.banners.items()}
        if False in struck:
            found |= {f"{phase.number}{OPEN} {language}": text for language, text in phase.messages.items()}
    return found


def momentary_type(secret: str | None) -> str:
    """The Content-Type by which headers-more knows for a moment what it has to clear; "" if there is no secret.

    Whoever could send it would learn whether a strike is staged. It is made of the secret, and tells nothing of it.
    """
    return "piquet/" + hashlib.sha256(f"piquet whole {secret}".encode()).hexdigest()[:32] if secret else ""


def _row(texts: Mapping[str, list[str]], number: int) -> list[tuple[str, str]]:
    return [(key, pieces[number]) for key, pieces in texts.items() if number < len(pieces)]


def _pieces(text: str) -> list[str]:
    return [text[start : start + PIECE_BYTES] for start in range(0, len(text), PIECE_BYTES)]
