# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that stay ours after the end, and hosts without hook lines."""

from __future__ import annotations

from pathlib import Path

from piquet.host.outcome import Outcome
from tests.host.folder_host import DROPIN, SITES, FolderHost


def without_hooks(host: FolderHost, *sites: str) -> dict[Path, str]:
    """Somebody's deploy takes the hooks of sites out; what their files held."""
    paths = [host.root / f"etc/nginx/sites-available/{site}" for site in sites]
    hooked = {path: path.read_text() for path in paths}
    for path, text in hooked.items():
        path.write_text(text.replace("include ", "# include "))
    host.machine().servers["nginx"].reload()
    return hooked


def severity(outcome: Outcome, code: str) -> str:
    """Of the one finding with a code."""
    (found,) = [finding.severity for finding in outcome.findings if finding.code == code]
    return found


def make_it_stay(host: FolderHost) -> None:
    """A configuration that goes on without flags (a bug of ours, or a clock that is wrong)."""
    path = host.paths.at(DROPIN)
    path.write_text(path.read_text().replace(f"{host.paths.live}/", f"{host.root}/tmp/"))
    for site in SITES:
        (host.root / "tmp" / site).touch()
    host.machine().servers["nginx"].reload()
