# SPDX-License-Identifier: GPL-3.0-or-later
"""The sheet that people vote on and hang on a wall."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from weasyprint import HTML

from piquet.campaign.model import Mandate, Role, Selection
from piquet.cli import exit_codes, run_command
from piquet.decision.document import decision_document
from piquet.decision.sheet import SHOWN_SITES, sheets
from piquet.decision.sheet_forms import sheets_html, sheets_text
from piquet.load import load_campaign
from piquet.protocol.decision import read_decision
from piquet.resources import example_campaign, templates

from .edits import whole

EXAMPLE = example_campaign() / "campaign.yml"
GOLDEN = Path(__file__).with_name("sheet.txt")


def test_the_sheet_word_for_word(request: pytest.FixtureRequest) -> None:
    """`--regenerate` writes it anew; the diff is what people will vote on."""
    asked = whole()
    roles = (Role("assembly", 2, "a"), Role("employer", 1, "b"))
    mandate = Mandate("general-assembly", "2026-12-12", {"for": 29, "against": 1}, "", roles)
    campaign = replace(asked.campaign, mandate=mandate, languages=("fr", "br"))
    pages = [replace(page, language={"en": "br"}.get(page.language, page.language)) for page in asked.pages]
    text = sheets_text(sheets(campaign, pages, "0123456789abcdef" * 4))
    if request.config.getoption("--regenerate"):
        GOLDEN.write_text(text, "utf-8")
    assert GOLDEN.read_text("utf-8") == text


def test_every_word_is_there_in_six_languages() -> None:
    """The same words with the same places to fill."""
    words = json.loads((templates() / "decision" / "words.json").read_text("utf-8"))
    assert sorted(words) == ["de", "en", "es", "fr", "it", "pt"]
    places = {
        tag: {key: set(re.findall(r"\{\w+\}", said)) for key, said in own.items()}
        for tag, own in words.items()
    }
    assert [tag for tag, own in places.items() if own != places["en"]] == []


def test_show_writes_what_was_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Text on standard output; HTML and the canonical document, whose digest the sheets say, in files."""
    html, document = tmp_path / "sheet.html", tmp_path / "decision.json"
    assert run_command(["decision", "show", str(EXAMPLE), "--html", str(html), "--json", str(document)]) == 0
    digest = read_decision(document.read_bytes()).digest
    said = capsys.readouterr().out
    assert said.replace(" ", "").replace("\n", "").count(digest) == 6
    assert html.read_text("utf-8").replace(" ", "").count(digest) == 6
    loaded = load_campaign(EXAMPLE)
    assert document.read_bytes() == decision_document(loaded.campaign, loaded.pages)


def test_the_pdf_has_a_page_for_each_language(tmp_path: Path) -> None:
    """The example on a wall: French, English and four more, none of them on two pages."""
    loaded = load_campaign(EXAMPLE)
    html = sheets_html(sheets(loaded.campaign, loaded.pages, "0" * 64))
    assert len(HTML(string=html).render().pages) == 6
    file = tmp_path / "sheet.pdf"
    assert run_command(["decision", "show", str(EXAMPLE), "--pdf", str(file)]) == 0
    assert file.read_bytes().startswith(b"%PDF-")


def test_without_the_library_there_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What to install, and what does without; nothing half is written."""
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    file = tmp_path / "sheet.pdf"
    assert run_command(["decision", "show", str(EXAMPLE), "--pdf", str(file)]) == exit_codes.BUNDLE
    assert "hint: pip install 'piquet[pdf]', and the package libpango-1.0-0" in capsys.readouterr().err
    assert not file.exists()


def test_what_others_wrote_stays_text() -> None:
    """Words of a page and of the record leave neither their element nor their line, and load nothing."""
    asked = whole()
    bad = '<img src="https://evil.example/x">"\'&{{ 7*7 }}\x1b[31m\u202e'
    mandate = Mandate(bad, "2026-12-12", {}, "", ())
    pages = [replace(page, text=f"# {bad}\n\n{bad}\n") for page in asked.pages]
    found = sheets(replace(asked.campaign, mandate=mandate), pages, "0" * 64)
    html, text = sheets_html(found), sheets_text(found)
    assert not re.search(r"<(?!/?(?:html|head|meta|title|style|body|section|h1|h2|p)\b|!DOCTYPE)", html)
    assert "evil.example" in html and "49" not in html.replace("{{ 7*7 }}", "")
    assert "\x1b" not in text and "\u202e" not in text


def test_a_long_list_is_cut_and_says_so() -> None:
    """On a wall; the document has all names."""
    asked = whole()
    names = {f"s{number}.test.org": "out" for number in range(SHOWN_SITES + 7)}
    campaign = replace(asked.campaign, sites=Selection(("*",), tuple(names), {}))
    text = sheets_text(sheets(campaign, asked.pages, "0" * 64))
    assert "et 7 autres, tous dans decision.json" in text and "on strike: every other site" in text
