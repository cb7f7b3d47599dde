# SPDX-License-Identifier: GPL-3.0-or-later
"""What pyinfra users may ask of a host; every fact is a shell command and a pure `process`."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

from pyinfra.api.facts import FactBase

from piquet.printable import printable_document
from piquet.protocol.places import DEFAULT_PYTHON

_AGENT = "/usr/local/sbin/piquet-host"


class Python(FactBase[str | None]):
    """The version of the Python that would run the agent, `3.11.2`; None where there is none.

    pyinfra INVENTORY fact piquet.deploys.facts.Python
    """

    def command(self, python: str = DEFAULT_PYTHON) -> str:
        """Ask the interpreter itself; that it is missing is an answer too."""
        return f"{shlex.quote(python)} --version 2>/dev/null || true"

    def process(self, output: list[str]) -> str | None:
        """Read `Python 3.11.2`, whatever a login shell prints around it."""
        found = [line.split()[1] for line in output if line.startswith("Python ") and len(line.split()) > 1]
        return found[-1] if found else None


class Status(FactBase[dict[str, Any]]):
    """What piquet is doing on this host, as the agent there says; `{}` where nothing was ever staged.

    pyinfra INVENTORY fact piquet.deploys.facts.Status   (with --sudo unless the login is root's)
    """

    def requires_command(self) -> str:
        """The agent is on every host that was staged."""
        return _AGENT

    def command(self) -> str:
        """Its one JSON document, also where it says by its exit status that a site was stopped."""
        return f"{_AGENT} status --json || true"

    @staticmethod
    def default() -> dict[str, Any]:
        """Nothing of ours."""
        return {}

    def process(self, output: list[str]) -> dict[str, Any]:
        """Read the document, whatever a login shell prints around it."""
        text = "\n".join(output)
        for start in re.finditer(r"^\{", text, re.MULTILINE):
            try:
                document, _ = json.JSONDecoder().raw_decode(text, start.start())
            except (ValueError, RecursionError):
                continue
            if "state" in document:
                return dict(printable_document(document))
        return {}
