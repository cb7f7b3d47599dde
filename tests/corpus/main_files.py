# SPDX-License-Identifier: GPL-3.0-or-later
"""Owners' main files as data: nginx.conf and apache2.conf as people have them, each with what piquet says of it.

A file opens with a comment of `# key: value` lines like a kind: `main` (one sentence), `finding` (code of what survey
and plan must say of it; empty = nothing), `modules` (what Apache must have loaded besides), `mpm` (Apache's, event by
default), `sites` (the folder in which the owner has the sites, sites-enabled by default). What stands behind is used
as it is, less the ports.
"""

from __future__ import annotations

from dataclasses import dataclass

from .kinds import HERE, Provider, comment


@dataclass(frozen=True)
class MainFile:
    """One main file and what its comment says."""

    provider: Provider
    name: str
    text: str
    says: str
    finding: str
    modules: tuple[str, ...]
    mpm: str
    sites: str


def load(provider: Provider) -> tuple[MainFile, ...]:
    """Every main file of a server besides the usual one, sorted by name."""
    found = []
    for path in sorted((HERE / "main" / provider).glob("*.conf")):
        text = path.read_text("utf-8")
        head = comment(text)
        modules = tuple(head.get("modules", "").split())
        mpm = head.get("mpm", "event")
        sites = head.get("sites", "")
        found.append(MainFile(provider, path.stem, text, head["main"], head["finding"], modules, mpm, sites))
    return tuple(found)
