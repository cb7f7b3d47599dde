# SPDX-License-Identifier: GPL-3.0-or-later
"""The paper for the desk: golden in both languages, with commands that stand, whatever an inventory is called."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from string import Formatter
from typing import Any

import pytest

from piquet.decision.pdf import sheet_pdf
from piquet.fleet.read import read_fleet
from piquet.plan import make_plan
from piquet.protocol.places import END_IT_NOW
from piquet.report import words
from piquet.report.desk_paper import DeskFacts, desk_paper, paper_html, paper_text
from piquet.report.ssh_line import ending_line
from piquet.report.words import HANDED_IN, report_words
from piquet.servers.registry import SERVERS

from .samples import AT, block, campaign, nginx, survey

GOLDEN = Path(__file__).parent / "desk_paper"
NASTY = "<b>&'\"$(id)`{{7*7}}\n# x\x1b[31m"
HOSTS: Mapping[str, Mapping[str, Any]] = {
    "web1": {"ansible_host": "192.0.2.11", "ansible_user": "root"},
    "web2": {"ansible_host": "2001:db8::2", "ansible_user": "ada", "ansible_port": 2222},
    "web3": {"ansible_user": "{{ login }}"},
    "db": {"ansible_user": "root"},
}
PHASES = (
    "[{mode: banner, start: 2026-12-16T18:00, end: 2026-12-17T00:00, style: bar, message: m}, "
    "{mode: block, start: 2026-12-17T00:00, duration: 12h, page: p}, "
    "{mode: block, start: 2026-12-17T12:00, duration: 12h, page: q}, "
    "{mode: occupy, start: 2026-12-18T09:00, end: 2026-12-18T19:00, page: o, paths: [/, /agenda]}]"
)
MANDATE = (
    "{decision: the general assembly, decided_on: 2026-12-12, votes: {for: 29, against: 1}, "
    "record: https://example.org/pv}"
)


def facts(inventory: str = "hosts.yml", hosts: Mapping[str, Mapping[str, Any]] = HOSTS) -> DeskFacts:
    """Two surveyed hosts that show something, one that nobody has asked, one that serves nothing of it."""
    first, *_ = hosts
    served = nginx(block(1, "a.example.org"), block(9, "b.example.org"))
    surveys = {first: survey(nginx=served), "web2": survey(nginx=served), "db": survey()}
    known = read_fleet(hosts, surveys, SERVERS)
    wanted = campaign(phases=PHASES, mandate=MANDATE, open="{paths: [/api/]}", emergency="tel:+33100000000")
    plan = make_plan(wanted, known, AT, SERVERS)
    unasked = [name for name in sorted(hosts) if name not in surveys]
    return DeskFacts(plan, hosts, unasked, inventory, "pyinfra", AT)


@pytest.mark.parametrize("language", HANDED_IN)
def test_the_paper_is_the_golden_one(language: str, is_regenerating: bool) -> None:
    """Word for word; `--regenerate` writes it anew, and it is read aloud."""
    text, golden = paper_text(desk_paper(facts(), report_words(language))), GOLDEN / f"{language}.txt"
    if is_regenerating:
        golden.write_text(text, "utf-8")
    assert golden.read_text("utf-8") == text


def test_both_languages_say_the_same() -> None:
    """Each has every sentence, with the same places for values."""
    places = {
        language: {
            key: sorted({name for _, name, _, _ in Formatter().parse(text) if name})
            for key, text in report_words(language).texts.items()
        }
        for language in HANDED_IN
    }
    assert set(words._report_texts()) == set(HANDED_IN)
    assert places["fr"] == places["en"]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, f"ssh -t h 'sudo {END_IT_NOW}'"),
        ({"ansible_user": "root"}, f"ssh root@h '{END_IT_NOW}'"),
        ({"ansible_user": "ada", "piquet_become": False}, f"ssh ada@h '{END_IT_NOW}'"),
        ({"ansible_connection": "local", "ansible_user": "root"}, END_IT_NOW),
        (
            {
                "ansible_user": "root",
                "ansible_ssh_common_args": "-F 'a b' -o StrictHostKeyChecking=no",
                "ansible_private_key_file": "$(id)",
                "ansible_ssh_port": 22022,
            },
            f"ssh -F 'a b' -i '$(id)' -p 22022 -o StrictHostKeyChecking=no root@h '{END_IT_NOW}'",
        ),
        ({"ansible_host": "-oProxyCommand=id"}, ""),
        ({"ansible_become_method": "doas"}, ""),
        ({"ansible_host": "{{ address }}"}, ""),
    ],
)
def test_the_line_for_a_host_is_the_inventorys(variables: dict[str, Any], expected: str) -> None:
    """As it logs in; nothing where ssh cannot be told the same."""
    assert expected == ending_line("h", variables)


def test_names_of_others_stay_names() -> None:
    """In the text they are one line, in HTML text, in a command one word."""
    host = NASTY.partition("{{")[0]
    nasty = facts(NASTY, {host: {"ansible_user": "root"}, **HOSTS})
    paper = desk_paper(nasty, report_words("en"))
    commands = [line.command for part in paper.parts for line in part.lines if line.command]
    assert f"root@{host}" in [shlex.split(command)[1] for command in commands]
    assert shlex.split(commands[-1])[3] == NASTY
    seen = _Elements()
    seen.feed(paper_html([paper]))
    assert "b" not in seen.tags and {"article", "pre", "h1"} <= seen.tags
    assert "\x1b" not in "".join(line.text for part in paper.parts for line in part.lines)


class _Elements(HTMLParser):
    """Which elements there are."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)


def test_a_pdf_loads_nothing(tmp_path: Path) -> None:
    """It is a PDF, and what a page would bring along is not read, not even from this disk."""
    html = paper_html([desk_paper(facts(), report_words(language)) for language in HANDED_IN])
    pdf = sheet_pdf(html)
    assert pdf.startswith(b"%PDF-")
    (tmp_path / "secret").write_bytes(os.urandom(300_000))
    link = f"<link rel=attachment href='{(tmp_path / 'secret').as_uri()}'></head>"
    assert abs(len(sheet_pdf(html.replace("</head>", link))) - len(pdf)) < 10_000
