# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server tells, whatever a campaign asks of it: the survey shows it too. No file, no network, no clock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from piquet.fleet.model import ServerFacts
from piquet.plan.judged_server import JudgedServer
from piquet.protocol.findings import Finding

BROKEN = "config-broken"
"""Code of the finding that a server refuses its own configuration."""


def server_findings(
    kind: JudgedServer[Any], host: str, server: ServerFacts, *, is_planned: bool = True
) -> Iterator[Finding]:
    """All that a server tells by itself, without what a plan says of its own sites where there is one."""
    yield from _config(kind, host, server)
    yield from _dropin(kind, host, server)
    yield from _modules(kind, host, server)
    yield from kind.server_findings(host, server)
    if not is_planned:
        yield from kind.survey_findings(host, server)


def _config(kind: JudgedServer[Any], host: str, server: ServerFacts) -> Iterator[Finding]:
    if not server.test_ok:
        message = f"the configuration of {kind.name} fails its own test, before anything of ours"
        got = " ".join(server.test_output.split())[-300:]
        yield Finding(
            "error", BROKEN, host, message, got=got, hint="have the owner mend it, then survey again"
        )


def _dropin(kind: JudgedServer[Any], host: str, server: ServerFacts) -> Iterator[Finding]:
    if not server.dropin_dir:
        message = f"{kind.name} includes no folder of drop-in files at its top level"
        yield Finding("error", "no-dropin-folder", host, message, f"such as {kind.dropin_example}/*.conf")


def _modules(kind: JudgedServer[Any], host: str, server: ServerFacts) -> Iterator[Finding]:
    missing = [name for name in kind.needed if name not in server.modules]
    if missing and server.test_ok:  # under a broken configuration Apache names no module at all
        message = f"{kind.name} runs without modules that the configuration needs"
        hint = kind.how_to_load(missing)
        yield Finding("error", "module-missing", host, message, ", ".join(missing), hint=hint)
