# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a campaign, an inventory, a survey or a host is refused and explained; nothing is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import figures
from tests.bad import on_host
from tests.bad.cases import AT_HOME, CASES, ON_HOSTS, Answer, ask, lay_out, tree
from tests.case_files import CaseFile
from tests.host.folder_host import FolderHost

LEAST = 40


@pytest.mark.parametrize("case", AT_HOME, ids=lambda case: case.name)
def test_a_bad_case_is_explained(
    case: CaseFile,
    tmp_path: Path,
    is_regenerating: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The verb refuses, says every reason with its place and what to do, and writes nothing."""
    lay_out(case, tmp_path)
    judge(case, ask(case, tmp_path, monkeypatch, capsys), is_regenerating)


@pytest.mark.parametrize("case", ON_HOSTS, ids=lambda case: case.name)
def test_a_bad_host_is_explained(case: CaseFile, host: FolderHost, is_regenerating: bool) -> None:
    """The agent's verb refuses and says why; every file of the host, foreign and ours, is as it was."""
    judge(case, on_host.Case(host, case).answer(), is_regenerating)


def judge(case: CaseFile, answer: Answer, is_regenerating: bool) -> None:
    """Hold an answer against the golden one."""
    figures.note(
        "bad-input",
        case=case.name,
        refused_by=answer.verb,
        reasons=answer.reasons,
        tree_unchanged="yes" if answer.is_untouched else "no",
    )
    assert answer.is_refused, answer.text
    assert answer.is_untouched
    assert answer.reasons >= 1
    if is_regenerating:
        case.expect(answer.text)
    assert case.expected == answer.text
    assert "expected:" in answer.text or "hint:" in answer.text, "nobody would know what to do next"
    assert all(line.isprintable() for line in answer.text.replace("\t", " ").splitlines())


@pytest.mark.parametrize("verb", ["check", "plan"])
def test_the_sound_case_is_accepted(
    tmp_path: Path, verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the cases are laid over is refused by nobody, so it is the case that is refused."""
    case = CaseFile(Path("sound"), {"verb": verb})
    lay_out(case, tmp_path)
    assert not ask(case, tmp_path, monkeypatch, capsys).is_refused


def test_a_change_of_the_tree_is_seen(tmp_path: Path) -> None:
    """Content, mode and new names change the digest that says whether anything was touched."""
    file = tmp_path / "a"
    file.write_text("a")
    seen = {tree(tmp_path)}
    for change in (lambda: file.write_text("b"), lambda: file.chmod(0o600), lambda: (tmp_path / "c").mkdir()):
        change()
        seen.add(tree(tmp_path))
    assert len(seen) == 4


def test_there_are_enough_cases() -> None:
    """At least forty, each with its own words of explanation and one test above."""
    print(f"\n{len(CASES)} cases of bad input, {len(ON_HOSTS)} of them on a host")
    assert len(CASES) >= LEAST
    assert [case.name for case in CASES if not case.expected] == []
