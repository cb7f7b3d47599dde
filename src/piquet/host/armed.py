# SPDX-License-Identifier: GPL-3.0-or-later
"""What `armed.json` says, as a value. It holds all that reconcile needs, so that nothing else must be readable."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Dict, FrozenSet, Mapping, Optional, Tuple

from piquet.host import state
from piquet.host.errors import StateError
from piquet.host.manifest import Manifest, Phase
from piquet.host.paths import Paths


@dataclass(frozen=True)
class Armed:
    """An armed host.

    Attributes:
        plan_digest: of the plan that was armed.
        campaign: its name.
        armed_at: epoch seconds.
        boot_id: of the boot in which flags were last put up.
        is_complete: False from before flags are put up until they are.
        stopped: when single entries were stopped by hand, by key.
        entries: the end of each entry's last phase, by key.
        phases: of this host.
        watch: stamps of the files that carry the hook, to notice cheaply when one changes.
    """

    plan_digest: str
    campaign: str
    armed_at: float
    boot_id: str
    is_complete: bool
    stopped: Mapping[str, float]
    entries: Mapping[str, int]
    phases: Tuple[Phase, ...]
    watch: Mapping[str, Any]

    @property
    def end(self) -> int:
        """End of the last phase; 0 if there is none, so that nothing can be armed for ever."""
        return max((phase.end for phase in self.phases), default=0)

    def expected(self, now: float) -> FrozenSet[str]:
        """Keys whose flag should be up."""
        return frozenset(k for k, end in self.entries.items() if now < end and k not in self.stopped)

    def in_boot(self, boot_id: str, is_complete: bool) -> Armed:
        """The same, with flags (being) put up in this boot."""
        return replace(self, boot_id=boot_id, is_complete=is_complete)

    def without(self, keys: FrozenSet[str], at: float) -> Armed:
        """The same, with entries stopped."""
        return replace(self, stopped={**self.stopped, **{key: at for key in keys}})

    def to_json(self) -> Dict[str, Any]:
        """The state file's document."""
        return {
            "piquet_armed": 1,
            "plan_digest": self.plan_digest,
            "campaign": self.campaign,
            "armed_at": self.armed_at,
            "boot": {"id": self.boot_id, "complete": self.is_complete},
            "stopped": dict(self.stopped),
            "entries": dict(self.entries),
            "phases": [vars(phase) for phase in self.phases],
            "watch": dict(self.watch),
        }


def from_json(document: Mapping[str, Any]) -> Armed:
    """Read `armed.json` or `ended.json`.

    Raises:
        StateError: something is missing or has the wrong type.
    """
    try:
        phases = (Phase(p["number"], p["mode"], int(p["start"]), int(p["end"])) for p in document["phases"])
        return Armed(
            str(document["plan_digest"]),
            str(document["campaign"]),
            float(document["armed_at"]),
            str(document["boot"]["id"]),
            bool(document["boot"]["complete"]),
            {str(k): float(v) for k, v in document["stopped"].items()},
            {str(k): int(v) for k, v in document["entries"].items()},
            tuple(phases),
            dict(document["watch"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StateError(f"armed.json cannot be used: {error!r}.") from error


def read(paths: Paths) -> Optional[Armed]:
    """What this host is armed with, None if it is not.

    Raises:
        StateError: it is armed with something that cannot be read.
    """
    document = state.read(paths.armed)
    return None if document is None else from_json(document)


def read_ended(paths: Paths) -> Optional[Armed]:
    """What this host was armed with last, None if that is unknown."""
    document = state.read_or_none(paths.ended)
    try:
        return None if document is None else from_json(document)
    except StateError:
        return None


def begin(manifest: Manifest, digest: str, at: float, boot_id: str, watch: Mapping[str, Any]) -> Armed:
    """A new armed state, before any flag is up."""
    ends = manifest.ends()
    return Armed(digest, manifest.campaign, at, boot_id, False, {}, ends, manifest.phases, watch)
