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

from piquet.render.apache_conditions import IS_PAGE, WANTS_PAGE, Conditions, speaks
from piquet.render.quoting import apache_substitution
from piquet.render.view import PhaseView

_RAW = "script|style|title|textarea|template|noscript"
_COMMENT = r"<!--(?:(?!-->).)*+-->"
_ELEMENT = rf"<({_RAW})\b(?:(?!</\2[\s>]).)*+</\2\s*+>"
_TAG = r"""<(?!body[\s/>])[a-z/!?](?:[^<>"']++|"[^"]*+"|'[^']*+')*+>"""
PATTERN = rf"^((?:.*?</script\s*+>)?(?:\s++|{_COMMENT}|{_ELEMENT}|{_TAG})*+)(<body)(?=[\s/>])"
"""The beginning of a line up to its `<body`, in two groups around the place of the banner, without regard to case."""

_MEANT = frozenset("`$\\")
"""What means something in a substitution; a fragment has it as text only, where a reference is the same."""

_IS_WHOLE = f"{IS_PAGE} && -z req_novary('Range')"
_HAS_CONTENT = "%{REQUEST_METHOD} != 'HEAD' && resp('Content-Length') != '0'"
_ACCEPTS_MORE = r"req_novary('Accept-Encoding') =~ m#(?:^|[, ])(?:br|zstd|dcb|dcz|\*)(?:[,; ]|$)#i"
"""Codings that no filter here can read."""
_ACCEPTS_GZIP = r"req_novary('Accept-Encoding') =~ m#(?:^|[, ])gzip *(?:,|$|; *q=(?!0(?:\.0*)? *(?:,|$)))#i"
_STATUS = "%{REQUEST_STATUS} -eq 200 && resp('Content-Encoding') =~ m#^(?:gzip)?$#i"


def values(
    conditions: Conditions, *, inflates: bool, has_own_clock: bool, has_own_note: bool, headers_first: bool
) -> dict[str, Any]:
    """Names for the template.

    Args:
        conditions: of the host.
        inflates: whether mod_deflate is there.
        has_own_clock: whether the request header with the time is not there already.
        has_own_note: whether the note with the time is not.
        headers_first: whether the header is taken off before mod_dir makes its sub-request, so that a variable of the
            environment must say it there.
    """
    return {
        "banners": [_banner(conditions, phase, headers_first) for phase in conditions.view.of_mode("banner")],
        "needs_variable": headers_first,
        "inflates": inflates,
        "has_own_clock": has_own_clock,
        "has_own_note": has_own_note,
        "is_whole_page": _IS_WHOLE,
        "has_content": _HAS_CONTENT,
        "wants_page": WANTS_PAGE,
        "accepts_more": _ACCEPTS_MORE,
        "accepts_gzip": _ACCEPTS_GZIP,
    }


def _banner(conditions: Conditions, phase: PhaseView, headers_first: bool) -> dict[str, Any]:
    by_variable = f"reqenv('piquet-banner') == '{phase.number}'"
    return {
        "number": phase.number,
        "asked": by_variable if headers_first else conditions.banner(phase, "header"),
        "filtered": conditions.banner(phase, "note"),
        "carries": f"{_STATUS} && {_IS_WHOLE}",
        "parts": list(_parts(conditions, phase)),
    }


def _parts(conditions: Conditions, phase: PhaseView) -> list[Mapping[str, str]]:
    """A section for each language, only one of which is ever open; the first language has all the rest."""
    first, *others = conditions.view.campaign.languages
    found = [
        {
            "section": "If" if place == 0 else "ElseIf",
            "condition": speaks(conditions.view, language),
            "substitution": substitution(phase.banners[language]),
        }
        for place, language in enumerate(others)
    ]
    last = {"section": "Else" if others else "If", "condition": "" if others else "true"}
    return [*found, {**last, "substitution": substitution(phase.banners[first])}]


def substitution(fragment: str) -> str:
    """The argument of `Substitute` that puts a fragment into a page."""
    safe = "".join(f"&#{ord(char)};" if char in _MEANT else char for char in fragment)
    return apache_substitution(PATTERN, f"$1{safe}$3", "i")
