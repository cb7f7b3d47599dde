# SPDX-License-Identifier: GPL-3.0-or-later
"""The banner as one line that servers put into a page, and its script.

The line stands in the servers' configuration, so that nothing is read at request time: printable ASCII, without any
character that means something to nginx's or Apache's substitution; those are numeric character references.
"""

from __future__ import annotations

import re
from functools import cache

from markupsafe import Markup

from piquet import answers, resources
from piquet.banner import MARK
from piquet.campaign.model import Campaign, Phase
from piquet.campaign.pages import PageSource
from piquet.errors import BundleError, Problem
from piquet.render import spans, text
from piquet.render.harmless import faults
from piquet.render.theme import BANNER_STYLE
from piquet.render.words import Words, direction, words

SCRIPT = "banner.js"
MAX_BYTES = 6 * 1024
_SPACE = re.compile(r"[ \t\r\n\f]+")
"""A no-break space is none of these: it is part of the text."""
_SPECIAL = frozenset("$\\|%")
_HEAD = Markup('<link rel="stylesheet" href="{prefix}{style}"><script src="{prefix}{script}" defer></script>')
_FRAME = Markup(
    '<aside {mark}="{sign}" class="piquet-banner" data-style="{style}" data-close="{close}" lang="{language}" '
    'dir="{direction}" aria-label="{label}">{head}<div class="piquet-text"><p class="piquet-when"{foreign}>'
    "<strong>{strike}</strong>{window}</p>{body}{more}</div></aside>"
)
_WINDOW = Markup(" <span{own}>{window}</span>")
_MORE = Markup('<p class="piquet-more"{foreign}><a href="{address}" rel="noopener noreferrer">{text}</a></p>')


def fragment(campaign: Campaign, phase: Phase, source: PageSource) -> str:
    """The banner of a phase in one language: one line of printable ASCII, at most `MAX_BYTES` long.

    It is one element, style and script included, with its mark as first attribute: so `piquet.banner` finds it again.

    Where no style is loaded it is a block at the top of the page; where no script runs it is the same with style.

    Raises:
        BundleError: the text is too long for a line of configuration, or holds what no banner may.
    """
    spoken, strike = words(source.language, campaign.theme), announced(campaign, phase)
    html = _FRAME.format(
        mark=MARK,
        head=_head(),
        sign=answers.sign(campaign, phase),
        style=phase.style or "bar",
        close=spoken.texts["close"],
        language=source.language,
        direction=direction(source.language),
        label=spoken.texts["banner"],
        foreign=spoken.mark,
        strike=spoken.texts["banner_strike" if strike else "banner"],
        window=_window(campaign, strike, spoken) if strike else "",
        body=text.banner_html(source),
        more=_more(phase, spoken),
    )
    line = _written_out(str(html))
    _refuse(source, line)
    return line


def announced(campaign: Campaign, phase: Phase) -> Phase | None:
    """The strike that a banner speaks of: the next one, else the one that is on; itself where there is none at all.

    None behind the last one: a date over words of thanks would be read as that of the next.
    """
    others = [other for other in campaign.phases if other.mode != "banner"]
    later = [other for other in others if other.start_at >= phase.start_at]
    if later:
        return min(later, key=lambda other: other.start_at)
    last = max(others, key=lambda other: other.end_at, default=phase)
    return last if last.end_at > phase.start_at else None


def _refuse(source: PageSource, line: str) -> None:
    """Stop over what servers cannot carry, or visitors must not get."""
    if len(line) > MAX_BYTES:
        got = f"{len(line)} bytes where {MAX_BYTES} fit"
        raise BundleError(f"{source.file}: this message is too long for a banner: {got}")
    problems = [Problem(source.file, 0, 0, fault) for fault in faults(line, {answers.ASSET_PREFIX + SCRIPT})]
    if problems:
        raise BundleError("this banner cannot be shown", problems)


@cache
def script() -> bytes:
    """What makes a window of the modal style, and takes the banner out of foreign frames."""
    return (resources.templates() / "page" / SCRIPT).read_bytes()


def _head() -> Markup:
    return _HEAD.format(prefix=answers.ASSET_PREFIX, style=BANNER_STYLE, script=SCRIPT)


def _window(campaign: Campaign, strike: Phase, spoken: Words) -> Markup:
    return _WINDOW.format(own=_own_mark(spoken), window=spans.window(campaign, strike, spoken))


def _own_mark(spoken: Words) -> Markup:
    """The window is in the reader's language even where the words around it are not."""
    if not spoken.are_foreign:
        return Markup("")
    return Markup(' lang="{}" dir="{}"').format(spoken.wanted, direction(spoken.wanted))


def _more(phase: Phase, spoken: Words) -> Markup:
    if not phase.more:
        return Markup("")
    return _MORE.format(address=phase.more, text=spoken.texts["more"], foreign=spoken.mark)


def _written_out(html: str) -> str:
    """The same for a browser, in characters that mean themselves to every server."""
    line = _SPACE.sub(" ", html)
    return "".join(
        char if char.isascii() and char.isprintable() and char not in _SPECIAL else f"&#{ord(char)};"
        for char in line
    )
