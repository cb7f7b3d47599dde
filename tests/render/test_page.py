# SPDX-License-Identifier: GPL-3.0-or-later
"""The strike page: harmless, complete, and nobody else's."""

import html.parser
import json

import pytest

from piquet.campaign.pages import PageSource
from piquet.render import note, page
from tests.render.samples import CAMPAIGN, PHASE, pages

HOSTILE = (
    "<script>alert(1)</script>",
    '<img src=x onerror="alert(1)">',
    "[x](javascript:alert(1))",
    '<a href="javascript:alert(1)">x</a>',
    '<a href="data:text/html,x">x</a>',
    "<iframe src=//evil.example></iframe>",
    '<p style="position:fixed" onclick="x()">x</p>',
    '<meta http-equiv="refresh" content="0;url=//evil.example">',
    "<svg><script>x</script></svg>",
    "<form action=//evil.example><input></form>",
    "</main></body><script>x</script>",
    "{{ campaign }} {% raw %} ${x}",
    '"><script>x</script>',
)


class Seen(html.parser.HTMLParser):
    """Tags and attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


def strike(text: str, kind: str = "markdown") -> str:
    """The French page around a text."""
    return page.page_html(CAMPAIGN, PHASE, PageSource(1, "fr", "fr.md", kind, text))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["markdown", "html"])
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_harmless(text: str, kind: str) -> None:
    """No script, handler, frame, form, style or foreign address comes from the organisers' text."""
    seen, clean = Seen(strike(text, kind)), Seen(strike("x", kind))
    assert not {"iframe", "form", "input", "img", "svg", "object", "style", "base"} & set(seen.tags)
    for tag in ("meta", "script"):  # one script element is data: JSON-LD
        assert seen.tags.count(tag) == clean.tags.count(tag)
    assert not [name for name, _ in seen.attributes if name.startswith("on") or name == "style"]
    addresses = {value for name, value in seen.attributes if name in ("href", "src", "action")}
    assert addresses == {
        "/.well-known/piquet.json",
        "/.well-known/piquet/strike.css",
        "/.well-known/piquet/en.html",
        CAMPAIGN.contact,
    }


def test_page_says_what_it_is() -> None:
    """Language, strike, both instants with their zone, contact, and the way to the other language."""
    text = strike("# Pourquoi\n\nVos mots.")
    for part in (
        'lang="fr"',
        "En grève",
        "jeudi 17 décembre 2026 à 01:00",
        "vendredi 18 décembre 2026 à 01:00",
        "heure de Paris",
        "Vos mots.",
    ):
        assert part in text
    assert '<a href="/.well-known/piquet/en.html" hreflang="en" lang="en" dir="ltr">English</a>' in text


def test_pages_are_small_and_load_nothing_from_others() -> None:
    """Under 50 kB, one style sheet of the same origin, nothing inline."""
    text = strike("# Pourquoi\n")
    assert len(text.encode()) < 50_000
    assert "<style" not in text
    assert "//" not in page.phase_files(CAMPAIGN, PHASE, pages())["asset/1/strike.css"].decode().replace(
        "/*", ""
    )


def test_json_for_machines() -> None:
    """problem+json of the strike, and the note of what this is; the digest is filled in on the host."""
    problem = json.loads(note.problem(CAMPAIGN, PHASE, "en"))
    assert (problem["status"], problem["title"], problem["end"]) == (503, "On strike", "2026-12-18T00:00:00Z")
    about = json.loads(note.about(CAMPAIGN, PHASE))
    assert (about["mode"], about["plan"]) == ("block", "@PIQUET_PLAN_DIGEST@")
