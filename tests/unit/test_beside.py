# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies beside a campaign file besides its pages: messages, pictures, selections and themes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from piquet.campaign.model import Theme
from piquet.errors import CampaignError
from piquet.load import load_campaign
from piquet.pages.banner_sheets import ELEMENT
from piquet.pages.source import Pick

from .picture_files import png
from .samples import campaign_text

PNG = png(40, 30)
PHASES = (
    "[{mode: banner, start: 2026-12-15T00:00, duration: 24h, style: modal, message: messages/a, more: /greve},"
    " {mode: block, start: 2026-12-17T00:00, duration: 24h, page: pages/greve},"
    " {mode: occupy, start: 2026-12-18T09:00, duration: 10h, page: pages/une, paths: [/]}]"
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A sound campaign of three modes in French and English."""
    for folder in ("messages/a", "pages/greve", "pages/une"):
        (tmp_path / folder).mkdir(parents=True)
        for language in ("fr", "en"):
            (tmp_path / folder / f"{language}.md").write_text(f"# {folder} {language}\n", "utf-8")
    (tmp_path / "campaign.yml").write_text(campaign_text(phases=PHASES), "utf-8")
    return tmp_path / "campaign.yml"


def write(file: Path, name: str, content: str | bytes) -> None:
    """Put a file beside the campaign."""
    place = file.parent / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content.encode() if isinstance(content, str) else content)


def reasons(file: Path) -> list[str]:
    """Each problem in one line."""
    with pytest.raises(CampaignError) as caught:
        load_campaign(file)
    return [str(problem).partition("\n")[0].replace(str(file), "C") for problem in caught.value.problems]


def test_every_phase_has_its_texts(file: Path) -> None:
    """Messages of banners, pages of the others, in the order of phases and languages."""
    loaded = load_campaign(file)
    assert [(page.phase, page.file) for page in loaded.pages] == [
        (1, "messages/a/fr.md"), (1, "messages/a/en.md"), (2, "pages/greve/fr.md"), (2, "pages/greve/en.md"),
        (3, "pages/une/fr.md"), (3, "pages/une/en.md"),
    ]  # fmt: skip
    assert loaded.campaign.phases[0].more == "/greve"
    assert loaded.campaign.theme == Theme("poster")


def test_pictures_come_with_their_page(file: Path) -> None:
    """Each text has those that it names, whatever else lies there."""
    write(file, "pages/greve/fr.md", "# x\n\n![Nous](bilder/nous%20deux.png)\n")
    write(file, "pages/greve/bilder/nous deux.png", PNG + b"1")
    write(file, "pages/greve/other.png", PNG)
    pictures = [dict(page.pictures) for page in load_campaign(file).pages]
    assert pictures == [{}, {}, {"bilder/nous deux.png": PNG + b"1"}, {}, {}, {}]
    assert load_campaign(file).campaign.illustrated == {2}


def test_a_picture_of_20_megabytes_is_refused(file: Path) -> None:
    """With its size, without reading it all."""
    write(file, "pages/greve/fr.md", "# x\n\n![Nous](nous.png)\n")
    write(file, "pages/greve/nous.png", PNG)
    os.truncate(file.parent / "pages/greve/nous.png", 20 * 1024 * 1024)
    assert reasons(file) == ["pages/greve/fr.md:3:9: this picture is too big: 20971520 bytes"]


def test_all_pictures_of_a_phase_are_counted_once(file: Path) -> None:
    """Two languages may show the same ones; five of 2 MB are too many."""
    names = [f"p{number}.png" for number in range(5)]
    text = "\n".join(f"![x]({name})" for name in names)
    for language in ("fr", "en"):
        write(file, f"pages/greve/{language}.md", text)
    for name in names:
        write(file, f"pages/greve/{name}", PNG)
        os.truncate(file.parent / f"pages/greve/{name}", 2 * 1024 * 1024)
    assert reasons(file) == [
        "pages/greve/fr.md:5:6: with this picture, those of the phase have 10485760 bytes"
    ]


def test_a_megabyte_of_text_is_refused(file: Path) -> None:
    """With its size, and with what to do."""
    write(file, "pages/greve/fr.md", "x" * 1_500_000)
    with pytest.raises(CampaignError) as refused:
        load_campaign(file)
    (problem,) = refused.value.problems
    assert ("the file is too long", "at most 64 KiB", "1.5 MiB") == (
        problem.message,
        problem.expected,
        problem.got,
    )
    assert "where `contact` leads" in problem.hint


def test_the_mark_of_an_editor_is_no_text(file: Path) -> None:
    """Some save UTF-8 with a mark before it; a style sheet and a page are read as if it were not there."""
    write(file, "pages/greve/fr.md", "\ufeff# Titre\n")
    write(file, "themes/ours/banner.css", f"\ufeff{ELEMENT} {{ color: red }}")
    file.write_text(file.read_text("utf-8") + "theme: themes/ours\n", "utf-8")
    loaded = load_campaign(file)
    assert {"banner.css": f"{ELEMENT} {{ color: red }}".encode()} == loaded.campaign.theme.files
    assert "# Titre\n" in [page.text for page in loaded.pages]


def test_a_picture_out_of_the_folder_is_not_there(file: Path) -> None:
    """A symbolic link publishes nothing."""
    write(file, "pages/greve/fr.md", "![x](x.png)")
    (file.parent.parent / "secret.png").write_bytes(PNG)
    (file.parent / "pages/greve/x.png").symlink_to("../../../secret.png")
    assert reasons(file) == ["pages/greve/fr.md:1:6: there is no such picture"]


def test_a_selection_belongs_to_an_occupied_page(file: Path) -> None:
    """In each language; a text without languages is the same in all. A block shows none: its site is closed."""
    second = "{link: https://example.org/, title: {fr: b, en: c}, summary: {fr: d, en: e}}"
    write(file, "pages/une/selection.yml", f"- {{link: /a, title: Titre}}\n- {second}\n")
    write(file, "pages/greve/selection.yml", "- nothing that is read")
    picks = {(page.phase, page.language): page.picks for page in load_campaign(file).pages if page.picks}
    assert picks == {
        (3, "fr"): (Pick("/a", "Titre"), Pick("https://example.org/", "b", "d")),
        (3, "en"): (Pick("/a", "Titre"), Pick("https://example.org/", "c", "e")),
    }


def test_a_theme_of_ones_own(file: Path) -> None:
    """Its files and its words; papers and hidden files stay where they are."""
    file.write_text(campaign_text(phases=PHASES, theme="themes/ours"), "utf-8")
    for name in ("README.md", "LICENSE", "OFL.txt", ".DS_Store"):
        write(file, f"themes/ours/{name}", "x")
    write(file, "themes/ours/strike.css", "body { background: url( 'paper.png' ) }")
    write(file, "themes/ours/paper.png", PNG)
    write(file, "themes/ours/words.yml", "fr: {strike: En lutte}")
    theme = load_campaign(file).campaign.theme
    assert theme.name == "themes/ours"
    assert sorted(theme.files) == ["paper.png", "strike.css", "words.yml"]
    assert theme.words == {"fr": {"strike": "En lutte"}}


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("x.js", "x", "this file has no part in a theme"),
        ("x.svg", "x", "this file has no part in a theme"),
        ("Upper.png", "x", "this file has no part in a theme"),
        ("strike.css", "a { b: url(//evil.example/x) }", "this style sheet loads what is not in the theme"),
        ("strike.css", '@IMPORT "x.css";', "this style sheet loads what is not in the theme"),
        ("strike.css", "a { b: url(other.png) }", "this style sheet loads what is not in the theme"),
        ("banner.css", "body { display: none }", "this rule reaches beyond the banner"),
        ("banner.css", b"\xff", "this is not UTF-8"),
        ("words.yml", "- x", "these are no words"),
        ("words.yml", "fr: {a: [b]}", "this is not a text"),
        ("words.yml", "fr: {a: b, a: c}", "the key 'a' is there twice"),
    ],
)
def test_what_has_no_part_in_a_theme(file: Path, name: str, content: str | bytes, reason: str) -> None:
    """Scripts, documents that act, and whatever would load something from elsewhere."""
    file.write_text(campaign_text(phases=PHASES, theme="themes/ours"), "utf-8")
    write(file, f"themes/ours/{name}", content)
    (said,) = reasons(file)
    assert said.startswith(f"themes/ours/{name}") and said.endswith(reason)


@pytest.mark.parametrize("theme", ["themes/none", "Poster"])
def test_a_theme_that_is_not_there(file: Path, theme: str) -> None:
    """Told at its place."""
    file.write_text(campaign_text(phases=PHASES, theme=theme), "utf-8")
    (said,) = reasons(file)
    assert said.endswith("there is no such theme")


def test_an_empty_theme_and_a_file_in_its_place(file: Path) -> None:
    """Neither is a theme."""
    (file.parent / "empty").mkdir()
    file.write_text(campaign_text(phases=PHASES, theme="empty"), "utf-8")
    assert [said.partition(": ")[2] for said in reasons(file)] == ["empty is empty"]


def test_problems_of_a_page_used_twice_are_told_once(file: Path) -> None:
    """Two phases may show the same page."""
    phases = PHASES.replace("pages/une", "pages/greve")
    file.write_text(campaign_text(phases=phases), "utf-8")
    write(file, "pages/greve/fr.md", "<script>x</script> ![](x.svg)")
    assert reasons(file) == [
        "pages/greve/fr.md:1:1: this element acts in the page",
        "pages/greve/fr.md:1:24: this kind of picture is not accepted",
    ]
