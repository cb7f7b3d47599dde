# SPDX-License-Identifier: GPL-3.0-or-later
"""What the author of a broken campaign file is told: each case of `bad/` holds file and whole message."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from piquet.campaign.document import read_document
from piquet.campaign.parse import parse_campaign
from piquet.errors import CampaignError
from tests.case_files import CaseFile, read_case

CASES = [read_case(path) for path in sorted((Path(__file__).parent / "bad").glob("*.txt"))]


def message(case: CaseFile) -> str:
    """What `parse_campaign` says about a file and its consent list."""
    text = case.files["campaign.yml"].decode()
    named = re.search(r"consent: ([a-z-]+\.csv)", text)
    consent = case.files.get(named[1]) if named else None
    with pytest.raises(CampaignError) as caught:
        parse_campaign(text, f"{case.name}.yml", consent.decode() if consent else None)
    return f"{caught.value}\n"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_broken_file_is_explained(case: CaseFile, is_regenerating: bool) -> None:
    """Every problem is told at once, with its place, what was expected and what is there."""
    actual = message(case)
    if is_regenerating:
        case.expect(actual)
    assert case.expected == actual


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_messages_hold_nothing_that_a_terminal_obeys(case: CaseFile) -> None:
    """Whatever stands in a file, its message is printable."""
    assert all(line.isprintable() for line in message(case).splitlines())


def test_a_bomb_of_aliases_is_refused_at_once() -> None:
    """Nine levels of ten aliases would be a thousand million values; none is made."""
    levels = "abcdefghij"
    lines = ["a: &a x"] + [
        f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]" for before, name in pairwise(levels)
    ]
    document = read_document("\n".join(lines), "bomb.yml")
    assert len(document.problems) == 1 + 9 * 11


def test_a_long_file_is_not_even_read() -> None:
    """A quarter of a million characters is more than any campaign needs."""
    with pytest.raises(CampaignError, match="too long"):
        parse_campaign("a: b\n" * 60_000, "long.yml")
