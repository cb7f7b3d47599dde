# SPDX-License-Identifier: GPL-3.0-or-later
"""What the author of a broken campaign file is told: each `bad/NAME.yml` with its whole message in `NAME.txt`."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from piquet.campaign.document import read_document
from piquet.campaign.parse import parse_campaign
from piquet.errors import CampaignError

BAD = Path(__file__).parent / "bad"
FILES = sorted(BAD.glob("*.yml"))


def message(file: Path) -> str:
    """What `parse_campaign` says about a file and its consent list."""
    text = file.read_bytes().decode()
    named = re.search(r"consent: ([a-z-]+\.csv)", text)
    consent = BAD / named[1] if named else None
    consent_text = consent.read_text("utf-8") if consent and consent.exists() else None
    with pytest.raises(CampaignError) as caught:
        parse_campaign(text, file.name, consent_text)
    return f"{caught.value}\n"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_broken_file_is_explained(file: Path, is_regenerating: bool) -> None:
    """Every problem is told at once, with its place, what was expected and what is there."""
    golden, actual = file.with_suffix(".txt"), message(file)
    if is_regenerating:
        golden.write_text(actual, "utf-8")
    assert golden.read_text("utf-8") == actual


def test_every_message_belongs_to_a_file() -> None:
    """No golden file outlives its campaign."""
    assert {file.stem for file in BAD.glob("*.txt")} == {file.stem for file in FILES}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_messages_hold_nothing_that_a_terminal_obeys(file: Path) -> None:
    """Whatever stands in a file, its message is printable."""
    assert all(line.isprintable() for line in message(file).splitlines())


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
