# SPDX-License-Identifier: GPL-3.0-or-later
"""What no page or banner of ours may hold, whoever wrote its text and its theme: the last look before it is sent.

It is parsed as a browser parses it, and everything in it must be on a list: elements, their attributes, where links
lead, what is loaded from where. What is not on the list is refused, whether or not anybody knows a harm that it does;
so elements whose inside is read otherwise with scripts than without (`noscript`), or otherwise than as elements
(`template`, `textarea`, `svg`), never come to be judged by what they hold.

Source: HTML Standard, 13.2 "Parsing HTML documents"; URL Standard, 4.4 "URL parsing" (what is taken out of an address).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping

from selectolax.lexbor import LexborHTMLParser, LexborNode

from piquet.answers import ASSET_PREFIX
from piquet.campaign.document import shown

_SHOWN = 40
_DATA = "application/ld+json"
_PLAIN = (
    "html head body title header footer main nav section article aside search div p h1 h2 h3 h4 h5 h6 hgroup"
    " ul dl dt dd pre hr blockquote address figure figcaption details summary table caption thead tbody tfoot tr"
    " strong em b i u s small sub sup br wbr code kbd samp var abbr cite q mark dfn bdi bdo span ins del"
    " ruby rt rp"
)
_ELEMENTS: Mapping[str, frozenset[str]] = {
    **{name: frozenset() for name in _PLAIN.split()},
    "a": frozenset({"href", "hreflang", "rel", "type"}),
    "img": frozenset({"src", "alt", "width", "height", "loading", "decoding"}),
    "link": frozenset({"rel", "href", "hreflang", "type", "media", "sizes", "as", "crossorigin"}),
    "meta": frozenset({"charset", "name", "property", "content"}),
    "script": frozenset({"type"}),
    "time": frozenset({"datetime"}),
    "ol": frozenset({"start", "reversed", "type"}),
    "li": frozenset({"value"}),
    "col": frozenset({"span"}),
    "colgroup": frozenset({"span"}),
    "td": frozenset({"colspan", "rowspan", "headers"}),
    "th": frozenset({"colspan", "rowspan", "headers", "scope", "abbr"}),
}
"""Element → its own attributes, besides those of all."""

_OF_ALL = re.compile(
    r"id|class|lang|dir|title|role|hidden|tabindex|translate|aria-[a-z]+|data-(?:piquet|style|close)"
)
"""The data attributes are the banner's."""

_OWN = re.compile(re.escape(ASSET_PREFIX) + r"[A-Za-z0-9][A-Za-z0-9._-]*|/\.well-known/piquet\.json")
_SCHEMES = frozenset({"http", "https", "mailto", "tel"})
_LEFT_OUT = re.compile(r"^[\x00-\x20]+|[\x00-\x20]+$|[\t\r\n]+")
_RELATIONS = frozenset({"stylesheet", "icon", "shortcut", "apple-touch-icon", "alternate", "preload"})
_TOLD = re.compile(
    r"viewport|robots|color-scheme|theme-color|description|author|format-detection"
    r"|og:(?:title|type|description|locale|site_name)"
)
"""What a page may say of itself. Others have a meaning to somebody, such as the proof that a site is one's own."""

_FOR_SERVERS = re.compile(r"<!--\s*#|<!--esi|<esi:", re.IGNORECASE)
"""Acted upon by servers and caches on the way, wherever it stands. Source: Apache's mod_include; ESI Language 1.0."""


def faults(html: str, scripts: Collection[str] = ()) -> Iterator[str]:
    """Everything in a page that may not be there, as short sentences.

    Args:
        html: a whole page, or a banner.
        scripts: addresses of our own that it may run; a page runs none.
    """
    for found in _FOR_SERVERS.finditer(html):
        yield f"it holds {found[0]}, which servers and caches act upon"
    root = LexborHTMLParser(html).root
    if root is None:
        yield "it holds nothing"
        return
    for node in root.traverse():
        if node.is_element_node:
            yield from _element(node, scripts)


def _element(node: LexborNode, scripts: Collection[str]) -> Iterator[str]:
    name = node.tag or ""
    values = {key: value or "" for key, value in node.attributes.items()}
    if name not in _ELEMENTS or (name == "script" and not _is_data(values) and not _is_ours(values, scripts)):
        yield f"it holds <{name[:_SHOWN]}>"
        return
    known = _ELEMENTS[name] if name != "script" or _is_data(values) else values.keys()
    for key in values:
        if key not in known and not _OF_ALL.fullmatch(key):
            yield f"it holds the attribute {key[:_SHOWN]} at <{name}>"
    if name in _RULES:
        yield from _RULES[name](values)


def _is_data(values: Mapping[str, str]) -> bool:
    return values.get("type") == _DATA and "src" not in values


def _is_ours(values: Mapping[str, str], scripts: Collection[str]) -> bool:
    return values.keys() <= {"src", "defer"} and values.get("src") in scripts


def _link(values: Mapping[str, str]) -> Iterator[str]:
    """Whatever stands before a colon is a scheme, as far as a browser may see one."""
    before, colon, _ = re.split(r"[/?#]", _LEFT_OUT.sub("", values.get("href", "")))[0].partition(":")
    if colon and before.lower() not in _SCHEMES:
        yield f"it holds a link to {shown(values['href'])}"


def _picture(values: Mapping[str, str]) -> Iterator[str]:
    yield from _loaded("img", values.get("src", ""))


def _beside(values: Mapping[str, str]) -> Iterator[str]:
    yield from _loaded("link", values.get("href", ""))
    if not set(values.get("rel", "").lower().split()) <= _RELATIONS:
        yield f"it holds <link rel={shown(values['rel'])}>"


def _loaded(name: str, address: str) -> Iterator[str]:
    if not _OWN.fullmatch(address):
        yield f"its <{name}> loads {shown(address)}, which is not below {ASSET_PREFIX}"


def _about(values: Mapping[str, str]) -> Iterator[str]:
    """A character encoding other than ours would have the page read otherwise than here."""
    if values.get("charset", "utf-8").lower() != "utf-8":
        yield f"it says that it is written in {shown(values['charset'])}"
    for key in ("name", "property"):
        if key in values and not _TOLD.fullmatch(values[key].lower()):
            yield f"it holds <meta {key}={shown(values[key])}>"


_RULES: Mapping[str, Callable[[Mapping[str, str]], Iterator[str]]] = {
    "a": _link,
    "img": _picture,
    "link": _beside,
    "meta": _about,
}
