# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases on a host: the real agent in a host with a running nginx.

`host.yml` holds: `given`, the steps that bring the host there, in order; `ask`, the verb that must refuse, with the
controller's options. A step is a mapping with one key: a good verb (`hook`, `stage`, `arm`), or `write` (path → text),
`append`, `first` (into a block), `append_hook`, `delete`, `mode`, `link`, `wait` (seconds), `bundle` (changes of the
bundle that is asked for next), `no_server`, `stop` (the server).
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from piquet.findings import as_text
from piquet.host.outcome import Outcome
from piquet.host.servers.nginx import hook_line
from piquet.protocol.findings import Finding, errors
from tests.bad.cases import Answer
from tests.case_files import CaseFile
from tests.host.folder_host import FolderHost


class Case:
    """One host on its way into trouble."""

    def __init__(self, host: FolderHost, case: CaseFile) -> None:
        self.host = host
        self.document: Mapping[str, Any] = YAML(typ="safe", pure=True).load(case.files["host.yml"])
        self.bundle: dict[str, Any] = {}
        self.surveyed: dict[str, str] = {}
        self.waited_s = 0.0

    def answer(self) -> Answer:
        """Bring the host there, then ask."""
        for step in self.document.get("given", ()):
            ((name, value),) = step.items()
            self._step(name, value)
        asked = dict(self.document["ask"])
        verb = asked.pop("verb")
        before = self.host.tree()
        outcome = self._ask(verb, asked)
        found = [Finding.from_json(finding.to_json()) for finding in outcome.findings]
        text = "\n\n".join([outcome.message, *(as_text(finding) for finding in found)]) + "\n"
        return Answer(
            verb, self._stable(text), len(errors(found)), not outcome.is_ok, self.host.tree() == before
        )

    def _ask(self, verb: str, asked: dict[str, Any]) -> Outcome:
        digest, members = self._payload()
        asked["at"] = self.host.now + asked.pop("controller_is_ahead_s", 0)
        if verb == "stage":
            spoiled = asked.pop("spoiled", None)
            kept = {k: v for k, v in members.items() if not (spoiled and k.startswith(spoiled))}
            return self.host.ask("stage", kept, plan_digest=digest, **asked)
        if verb == "hook":
            return self.host.ask("hook", files=self.surveyed, **asked)
        pinned = {"plan_digest": digest} if verb in ("arm", "rehearse") else {}
        return self.host.ask(verb, **pinned, **asked)

    def _payload(self) -> tuple[str, dict[str, bytes]]:
        """Plan digest and members; windows count from when the case began, a page is text."""
        changes = {k: v.encode() if isinstance(v, str) and k == "page" else v for k, v in self.bundle.items()}
        return self.host.bundle(start=-int(self.waited_s), end=3600 - int(self.waited_s), **changes)

    def _step(self, name: str, value: Any) -> None:
        steps: dict[str, Callable[[Any], object]] = {
            "survey": lambda _: self._survey(),
            "hook": lambda _: self.host.hook(),
            "stage": lambda _: self.host.good("stage", self._payload()[1], plan_digest=self._payload()[0]),
            "arm": lambda _: self.host.good("arm", plan_digest=self._payload()[0]),
            "write": lambda files: [self._at(path).write_text(text) for path, text in files.items()],
            "append": lambda files: [_append(self._at(path), text) for path, text in files.items()],
            "first": lambda files: [self._first(self._at(path), text) for path, text in files.items()],
            "append_hook": lambda path: _append(
                self._at(path), f"{hook_line.line(self.host.paths.hook_include).decode()}\n"
            ),
            "delete": lambda paths: [self._at(path).unlink() for path in paths],
            "mode": lambda files: [self._at(path).chmod(int(mode, 8)) for path, mode in files.items()],
            "link": lambda files: [os.link(self._at(old), self._at(new)) for new, old in files.items()],
            "wait": self._wait,
            "bundle": self.bundle.update,
            "no_server": lambda _: self._without_server(),
            "stop": lambda _: self._stop(),
        }
        steps[name](value)

    def _survey(self) -> None:
        survey = self.host.good("survey").survey
        assert survey is not None
        self.surveyed = survey["nginx"]["files"]

    def _wait(self, seconds: float) -> None:
        self.host.now += seconds
        self.waited_s += seconds

    def _first(self, path: Path, text: str) -> None:
        before, brace, after = path.read_text().partition("{")
        path.write_text(before + brace + text + after)

    def _without_server(self) -> None:
        self.host.command_nginx("nginx-is-not-here")

    def _stop(self) -> None:
        self.host.stop()
        machine = self.host.machine()
        while machine.servers["nginx"].is_running():
            time.sleep(0.01)

    def _at(self, path: str) -> Path:
        return self.host.root / path.lstrip("/")

    def _stable(self, text: str) -> str:
        """The same text for every host: its folder, ports and digests differ."""
        for value, name in (
            (str(self.host.root), "ROOT"),
            (str(self.host.port), "PORT"),
            (self._payload()[0], "DIGEST"),
        ):
            text = text.replace(value, name)
        return _without_digests(text)


def _append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def _without_digests(text: str) -> str:
    return re.sub(r"\b[0-9a-f]{64}\b", "SHA256", text)
