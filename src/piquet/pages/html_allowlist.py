# SPDX-License-Identifier: GPL-3.0-or-later
"""What no page or banner of ours may hold, whoever wrote its text and its theme: the last look before it is sent.

Two things are asked of it. Every `<` begins a tag, a comment or the doctype in a form that all parsers read alike; what
one of them forgives, another reads otherwise, browsers among them. And every tag, attribute and address is on a list:
what is not on it is refused, whether or not anybody knows a harm that it does. Tags are judged as they are written,
not as elements of a tree: a parser drops some, moves some and makes `img` of `image`, but it makes none up that could
do anything. Elements whose inside is not read as tags (`textarea`, `noscript`, `svg`, …) are not on the list; that of
`title` and `script`, which are, may hold no `<` at all.

Source: HTML Standard, 13.2.5 "Tokenization"; URL Standard, 4.4 "URL parsing" (what is taken out of an address).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from html import unescape

from piquet.campaign.document import shown
from piquet.protocol.http import ASSET_PREFIX

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
    "meta": frozenset({"charset", "name", "property", "content", "media"}),
    "script": frozenset({"type"}),
    "details": frozenset({"open"}),
    "blockquote": frozenset({"cite"}),
    "q": frozenset({"cite"}),
    "del": frozenset({"cite", "datetime"}),
    "ins": frozenset({"cite", "datetime"}),
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
_PAGES = frozenset({"http", "https"})
_SCHEMES = _PAGES | {"mailto", "tel"}
_WHY = {("a", "target"): ": visitors choose where a link opens"}
_LEFT_OUT = re.compile(r"^[\x00-\x20]+|[\x00-\x20]+$|[\t\r\n]+")
_RELATIONS = frozenset({"stylesheet", "icon", "shortcut", "apple-touch-icon", "alternate", "preload"})
_TOLD = re.compile(
    r"viewport|robots|color-scheme|theme-color|description|author|format-detection"
    r"|og:(?:title|type|description|locale|site_name)"
)
"""What a page may say of itself. Others have a meaning to somebody, such as the proof that a site is one's own."""

_FOR_SERVERS = re.compile(r"<!--\s*#|<!--esi|<esi:", re.IGNORECASE)
"""Acted upon by servers and caches on the way, wherever it stands. Source: Apache's mod_include; ESI Language 1.0."""

_S = r"[ \t\r\n\f]"
_VALUE = r"\"[^\"<]*+\"|'[^'<]*+'|[^ \t\r\n\f\"'=<>`]++"
_ATTRIBUTE = re.compile(rf"{_S}++([A-Za-z][A-Za-z0-9:_-]*+)(?:{_S}*+={_S}*+({_VALUE}))?+")
_START = re.compile(
    rf"<(?P<name>[A-Za-z][A-Za-z0-9-]*+)(?P<attributes>(?:{_ATTRIBUTE.pattern})*+){_S}*+/?>(?P<inside>[^<]*+)"
)
_CLEAR = re.compile(
    rf"</[A-Za-z][A-Za-z0-9-]*+{_S}*+>|<!--(?!-?>)(?:(?!--).)*+-->|(?i:<!doctype html>)", re.DOTALL | re.ASCII
)
_NAME = re.compile(r"<([A-Za-z][^ \t\r\n\f/>]*)")
_TEXT_END = {name: re.compile(rf"</{name}{_S}*+>", re.IGNORECASE | re.ASCII) for name in ("title", "script")}
"""Without `re.ASCII` a long s would end a script here, and not in a browser."""


def markup_faults(html: str, scripts: Collection[str] = ()) -> Iterator[str]:
    """Everything in a page that may not be there, as short sentences.

    Args:
        html: a whole page, or a banner.
        scripts: addresses of our own that it may run; a page runs none.
    """
    for told in _FOR_SERVERS.finditer(html):
        yield f"it holds {told[0]}, which servers and caches act upon"
    at = html.find("<")
    while at >= 0:
        found = _START.match(html, at) or _CLEAR.match(html, at)
        yield from _piece(html, at, found, scripts)
        at = html.find("<", found.end() if found else at + 1)


