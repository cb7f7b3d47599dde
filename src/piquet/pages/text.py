# SPDX-License-Identifier: GPL-3.0-or-later
"""The organisers' text as harmless HTML.

It is CommonMark with tables and without raw HTML, or HTML; either way it passes a sanitiser, so that no script, style
or foreign resource reaches a visitor. Nothing in it is ever evaluated: it is a value of the page, not a template.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from html import unescape
from urllib.parse import unquote

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

from piquet.pages.source import PageSource

_INLINE_TAGS = {
    "strong",
    "em",
    "a",
    "br",
    "code",
    "abbr",
    "cite",
    "q",
    "small",
    "sub",
    "sup",
    "b",
    "i",
    "s",
    "span",
}
_TEXT_TAGS = {
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "p",
    "ul",
    "ol",
    "li",
    "blockquote",
    "hr",
    "pre",
    "dl",
    "dt",
    "dd",
}
_TABLE_TAGS = {"table", "caption", "thead", "tbody", "tr", "th", "td"}
_FIGURE_TAGS = {"figure", "figcaption", "img"}
_BANNER_TAGS = {"p", "strong", "em", "a", "br", "ul", "ol", "li", "b", "i", "q", "abbr"}
_LANGUAGE = {"lang", "dir"}
_ATTRIBUTES = {
    **{tag: _LANGUAGE for tag in (*_INLINE_TAGS, *_TEXT_TAGS)},
    "a": {"href", "hreflang", *_LANGUAGE},
    "abbr": {"title", *_LANGUAGE},
    "ol": {"start", *_LANGUAGE},
    "th": {"scope", "colspan", "rowspan"},
    "td": {"colspan", "rowspan"},
    "img": {"src", "alt"},
}
_SCHEMES = {"http", "https", "mailto", "tel"}
_PATH_END = re.compile(r"[/?#]")
_HEADING = re.compile(r"<(/?)h[1-6]( [^>]*)?>")
_TITLE = re.compile(r"\s*<h1(?: [^>]*)?>(?P<title>.*?)</h1>", re.DOTALL)
_LOST_PICTURE = re.compile(r"""<img(?! src="| [^>]*? src=")(?:[^">]|"[^"]*")*>""")
_SPACE = re.compile(r"[ \t\r\n\f]+")
"""A no-break space is none of these: it is part of the text."""
_TAG = re.compile(r"""<(?:[^">]|"[^"]*")*>""")
_BREAK = re.compile(r"<(?:br|/p|/li|/h[1-6]|/dt|/dd|/td|/th|/blockquote)\b")
_TABLE = re.compile(r"<(/?)table>")


def page_parts(source: PageSource, addresses: Mapping[str, str]) -> tuple[Markup | None, Markup]:
    """Title and body of a page, harmless.

    Args:
        source: the organisers' text.
        addresses: a picture's name in the text → its address; any other picture is left out.

    Returns:
        The inside of the heading that the text begins with, None if it does not, and the rest.
    """
    html = _clean(_raw_html(source), _INLINE_TAGS | _TEXT_TAGS | _TABLE_TAGS | _FIGURE_TAGS, addresses)
    # a wide table scrolls by itself, by keyboard too; the page never does
    html = _TABLE.sub(
        lambda tag: "</table></div>" if tag[1] else '<div class="table" tabindex="0"><table>', html
    )
    found = _TITLE.match(html)
    if not found:
        return None, Markup(html)  # noqa: S704 - sanitised above
    return Markup(found["title"]), Markup(html[found.end() :])  # noqa: S704 - the same


def banner_html(source: PageSource) -> Markup:
    """A banner's text: paragraphs, lists and links; headings become lines, for the page has its own."""
    raw = _HEADING.sub(lambda tag: "</strong></p>" if tag[1] else "<p><strong>", _clean(_raw_html(source), {
        *_BANNER_TAGS, "h1", "h2", "h3", "h4", "h5", "h6"}, {}))  # fmt: skip
    return Markup(_SPACE.sub(" ", raw).strip())  # noqa: S704 - sanitised one line above


def line_html(text: str) -> Markup:
    """One line of CommonMark, such as how to reach somebody."""
    return Markup(_clean(MarkdownIt("commonmark", {"html": False}).renderInline(text), _INLINE_TAGS, {}))  # noqa: S704


def plain(html: Markup) -> str:
    """The words without any markup."""
    return unescape(_SPACE.sub(" ", _TAG.sub("", _BREAK.sub(r" \g<0>", str(html))))).strip()


def _raw_html(source: PageSource) -> str:
    if source.kind == "html":
        return source.text
    return str(
        MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).render(source.text)
    )


def _clean(raw: str, tags: Set[str], addresses: Mapping[str, str]) -> str:
    def kept(tag: str, attribute: str, value: str) -> str | None:
        if attribute == "href":
            return _as_path(value)
        return addresses.get(unquote(value)) if (tag, attribute) == ("img", "src") else value

    html = nh3.clean(
        raw,
        tags=set(tags),
        attributes={tag: names for tag, names in _ATTRIBUTES.items() if tag in tags},
        attribute_filter=kept,
        url_schemes=_SCHEMES,
        link_rel="noopener noreferrer",
    )
    return _LOST_PICTURE.sub("", html)


def _as_path(address: str) -> str:
    """What has a colon and no scheme, such as `12:30`, written as the path that it is.

    Source: RFC 3986, 4.2 "Relative reference".
    """
    before, colon, _ = _PATH_END.split(address, maxsplit=1)[0].partition(":")
    return address if not colon or before.strip().lower() in _SCHEMES else f"./{address}"
