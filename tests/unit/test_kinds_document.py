# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of kinds in the docs says what the corpus says."""

from __future__ import annotations

from tests.corpus.document import PATH, kinds_document
from tests.corpus.kinds import load


def test_the_document_is_what_the_corpus_says(is_regenerating: bool) -> None:
    """Word for word what the generator makes; `--regenerate` writes it anew."""
    made = kinds_document()
    if is_regenerating:
        PATH.write_text(made, encoding="utf-8")
    assert made == PATH.read_text("utf-8")


def test_every_kind_is_named() -> None:
    """None is left out, those with limits least of all."""
    text = PATH.read_text("utf-8")
    for provider in ("nginx", "apache"):
        part = text.partition(f"## {'Apache' if provider == 'apache' else 'nginx'}: ")[2].partition("\n## ")[
            0
        ]
        named = {
            line.split(" | ")[0].removeprefix("| ") for line in part.splitlines() if line.startswith("| ")
        }
        assert named - {"kind"} == {kind.name for kind in load(provider, limits=True)}
