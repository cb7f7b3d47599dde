# SPDX-License-Identifier: GPL-3.0-or-later
"""The threat model claims nothing that no test holds, says first what it cannot do, and can be read."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from piquet.resources import root

MODEL = root() / "docs/threat-model.md"
TEXT = MODEL.read_text("utf-8")
_HELD_BY = re.compile(r"`([\w/]+\.py)::(test_\w+)`")


def claims() -> Iterator[str]:
    """Every bullet, in one line."""
    for found in re.finditer(r"^- .*(?:\n  .*)*", TEXT, re.MULTILINE):
        yield re.sub(r"\s+", " ", found[0])


def test_it_says_first_what_it_cannot_do() -> None:
    """Before anything else."""
    first = TEXT.split("\n\n")[1].replace("\n", " ")
    assert first.startswith("It binds those who use piquet; root on a host can do anything there.")


def test_it_can_be_read() -> None:
    """By somebody who decides whether to use piquet."""
    lines = TEXT.splitlines()
    assert len(lines) <= 120 and max(map(len, lines)) <= 100


@pytest.mark.parametrize("claim", list(claims()))
def test_each_claim_has_a_test_that_there_is(claim: str) -> None:
    """Or it is a limit, and says so."""
    held_by = _HELD_BY.findall(claim)
    assert held_by or "Limit" in claim
    for file, name in held_by:
        tree = ast.parse((root() / "tests" / file).read_text("utf-8"))
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
        assert name in {node.name for node in tree.body if isinstance(node, kinds)}, f"{file}::{name}"
