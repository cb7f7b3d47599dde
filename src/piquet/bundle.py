# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host gets: files with modes and digests, and the manifest over them.

Same input, same bytes: no time, no random value and nothing of the controller is in any of it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from piquet.agent_archive import agent_zipapp
from piquet.campaign.model import Phase
from piquet.fleet.model import Scheduler
from piquet.fleet.surveyed_server import kind_named
from piquet.pages.source import PageSource
from piquet.plan import Entry, HostPlan, Plan
from piquet.protocol import places
from piquet.protocol.canonical import canonical
from piquet.protocol.places import AGENT_PATH, DIGEST_MARK
from piquet.servers import schedule
from piquet.servers.registry import SERVERS
from piquet.servers.view import CampaignView, campaign_view


@dataclass(frozen=True)
class File:
    """One file or link of a bundle; everything belongs to root.

    Attributes:
        path: absolute path on the host.
        kind: `file` or `link`.
        mode: octal digits, e.g. `0644`; "" for a link.
        content: bytes of a file, b"" for a link.
        target: where a link points, "" for a file.
    """

    path: str
    kind: Literal["file", "link"] = "file"
    mode: str = "0644"
    content: bytes = b""
    target: str = ""

    @property
    def sha256(self) -> str:
        """Digest of the bytes as they are carried, marks not filled in."""
        return hashlib.sha256(self.content).hexdigest()

    def entry(self) -> dict[str, Any]:
        """The file's line of the manifest."""
        if self.kind == "link":
            return {"path": self.path, "kind": "link", "target": self.target}
        return {
            "path": self.path,
            "kind": "file",
            "mode": self.mode,
            "sha256": self.sha256,
            "size": len(self.content),
            "fill": DIGEST_MARK.encode() in self.content and self.path != AGENT_PATH,
        }


@dataclass(frozen=True)
class Bundle:
    """All that one host gets, and the manifest that says so."""

    host: str
    manifest: bytes
    files: tuple[File, ...]

    @property
    def manifest_sha256(self) -> str:
        """What the plan pins for this host."""
        return hashlib.sha256(self.manifest).hexdigest()


def pages_folder(key: str, campaign: str) -> str:
    """Where pages lie on the hosts: the workers must read them there, and nobody else can guess the name.

    Args:
        key: of the pages, which the controller keeps.
        campaign: its name.
    """
    return f"{places.LIB}/www-{_made_of(key, f'pages of {campaign}')}"


def seal(key: str, campaign: str) -> str:
    """What only root and the configuration on the hosts know, so that nobody else can tell which words are repeated.

    Args:
        key: of the pages, which the controller keeps.
        campaign: its name.
    """
    return _made_of(key, f"seal of {campaign}")


def _made_of(key: str, what: str) -> str:
    return hmac.new(key.encode(), what.encode(), hashlib.sha256).hexdigest()[:32]


def build_bundles(
    plan: Plan, pages: Iterable[PageSource], secret: str | None, key: str
) -> tuple[Bundle, ...]:
    """One bundle per host of the plan that has something to show.

    Args:
        plan: what was decided, already checked.
        pages: the organisers' texts, one per phase and language.
        secret: the bypass secret, or None where the campaign has no bypass.
        key: names the folder of pages.

    Raises:
        BundleError: a page is missing, or a value cannot be written safely.
    """
    name = plan.campaign.name
    view = campaign_view(plan.campaign, secret, pages, pages_folder(key, name), seal(key, name))
    shared = tuple(_shared_files(view))
    keys = [(host.scheduler, _units(host)) for host in plan.hosts]
    schedules = {key: tuple(_schedule_files(view, *key)) for key in set(keys)}
    return tuple(
        _bundle(plan, host, view, (*shared, *schedules[key]))
        for host, key in zip(plan.hosts, keys, strict=True)
        if host.entries
    )


def _shared_files(view: CampaignView) -> Iterator[File]:
    """Files that are the same on every host."""
    yield File(f"{places.ETC}/README", mode="0600", content=schedule.readme(view).encode())
    for name, content in view.files.items():
        yield File(f"{view.www}/{name}", content=content)


def _units(host: HostPlan) -> tuple[str, ...]:
    """Units of the servers that show something there, besides those that packages give every host."""
    shown = {entry.provider for entry in host.entries}
    return tuple(unit for provider in sorted(shown) for unit in kind_named(SERVERS, provider).units)


def _schedule_files(view: CampaignView, scheduler: Scheduler, units: tuple[str, ...]) -> Iterator[File]:
    """Units and links, or the one cron file."""
    for path, (mode, text) in schedule.schedule_files(view, scheduler, units).items():
        yield File(path, mode=mode, content=text.encode())
    for path, target in schedule.UNIT_LINKS[scheduler].items():
        yield File(path, kind="link", mode="", target=target)


def _bundle(plan: Plan, host: HostPlan, view: CampaignView, shared: tuple[File, ...]) -> Bundle:
    files = [*shared, File(AGENT_PATH, mode="0755", content=agent_zipapp(host.python))]
    shown = {entry.provider for entry in host.entries}
    for server in host.providers:
        if server.provider in shown:
            texts = kind_named(SERVERS, server.provider).files(view.at_host(host), host, server)
            files += [File(path, mode=mode, content=text.encode()) for path, (mode, text) in texts.items()]
    ordered = tuple(sorted(files, key=lambda file: file.path))
    return Bundle(host.host, _manifest(plan, host, ordered, view.seal), ordered)


def _manifest(plan: Plan, host: HostPlan, files: tuple[File, ...], seal: str) -> bytes:
    campaign = plan.campaign
    return canonical(
        {
            "piquet_manifest": 1,
            "host": host.host,
            "campaign": campaign.name,
            "contact": campaign.contact,
            "timezone": campaign.timezone,
            "providers": sorted({entry.provider for entry in host.entries}),
            "variants": {server.provider: server.variant for server in host.providers},
            "scheduler": host.scheduler,
            "seal": seal,
            "phases": [_phase_entry(phase) for phase in campaign.phases],
            "entries": [_entry(entry) for entry in host.entries],
            "files": [file.entry() for file in files],
        }
    )


def _phase_entry(phase: Phase) -> dict[str, Any]:
    return {
        "number": phase.number,
        "mode": phase.mode,
        "start": int(phase.start_at.timestamp()),
        "end": int(phase.end_at.timestamp()),
    }


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "key": entry.key,
        "phases": list(entry.phases),
        "provider": entry.provider,
        "probe": vars(entry.probe) if entry.probe else None,
    }
