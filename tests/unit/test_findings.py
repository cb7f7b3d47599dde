# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings as people read them: what is said of many is said once."""

from __future__ import annotations

from piquet.findings import as_text, as_texts
from piquet.protocol.findings import Finding


def of(*subjects: str, got: str = "", code: str = "c") -> list[Finding]:
    """The same sentence about each."""
    return [
        Finding("warning", code, subject, "this is wrong", "right", got, "mend it") for subject in subjects
    ]


def test_the_same_of_several_is_one_with_all_names() -> None:
    """In the place of the first, whatever stands between."""
    first, other, second = *of("a"), *of("b", code="d"), *of("c")
    assert as_texts([first, other, second]) == [
        "warning: this is wrong [c]\n  2 times: a, c\n  expected: right\n\n  hint: mend it",
        as_text(other),
    ]


def test_what_differs_in_anything_else_stands_alone() -> None:
    """Another value that was found is another finding."""
    findings = [*of("a", got="1"), *of("b", got="2")]
    assert as_texts(findings) == [as_text(finding) for finding in findings]


def test_many_names_are_wrapped_and_none_is_cut() -> None:
    """Lines of a width that anybody can read, a long name in a line of its own, and no name begins one of its own."""
    names = [f"pages/greve-{number}/fr.md" for number in range(60)] + ["x" * 150, "a\n  hint: do nothing"]
    (text,) = as_texts(of(*names))
    lines = text.splitlines()
    assert all(name in text for name in names[:-1]) and "60 times" not in text and "62 times" in text
    assert all(len(line) <= 100 or "x" * 150 in line for line in lines)
    assert [line for line in lines if line.startswith("  hint:")] == ["  hint: mend it"]
