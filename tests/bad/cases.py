# SPDX-License-Identifier: GPL-3.0-or-later
"""How a case is made and asked.

`base/` is a sound campaign with its fleet. A case (`cases/NAME.txt`, see `tests.case_files`) is laid over it: its
files take the place of base's, what `without` names is taken away, and `verb` says which verb must refuse it. One
with a `host.yml` is asked on a host instead (`on_host`). `expected` is the whole answer; `pytest tests/bad
--regenerate` writes it anew.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

import pytest

from piquet import cli
from piquet.cli import check, plan
from piquet.fleet import inventory
from tests.case_files import CaseFile, read_case

FOLDER = Path(__file__).parent
CASES = [read_case(path) for path in sorted((FOLDER / "cases").glob("*.txt"))]
ON_HOSTS = [case for case in CASES if "host.yml" in case.files]
AT_HOME = [case for case in CASES if case not in ON_HOSTS]
_LISTING = inventory._listing
_SAID: dict[bytes, dict[str, Any]] = {}


@dataclass(frozen=True)
class Answer:
    """What a case was answered.

    Attributes:
        verb: that was asked.
        text: all of it, as the case has it.
        reasons: how many errors it names.
        is_refused: whether the verb refused.
        is_untouched: whether every file is as it was.
    """

    verb: str
    text: str
    reasons: int
    is_refused: bool
    is_untouched: bool


class Noon(datetime):
    """The clock of every case: half a day before the window of the sound campaign."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        """Always the same."""
        return datetime(2026, 12, 16, 12, 0, tzinfo=UTC)


def lay_out(case: CaseFile, folder: Path) -> None:
    """Make the case's folder: base, and the case over it."""
    shutil.copytree(FOLDER / "base", folder, symlinks=True, dirs_exist_ok=True)
    for name in case.head.get("without", "").split():
        (folder / name).unlink()
    case.write_to(folder)
    (folder / ".piquet").mkdir()
    (folder / "surveys").rename(folder / ".piquet/surveys")


def ask(
    case: CaseFile, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Answer:
    """Ask as the user does: `piquet check`, or `piquet plan -i hosts.yml`, in the campaign's folder."""
    verb = case.head.get("verb", "check")
    for module in (check, plan):
        monkeypatch.setattr(module, "datetime", Noon)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(inventory, "_listing", _listed)
    before = tree(folder)
    capsys.readouterr()
    code = cli.run_command([verb, "campaign.yml", *(() if verb == "check" else ("-i", "hosts.yml"))])
    said = capsys.readouterr()
    besides = [p for p in said.out.split("\n\n") if p.startswith(("warning: ", "info: ", "  hint: "))]
    text = "\n\n".join([f"exit code {code}", said.err.strip(), *besides]) + "\n"
    return Answer(
        verb, text.replace(str(folder), "FOLDER"), _reasons(said.err), code != 0, tree(folder) == before
    )


def _listed(path: Path | str, limit: str | None) -> dict[str, Any]:
    """What Ansible says of an inventory, asked once for the same text: most cases have that of `base`."""
    file = Path(path)
    if not file.is_file() or limit:
        return _LISTING(path, limit)
    text = file.read_bytes()
    if text not in _SAID:
        _SAID[text] = _LISTING(path, limit)
    return _SAID[text]


def _reasons(text: str) -> int:
    """Paragraphs that are a reason: hints belong to the one above, a headline counts those below it."""
    paragraphs = [p for p in text.strip().split("\n\n") if not p.startswith(("  hint:", "warning:"))]
    return len(paragraphs) - 1 if len(paragraphs) > 1 else len(paragraphs)


def tree(folder: Path) -> str:
    """One digest over names, modes and bytes of all that is there."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        data = (
            str(path.readlink()).encode()
            if path.is_symlink()
            else path.read_bytes()
            if path.is_file()
            else b""
        )
        total.update(f"{path.relative_to(folder)} {path.lstat().st_mode:o} {len(data)}\n".encode() + data)
    return total.hexdigest()
