# SPDX-License-Identifier: GPL-3.0-or-later
"""The banner as one line that servers put into a page, and its script.

The line stands in the servers' configuration, so that nothing is read at request time: printable ASCII, without any
character that means something to nginx's or Apache's substitution; those are numeric character references.
"""

from __future__ import annotations

import re
from functools import cache

from markupsafe import Markup

from piquet import answers, outlook, resources
from piquet.banner import BANNER_MARK, VEIL
from piquet.campaign.model import Campaign, Phase
from piquet.errors import BundleError, Problem
from piquet.pages import dates, text
from piquet.pages.html_allowlist import markup_faults
from piquet.pages.source import PageSource
from piquet.pages.theme import BANNER_STYLE
from piquet.pages.words import Words, direction, words_of
from piquet.protocol.http import ASSET_PREFIX

BANNER_SCRIPT = "banner.js"
BANNER_MAX_BYTES = 6656
_SPACE = re.compile(r"[ \t\r\n\f]+")
"""A no-break space is none of these: it is part of the text."""
_SPECIAL = frozenset("$\\|%")
_HEAD = Markup('<link rel="stylesheet" href="{prefix}{style}"><script src="{prefix}{script}" defer></script>')
_FRAME = Markup(  # noqa: S704 - constants of the package
    VEIL[0] + '<aside {mark}="{sign}" class="piquet-banner" hidden="until-found" data-style="{style}" '
    'data-close="{close}" lang="{language}" '
    'dir="{direction}" aria-label="{label}">{head}<div class="piquet-text"><p class="piquet-when"{foreign}>'
    "<strong>{strike}</strong>{window}{effect}</p>{body}{more}</div></aside>" + VEIL[1]
)
"""What hides it until our style sheet shows it, in a page that somebody has kept for good.

The veil is two `rp`, which no browser lays out and hardly any page has a rule for: `aside {display: block}` stands in
every other reset, and `[hidden]` at the outermost would be hidden for good where that is said with !important in a
cascade layer. The word at the banner itself is for readers of pages that know no style sheets; those who hide what is
`hidden` for good except what can be found let it through.

Source: HTML Standard, 15.3.1 "Hidden elements" and 6.1 "The hidden attribute"; CSS Cascade Level 5, 6.4.4.
"""
_WINDOW = Markup(" <span{own}>{window}</span>.")
_MORE = Markup('<p class="piquet-more"{foreign}><a href="{address}" rel="noopener noreferrer">{text}</a></p>')


def fragment(campaign: Campaign, phase: Phase, source: PageSource, *, is_open: bool = False) -> str:
    """The banner of a phase in one language: one line of printable ASCII, at most `MAX_BYTES` long.

    It is one element, style and script included, with its mark as first attribute: so `piquet.banner` finds it again.

    Where no style is loaded nothing is shown; where no script runs it is a block at the top of the page.

    Args:
        campaign: what was decided.
        phase: a banner's.
        source: the organisers' text.
        is_open: whether it is for sites that show banners only, so that nothing is ever blocked or occupied there.

    Raises:
        BundleError: the text is too long for a line of configuration, or holds what no banner may.
    """
    spoken, strike = words_of(source.language, campaign.theme), announced(campaign, phase)
    html = _FRAME.format(
        mark=BANNER_MARK,
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
        effect=_effect(strike, spoken, is_open) if strike else "",
        body=text.banner_html(source),
        more=_more_link(phase, spoken),
    )
    line = _written_out(str(html))
    _refuse(source, line)
    return line


def announced(campaign: Campaign, phase: Phase) -> Phase | None:
    """The strike that a banner speaks of: the next one, else the one that is on.

    None behind the last one: a date over words of thanks would be read as that of the next. None where nothing is
    blocked or occupied at all: the hours of a message are not those of a strike.
    """
    others = outlook.strikes(campaign)
    later = [other for other in others if other.start_at >= phase.start_at]
    if later:
        return later[0]
    last = max(others, key=lambda other: other.end_at, default=None)
    return last if last and last.end_at > phase.start_at else None


def _refuse(source: PageSource, line: str) -> None:
    """Stop over what servers cannot carry, or visitors must not get."""
    if len(line) > BANNER_MAX_BYTES:
        got = f"{len(line)} bytes where {BANNER_MAX_BYTES} fit"
        raise BundleError(f"{source.file}: this message is too long for a banner: {got}")
    problems = [
        Problem(source.file, 0, 0, fault) for fault in markup_faults(line, {ASSET_PREFIX + BANNER_SCRIPT})
    ]
    if problems:
        raise BundleError("this banner cannot be shown", problems)


@cache
def script() -> bytes:
    """What makes a window of the modal style, and takes the banner out of foreign frames."""
    return (resources.templates() / "page" / BANNER_SCRIPT).read_bytes()


def _head() -> Markup:
    return _HEAD.format(prefix=ASSET_PREFIX, style=BANNER_STYLE, script=BANNER_SCRIPT)


def _window(campaign: Campaign, strike: Phase, spoken: Words) -> Markup:
    return _WINDOW.format(own=_own_mark(spoken), window=dates.window_markup(campaign, strike, spoken))


def _effect(strike: Phase, spoken: Words, is_open: bool) -> Markup:
    """What the strike means for the very site whose page the banner stands in."""
    key = "effect_none" if is_open else f"effect_{strike.mode}"
    return Markup(" {}").format(spoken.sentence(key))


def _own_mark(spoken: Words) -> Markup:
    """The window is in the reader's language even where the words around it are not."""
    if not spoken.are_foreign:
        return Markup("")
    return Markup(' lang="{}" dir="{}"').format(spoken.wanted, direction(spoken.wanted))


def _more_link(phase: Phase, spoken: Words) -> Markup:
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
