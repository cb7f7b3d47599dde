# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge where the controller keeps what it learnt and decided: surveys, plans, bundles, baselines.

Bundles hold the bypass secret, so the folder is private and ignores itself in git.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from piquet.errors import FleetError, PlanError, Problem


class Workdir:
    """One folder; made when first written to.

    `surveys/HOST.json` · `plans/DIGEST/` (plan.json, a bundle per host, and what those share) ·
    `baselines/CAMPAIGN.json` · `certificates/CAMPAIGN-INSTANT.{txt,json}` ·
    `statuses/HOST.json` · `journals/HOST.jsonl` (what hosts journalled) · `journal.jsonl` (our own)
    """

    def __init__(self, path: Path) -> None:
        """Name the folder; nothing is touched yet."""
        self.path = path

    def surveys(self) -> dict[str, dict[str, Any]]:
        """Inventory name → the latest survey, as it was written.

        Raises:
            FleetError: if one of them is not JSON.
        """
        found, problems = {}, []
        for file in sorted((self.path / "surveys").glob("*.json")):
            try:
                found[unquote(file.stem)] = json.loads(file.read_text("utf-8"))
            except ValueError as err:
                hint = "delete it and run the survey verb again"
                problems.append(Problem(str(file), 0, 0, f"this is not a survey: {err}", hint=hint))
        if problems:
            raise FleetError("the surveys cannot be used", problems)
        return found

    def write_survey(self, host: str, survey: Mapping[str, Any]) -> Path:
        """Keep a host's survey in the place of the one before."""
        text = json.dumps(survey, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
        return self.write(f"surveys/{quote(host, safe='')}.json", text.encode())

    def bundle_dir(self, digest: str) -> Path:
        """The folder of one plan and its bundles; may not exist yet."""
        return self.path / "plans" / digest

    def write_plan(self, digest: str, document: bytes) -> Path:
        """Keep a plan's canonical document."""
        return self.write(f"plans/{digest}/plan.json", document)

    def is_told(self, digest: str, notes: str) -> bool:
        """Whether these very notes on this plan were shown before; from now on they were."""
        name = f"told/{digest}"
        try:
            if (self.path / name).read_text("utf-8") == notes:
                return True
        except (OSError, ValueError):
            pass
        with contextlib.suppress(OSError):  # a folder that cannot be written has them told once more
            self.write(name, notes.encode("utf-8", "backslashreplace"))
        return False

    def plan_document(self, digest: str) -> bytes:
        """The canonical document of a plan.

        Raises:
            PlanError: if there is none of that digest.
        """
        try:
            return (self.bundle_dir(digest) / "plan.json").read_bytes()
        except FileNotFoundError as err:
            raise PlanError(f"there is no plan {digest} in {self.path}\n\n  hint: run `piquet plan`") from err

    def baseline(self, campaign: str) -> Path:
        """The file for the fingerprints of a campaign's sites; may not exist yet."""
        return self.path / "baselines" / f"{campaign}.json"

    def last_certificate(self, campaign: str) -> dict[str, Any] | None:
        """The newest return certificate of a campaign as a document; None if none is kept."""
        for file in sorted((self.path / "certificates").glob(f"{campaign}-*.json"), reverse=True):
            with contextlib.suppress(OSError, ValueError):
                document = json.loads(file.read_text("utf-8"))
                if isinstance(document, dict) and document.get("campaign") == campaign:
                    return document
        return None

    def write_status(self, host: str, told: Mapping[str, Any]) -> Path:
        """Keep a host's last status with the instant at which it told it, in the place of the one before."""
        text = json.dumps(told, ensure_ascii=False, sort_keys=True) + "\n"
        return self.write(f"statuses/{quote(host, safe='')}.json", text.encode("utf-8", "backslashreplace"))

    def statuses(self) -> dict[str, dict[str, Any]]:
        """Inventory name → what it last told: `at`, `verb` and `status`; what is no such document is left out."""
        found = {}
        for file in sorted((self.path / "statuses").glob("*.json")):
            with contextlib.suppress(OSError, ValueError):
                document = json.loads(file.read_text("utf-8"))
                if isinstance(document, dict):
                    found[unquote(file.stem)] = document
        return found

    def host_journals(self) -> dict[str, list[dict[str, Any]]]:
        """Inventory name → what is known of its journal, of every host that has told any of it."""
        files = sorted((self.path / "journals").glob("*.jsonl"))
        return {unquote(file.stem): _records(file) for file in files}

    def host_journal(self, host: str) -> list[dict[str, Any]]:
        """What is known of a host's journal, in the order in which it came."""
        return _records(self.path / self._host_journal(host))

    def append_host_journal(self, host: str, records: Iterable[Mapping[str, Any]]) -> None:
        """Add lines that a host told."""
        self._append(self._host_journal(host), records)

    def journal(self) -> list[dict[str, Any]]:
        """Our own journal."""
        return _records(self.path / "journal.jsonl")

    def append_journal(self, record: Mapping[str, Any]) -> None:
        """Add a line to our own journal."""
        self._append("journal.jsonl", [record])

    def _host_journal(self, host: str) -> str:
        return f"journals/{quote(host, safe='')}.jsonl"

    def _append(self, name: str, records: Iterable[Mapping[str, Any]]) -> None:
        """Add lines in one write, so that those of several processes stay apart."""
        lines = "".join(f"{json.dumps(record, sort_keys=True, ensure_ascii=False)}\n" for record in records)
        if not lines:
            return
        target = self.path / name
        self._make()
        for folder in reversed(
            target.relative_to(self.path).parents
        ):  # `parents=True` would open those between
            (self.path / folder).mkdir(exist_ok=True, mode=0o700)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, lines.encode("utf-8", "backslashreplace"))
        finally:
            os.close(descriptor)

    def write(self, name: str, content: bytes) -> Path:
        """Write a private file below the folder, whole or not at all."""
        target = self.path / name
        self._make()
        for folder in reversed(
            target.relative_to(self.path).parents
        ):  # `parents=True` would open those between
            (self.path / folder).mkdir(exist_ok=True, mode=0o700)
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        Path(temporary).replace(target)
        return target

    def _make(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        ignore = self.path / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", "utf-8")


def _records(file: Path) -> list[dict[str, Any]]:
    """The lines of a journal that are records with an instant; others (a torn last one) are left out."""
    try:
        lines = file.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        with contextlib.suppress(ValueError, RecursionError):
            record = json.loads(line)
            if isinstance(record, dict) and isinstance(record.get("at"), int | float):
                found.append(record)
    return found
