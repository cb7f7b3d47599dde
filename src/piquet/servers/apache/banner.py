# SPDX-License-Identifier: GPL-3.0-or-later
"""The banner on Apache: mod_substitute puts it into pages, line by line, in front of `<body`. Text in, text out.

mod_substitute knows neither "once" nor what stood in the lines before. So the pattern is a strict one: in front of
`<body` its line holds nothing but whole tags, comments, scripts and the like, or the rest of a script that ends there.
A `<body` in the middle of a script's line, which is how scripts write pages, never matches. What can still match
besides the page's own is a line of a script, a comment or a text area over several lines that begins like a page's.

Not by mod_lua's output filter: it drops flushes, and the sign by which a broken answer of an upstream is told from a
whole one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from piquet import outlook
from piquet.servers.apache.conditions import IS_PAGE, WANTS_PAGE, Conditions, speaks
from piquet.servers.quoting import apache_substitution
from piquet.servers.view import PhaseView

_RAW = "script|style|title|textarea|template|noscript"
_COMMENT = r"<!--(?:(?!-->).)*+-->"
_ELEMENT = rf"<({_RAW})\b(?:(?!</\2[\s>]).)*+</\2\s*+>"
_TAG = r"""<(?!body[\s/>])[a-z/!?](?:[^<>"']++|"[^"]*+"|'[^']*+')*+>"""
PATTERN = rf"^((?:.*?</script\s*+>)?(?:\s++|{_COMMENT}|{_ELEMENT}|{_TAG})*+)(<body)(?=[\s/>])"
"""The beginning of a line up to its `<body`, in two groups around the place of the banner, without regard to case."""

_MEANT = frozenset("`$\\")
"""What means something in a substitution; a fragment has it as text only, where a reference is the same."""

_ACCEPTS_CODED = "-n req_novary('Accept-Encoding')"
_IS_ASKED_PLAIN = "req_novary('Accept-Encoding') =~ m#^(?:identity)?$#i && -z reqenv('force-gzip')"
"""Else mod_deflate or another may pack the page behind us, and the headers could not tell it from one that came so."""
_ENCODED_FILE = r"%{REQUEST_FILENAME} =~ m#\.(?:gz|tgz|z|br|zst)(?:\.[^/]*)?$#i"
"""A file that mod_mime calls packed by its name: it says so behind all filters only."""
_IS_WHOLE = f"{IS_PAGE} && -z req_novary('Range') && {_IS_ASKED_PLAIN}"
_READABLE = f"resp('Content-Encoding') =~ m#^(?:identity)?$#i && ! ({_ENCODED_FILE})"
"""Not unpacked: an answer may be packed in several members, of which mod_deflate reads the first and drops the rest."""
_STATUS = f"%{{REQUEST_STATUS}} -eq 200 && {_READABLE}"


def values(
    conditions: Conditions, *, has_own_clock: bool, has_own_note: bool, headers_first: bool
) -> dict[str, Any]:
    """Names for the template.

    Args:
        conditions: of the host.
        has_own_clock: whether the request header with the time is not there already.
        has_own_note: whether the note with the time is not.
        headers_first: whether the header is taken off before mod_dir makes its sub-request, so that a variable of the
            environment must say it there.
    """
    return {
        "banners": [_banner(conditions, phase, headers_first) for phase in conditions.view.of_mode("banner")],
        "needs_variable": headers_first,
        "has_own_clock": has_own_clock,
        "has_own_note": has_own_note,
        "is_whole_page": _IS_WHOLE,
        "wants_page": WANTS_PAGE,
        "is_readable": _READABLE,
        "accepts_coded": _ACCEPTS_CODED,
    }


def _banner(conditions: Conditions, phase: PhaseView, headers_first: bool) -> dict[str, Any]:
    by_variable = f"reqenv('piquet-banner') == '{phase.number}'"
    return {
        "number": phase.number,
        "asked": by_variable if headers_first else conditions.banner(phase, "header"),
        "filtered": conditions.banner(phase, "note"),
        "carries": f"{_STATUS} && {_IS_WHOLE}",
        "wordings": _wordings(conditions, phase),
    }


def _wordings(conditions: Conditions, phase: PhaseView) -> list[Mapping[str, Any]]:
    """Sections for sites that are struck and for those that stay open, where the host has both."""
    campaign = conditions.view.campaign
    struck = {outlook.takes_part(campaign, entry.phases) for entry in conditions.entries}
    texts = {True: phase.banners, False: phase.messages}
    if len(struck) < len(texts):
        return [{"section": "", "parts": _parts(conditions, texts[is_struck])} for is_struck in struck]
    numbers = [strike.number for strike in outlook.strikes(campaign)]
    return [
        {
            "section": "If",
            "condition": conditions.is_struck(numbers),
            "parts": _parts(conditions, texts[True]),
        },
        {"section": "Else", "condition": "", "parts": _parts(conditions, texts[False])},
    ]


def _parts(conditions: Conditions, texts: Mapping[str, str]) -> list[Mapping[str, str]]:
    """A section for each language, only one of which is ever open; the first language has all the rest."""
    first, *others = conditions.view.campaign.languages
    found = [
        {
            "section": "If" if place == 0 else "ElseIf",
            "condition": speaks(conditions.view, language),
            "substitution": substitution(texts[language]),
        }
        for place, language in enumerate(others)
    ]
    last = {"section": "Else" if others else "If", "condition": "" if others else "true"}
    return [*found, {**last, "substitution": substitution(texts[first])}]


def substitution(fragment: str) -> str:
    """The argument of `Substitute` that puts a fragment into a page."""
    safe = "".join(f"&#{ord(char)};" if char in _MEANT else char for char in fragment)
    return apache_substitution(PATTERN, f"$1{safe}$3", "i")
