# SPDX-License-Identifier: GPL-3.0-or-later
"""The strike page: harmless, complete, and nobody else's."""

import json
import re
from dataclasses import replace

import pytest

from piquet import answers
from piquet.campaign.model import BUILT_IN_THEMES, Emergency, Theme
from piquet.load import load_campaign
from piquet.pages import machine_readable, page
from piquet.pages.source import PageSource
from piquet.resources import example_campaign
from tests.render.page_reader import HOSTILE, Seen
from tests.render.samples import CAMPAIGN, PHASE, pages


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
        "/.well-known/piquet/icon.png",
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
    problem = json.loads(machine_readable.problem(CAMPAIGN, PHASE, "en"))
    assert (problem["status"], problem["title"], problem["end"]) == (503, "On strike", "2026-12-18T00:00:00Z")
    about = json.loads(machine_readable.about(CAMPAIGN, PHASE))
    assert (about["mode"], about["plan"]) == ("block", "@PIQUET_PLAN_DIGEST@")


def test_pictures_are_served_by_us() -> None:
    """Under a name made of their bytes; the same picture in two languages is there once; a stranger's is left out."""
    pictures = {"l’assemblée.jpg": b"\xff\xd8\xffA", "b.png": b"\x89PNG\r\n\x1a\nB"}
    texts = "![Nous](<l’assemblée.jpg>) ![Eux](b.png) ![x](https://evil.example/x.png)\n"
    sources = [PageSource(1, name, "x.md", "markdown", texts, pictures) for name in ("fr", "en")]
    files = page.phase_files(CAMPAIGN, PHASE, sources)
    names = [name for name in files if "/p-" in name]
    assert len(names) == 2
    assert {files[name] for name in names} == set(pictures.values())
    text = files["page/1/fr.html"].decode()
    for name in names:
        assert f'src="/.well-known/piquet/{name.rpartition("/")[2]}"' in text
    assert 'alt="Nous"' in text and text.count("<img") == 2 and "evil.example" not in text


def test_names_fit_the_servers() -> None:
    """Whatever they were called, and whatever a phase holds."""
    files = page.phase_files(CAMPAIGN, PHASE, [replace(s, pictures={"Ä b.JPG": b"x"}) for s in pages()])
    names = {name.rpartition("/")[2] for name in files}
    assert [n for n in names if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,63}", n)] == []
    assert {answers.content_type(name) for name in names if not name.endswith(".problem")}


@pytest.mark.parametrize("theme", BUILT_IN_THEMES)
def test_ready_texts_make_light_and_sound_pages(theme: str) -> None:
    """Every text of the example, in both themes: one main heading, under 50 kB, nothing of anybody else."""
    loaded = load_campaign(example_campaign() / "campaign.yml")
    campaign = replace(loaded.campaign, theme=Theme(theme))
    for phase in campaign.phases:
        files = page.phase_files(campaign, phase, loaded.pages)
        shown = {name: content.decode() for name, content in files.items() if name.endswith(".html")}
        assert len(shown) == (0 if phase.mode == "banner" else 12)
        for name, text in shown.items():
            style = files[f"asset/{phase.number}/strike.css"]
            assert len(text.encode()) + len(style) < 50_000, name
            seen = Seen(text)
            assert [seen.tags.count(tag) for tag in ("h1", "main", "header", "footer", "nav", "title")] == [
                1
            ] * 6, name
            assert [value for key, value in seen.attributes if key == "src"] == []


def test_the_title_is_the_texts_first_heading() -> None:
    """Or ours, where the text begins otherwise."""
    assert "<title>Pourquoi nous cessons – En grève</title>" in strike("# Pourquoi *nous* cessons\n\nx\n")
    assert "<title>Ce site est en grève</title>" in strike("Nous cessons.\n\n# Pourquoi\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[c](12:30)", "./12:30"),
        ("[x](Grève:Page)", "./Gr%C3%A8ve:Page"),
        ("[x](/a:b)", "/a:b"),
        ("[x](?a:b)", "?a:b"),
        ("[x](./a:b)", "./a:b"),
        ("[x](HTTPS://example.org/a:b)", "HTTPS://example.org/a:b"),
        ("[x](mailto:a@example.org)", "mailto:a@example.org"),
    ],
)
def test_a_colon_makes_no_scheme(text: str, expected: str) -> None:
    """What a browser reads as a path of the site is written as one, so that nobody takes it for anything else."""
    assert f'<a href="{expected}"' in strike(text)


def test_linked_data_is_data() -> None:
    """JSON-LD that nothing can end early, with both instants and the contact."""
    text = strike("# </script><script>alert(1)</script>\n\n<!-- & -->\n")
    (data,) = re.findall(r'<script type="application/ld\+json">(.*?)</script>', text)
    document = json.loads(data)
    assert not set("<>&") & set(data)
    assert document["temporalCoverage"] == "2026-12-17T00:00:00Z/2026-12-18T00:00:00Z"
    assert document["url"] == CAMPAIGN.contact
    assert document["name"] == "</script><script>alert(1)</script>"


def test_tables_scroll_by_themselves() -> None:
    """By keyboard too; the page never scrolls sideways."""
    text = strike("| a | b |\n|---|---|\n| 1 | 2 |\n")
    assert '<div class="table" tabindex="0"><table>' in text and "</table></div>" in text


@pytest.mark.parametrize(
    ("emergency", "expected"),
    [
        (Emergency("tel:+33123456789"), 'href="tel:+33123456789"'),
        (Emergency("mailto:urgence@example.org"), "urgence@example.org"),
        (Emergency(texts={"fr": "Au <b>guichet</b> ou [ici](https://example.org/u)", "en": "x"}), "guichet"),
        (None, None),
    ],
)
def test_the_way_to_what_cannot_wait(emergency: Emergency | None, expected: str | None) -> None:
    """Said where there is one, and nowhere else."""
    text = page.page_html(replace(CAMPAIGN, emergency=emergency), PHASE, pages()[0])
    assert ("En cas d’urgence" in text) == (expected is not None)
    assert expected is None or expected in text
    assert "<b>guichet" not in text


@pytest.mark.parametrize("name", BUILT_IN_THEMES)
def test_what_cannot_wait_comes_before_the_text(name: str) -> None:
    """Nobody in an emergency reads reasons first, or scrolls past them."""
    campaign = replace(CAMPAIGN, theme=Theme(name), emergency=Emergency("tel:+33123456789"))
    text = page.page_html(campaign, PHASE, pages("# Titre\n\nNos raisons.\n")[0])
    assert text.index("tel:+33123456789") < text.index("Nos raisons.</p>")


def test_template_syntax_stays_text() -> None:
    """It is a value of the page; nothing looks at it twice."""
    text = strike("{{ 7 + 7 }} {% include 'x' %} ${7+7} #{7+7} <%= 7+7 %>\n")
    for part in ("{{ 7 + 7 }}", "{% include", "${7+7}", "#{7+7}"):
        assert part in text
    assert ">14" not in text.partition("<main>")[2]


def test_the_note_tells_languages_and_pages() -> None:
    """Where each page is; a banner has none."""
    about = json.loads(machine_readable.about(CAMPAIGN, PHASE))
    assert about["languages"] == ["fr", "en"]
    assert about["pages"] == {"fr": "/.well-known/piquet/fr.html", "en": "/.well-known/piquet/en.html"}
    assert json.loads(machine_readable.about(CAMPAIGN, replace(PHASE, mode="banner")))["pages"] == {}
