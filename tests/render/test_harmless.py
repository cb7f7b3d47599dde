# SPDX-License-Identifier: GPL-3.0-or-later
"""The last look at a page: what is found in it, and what is left in peace."""

from __future__ import annotations

from pathlib import Path

import nh3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from piquet.pages import banner
from piquet.pages.html_allowlist import markup_faults
from piquet.protocol.http import ASSET_PREFIX

HERE = Path(__file__).parent
TRICKS = [
    tuple(line.split(" :: ", 1))
    for line in (HERE / "tricks.txt").read_text("utf-8").splitlines()
    if not line.startswith("#")
]
TRAP = 'onerror="TRAP"'
PIECES = (
    *("<img src=x onerror=TRAP>", "<p onerror=TRAP>", "<p>", "</p>", "<p title='", "'", '"', ">", "<", "/"),
    *(
        "<!--",
        "-->",
        "<!-->",
        "--!>",
        "<!",
        "<?",
        "]]>",
        "<![CDATA[",
        "</",
        "\0",
        "\t",
        "\f",
        " ",
        "a",
        "=",
        "&lt;",
    ),
    *("<title>", "</title>", "<table>", "</table>", "<td>", "<li>", "<a href=/>", "</a>", "<b>", "</b>"),
    *(
        "<script type=application/ld+json>",
        "<script>",
        "</script>",
        "<br>",
        "</br>",
        "<body class=x>",
        "<html>",
    ),
)
TRICKY = st.lists(st.sampled_from(PIECES), min_size=2, max_size=14).map("".join)


@pytest.mark.parametrize(("said", "html"), TRICKS, ids=[html[:40] for _, html in TRICKS])
def test_no_trick_gets_past(said: str, html: str) -> None:
    """Read as a browser reads it, and told with what it is and where; in a whole page too."""
    for sign, char in (("\\t", "\t"), ("\\n", "\n"), ("\\0", "\0")):
        html = html.replace(sign, char)
    said = said.replace("\\\\", "\\")
    assert [fault for fault in markup_faults(html) if said in fault]
    assert list(markup_faults(f"<!doctype html>\n<html lang=fr><head><title>x</title></head>\n{html}</html>"))


@pytest.mark.parametrize(
    "html",
    [
        *(file.read_text("utf-8") for file in sorted((HERE / "golden").glob("*.html"))),
        "<p>Im Streik – siehe <a href='#warum'>warum</a>, <a href='?x'>hier</a>, <a href=tel:+33123>oder</a></p>",
        "<a href='mailto:a@example.org' rel='noopener noreferrer'>x</a> <a href='HTTPS://example.org/a:b'>x</a>",
        "<a href='/a:b'>x</a><a href='//example.org'>x</a><a href='archives/x.html'>x</a>",
        "<p id=a class='b c' lang=ar dir=rtl title='&lt;script>' role=note hidden tabindex=0 aria-label=x>onclick=</p>",
        "<table><caption>x</caption><tr><th scope=col colspan=2>x</th></tr><tr><td rowspan=2>x</td></tr></table>",
        "<details><summary>x</summary><p>x</p></details><ol start=3 reversed><li value=2>x</ol>",
        "<details open><summary>x</summary></details><meta name=theme-color media='(x: y)' content='#fff'>",
        "<blockquote cite='https://example.org/a'>x</blockquote><q cite='/a'>x</q>",
        "<del cite=a datetime=2026-12-17>x</del><ins datetime='2026-12-17T08:00Z'>x</ins><time datetime=PT1H>x</time>",
        "<!-- a word of the designer's: <script> --><p>x</p>",
        "<img src='/.well-known/piquet/p-0123456789abcdef.png' alt='&lt;img src=x>' width=3 loading=lazy>",
        "<link rel='preload' as=font crossorigin href=/.well-known/piquet/hand.woff2 type=font/woff2>",
        "<p>a <b>b <i>c</b> d</i> <p>e<br/>f &lt;script&gt; &nbsp;",
    ],
)
def test_ordinary_pages_are_left_in_peace(html: str) -> None:
    """Our own ones, what designers write, and HTML that is not tidy."""
    assert [] == list(markup_faults(html))


def test_a_banner_runs_its_own_script_and_no_other() -> None:
    """From its own address, without anything else; a page runs none."""
    own = ASSET_PREFIX + banner.BANNER_SCRIPT
    assert [] == list(markup_faults(f"<script src='{own}' defer></script>", {own}))
    for other in (f"<script src='{own}'>x</script>", f"<script src='{own}' defer></script>"):
        assert ["it holds <script>"] == list(markup_faults(other))
    for other in (
        f"<script src='{own}?x'></script>",
        f"<script src='{own}' onerror=x></script>",
        "<script></script>",
    ):
        assert ["it holds <script>"] == list(markup_faults(other, {own}))


@given(TRICKY)
def test_another_parser_finds_nothing_more(html: str) -> None:
    """What the sanitiser's parser takes for a handler is never a text or a value to ours.

    Quotes around the trap come from its serialiser only: where the trap is text or value it has none, or `&quot;`.
    """
    tags = {"img", "p", "b", "a", "li", "td", "tr", "tbody", "table", "br"}
    seen = nh3.clean(html, tags=tags, attributes={"*": {"onerror"}}, link_rel=None)
    assert TRAP not in seen or list(markup_faults(html))