def _piece(html: str, at: int, found: re.Match[str] | None, scripts: Collection[str]) -> Iterator[str]:
    """What begins at one `<`."""
    name = _NAME.match(html, at)
    if name and name[1].lower() not in _ELEMENTS:
        yield f"it holds <{name[1][:_SHOWN].lower()}>"
    elif found is None:
        yield f"it holds {shown(html[at : at + _SHOWN])}, which not every browser reads alike"
    elif found.re is _START:
        yield from _tag(found, scripts)
        end = _TEXT_END.get(found["name"].lower())
        if end and not end.match(html, found.end()):
            yield f"it holds a <{found['name'].lower()}> with more than text in it"


def _tag(found: re.Match[str], scripts: Collection[str]) -> Iterator[str]:
    name, values = found["name"].lower(), dict[str, str]()
    for written, value in _ATTRIBUTE.findall(found["attributes"]):
        key = written.lower()
        if key in values:
            yield f"it holds the attribute {key[:_SHOWN]} twice at <{name}>"
        values.setdefault(key, value[1:-1] if value[:1] in ("'", '"') else value)
    yield from _element(name, values, scripts)


def _element(name: str, values: Mapping[str, str], scripts: Collection[str]) -> Iterator[str]:
    if name == "script" and not _is_data(values):
        if not _is_ours(values, scripts):
            yield "it holds <script>"
        return
    for key in values:
        if key not in _ELEMENTS[name] and not _OF_ALL.fullmatch(key):
            yield f"it holds the attribute {key[:_SHOWN]} at <{name}>{_WHY.get((name, key), '')}"
    if name in _RULES:
        yield from _RULES[name](values)


def _is_data(values: Mapping[str, str]) -> bool:
    return values.get("type") == _DATA and "src" not in values


def _is_ours(values: Mapping[str, str], scripts: Collection[str]) -> bool:
    return values.keys() <= {"src", "defer"} and values.get("src") in scripts


def _link(values: Mapping[str, str]) -> Iterator[str]:
    yield from _href_faults(values.get("href", ""), _SCHEMES)


def _cite_faults(values: Mapping[str, str]) -> Iterator[str]:
    yield from _href_faults(values.get("cite", ""), _PAGES)


def _href_faults(written: str, schemes: Collection[str]) -> Iterator[str]:
    """Whatever stands before a colon is taken for a scheme, with character references read or not."""
    for address in dict.fromkeys((written, unescape(written))):
        before, colon, _ = re.split(r"[/?#]", _LEFT_OUT.sub("", address))[0].partition(":")
        if colon and before.lower() not in schemes:
            yield f"it holds a link to {shown(address)}"


def _picture(values: Mapping[str, str]) -> Iterator[str]:
    yield from _source_faults("img", values.get("src", ""))


def _link_faults(values: Mapping[str, str]) -> Iterator[str]:
    yield from _source_faults("link", values.get("href", ""))
    if not set(values.get("rel", "").lower().split()) <= _RELATIONS:
        yield f"it holds <link rel={shown(values['rel'])}>"


def _source_faults(name: str, address: str) -> Iterator[str]:
    if not _OWN.fullmatch(address):
        yield f"its <{name}> loads {shown(address)}, which is not below {ASSET_PREFIX}"


def _meta_faults(values: Mapping[str, str]) -> Iterator[str]:
    """A character encoding other than ours would have the page read otherwise than here."""
    if values.get("charset", "utf-8").lower() != "utf-8":
        yield f"it says that it is written in {shown(values['charset'])}"
    for key in ("name", "property"):
        if key in values and not _TOLD.fullmatch(values[key].lower()):
            yield f"it holds <meta {key}={shown(values[key])}>"


_RULES: Mapping[str, Callable[[Mapping[str, str]], Iterator[str]]] = {
    "a": _link,
    "img": _picture,
    "link": _link_faults,
    "meta": _meta_faults,
    **dict.fromkeys(("blockquote", "q", "del", "ins"), _cite_faults),
}
