# SPDX-License-Identifier: GPL-3.0-or-later
"""What `armed.json` says, as a value, and whether its token agrees: a host is armed only while both say so.

It holds all that reconcile needs, so that nothing else must be readable.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Dict, FrozenSet, Literal, Mapping, Optional, Tuple

from piquet.host.errors import StateError
from piquet.host.state import documents, store, token_file
from piquet.host.state.manifest import Manifest, StagedPhase
from piquet.host.system.paths import Paths

StoppedBy = Literal["hand", "hook", "name"]
"""How a single entry was stopped: its flag was taken away, its hook line was, or `stop` was told its name."""


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
        hooks: how many server blocks with our line serve an entry, by key; none where no line is needed.
        kept: keys of entries with a line in a panel's place, which outlives a rebuild of what stands around it.
        unhooked: those of the stopped entries whose line was taken out.
        named: those of the stopped entries that the verb `stop` was told by name.
        unwatched_at: when somebody stopped our units by hand, None while they run; the token has it alone.
        arming: random name of this arming, which the token has too.
        changed_ns: when the token was last changed, None where its birth is known.
    """

    plan_digest: str
    campaign: str
    armed_at: float
    boot_id: str
    is_complete: bool
    stopped: Mapping[str, float]
    entries: Mapping[str, int]
    phases: Tuple[StagedPhase, ...]
    watch: Mapping[str, Any]
    hooks: Mapping[str, int] = field(default_factory=dict)
    unhooked: FrozenSet[str] = frozenset()
    named: FrozenSet[str] = frozenset()
    unwatched_at: Optional[float] = None
    arming: str = ""
    changed_ns: Optional[int] = None
    kept: FrozenSet[str] = frozenset()

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

    def without(self, keys: FrozenSet[str], at: float, by: StoppedBy = "hand") -> Armed:
        """The same, with entries stopped."""
        unhooked = self.unhooked | keys if by == "hook" else self.unhooked
        named = self.named | keys if by == "name" else self.named
        return replace(
            self, stopped={**self.stopped, **{key: at for key in keys}}, unhooked=unhooked, named=named
        )

    def stopped_by(self, key: str) -> StoppedBy:
        """How an entry was stopped."""
        return "name" if key in self.named else "hook" if key in self.unhooked else "hand"

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
            "hooks": dict(self.hooks),
            "kept": sorted(self.kept),
            "unhooked": sorted(self.unhooked),
            "named": sorted(self.named),
            "token": {"arming": self.arming, "changed_ns": self.changed_ns},
        }


def from_json(document: Mapping[str, Any]) -> Armed:
    """Read `armed.json` or `ended.json`.

    Raises:
        StateError: something is missing or has the wrong type.
    """
    try:
        token = document["token"]
        return Armed(
            documents.text(document["plan_digest"]),
            documents.text(document["campaign"]),
            documents.epoch_seconds(document["armed_at"]),
            documents.text(document["boot"]["id"]),
            document["boot"]["complete"] is True,
            documents.instants(document["stopped"]),
            documents.whole_instants(document["entries"]),
            tuple(_phase(phase) for phase in document["phases"]),
            dict(document["watch"]),
            {documents.key(name): documents.count(number) for name, number in document["hooks"].items()},
            frozenset(documents.key(name) for name in document["unhooked"]),
            frozenset(documents.key(name) for name in document.get("named", ())),
            arming=documents.text(token["arming"]),
            changed_ns=documents.count_or_none(token["changed_ns"]),
            kept=frozenset(documents.key(name) for name in document.get("kept", ())),
        )
    except documents.FAULTS as error:
        raise StateError(f"armed.json cannot be used: {error!r}.") from error


def _phase(record: Mapping[str, Any]) -> StagedPhase:
    """One phase, with instants that are dates."""
    start, end = documents.epoch_seconds(record["start"]), documents.epoch_seconds(record["end"])
    return StagedPhase(
        documents.count(record["number"]), documents.text(record["mode"]), int(start), int(end)
    )


def read_armed(paths: Paths) -> Optional[Armed]:
    """What `armed.json` says, None if there is none; the host is armed with it only if the token agrees.

    Raises:
        StateError: there is one that cannot be read.
    """
    return _read(paths.armed)


def _read(path: Path) -> Optional[Armed]:
    """What one of the state files says, None if there is none.

    Raises:
        StateError: there is one that cannot be read.
    """
    try:
        return _parsed_arming(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, *documents.FAULTS) as error:
        raise StateError(f"{path} cannot be read: {error}.") from error


@functools.lru_cache(maxsize=4)
def _parsed_arming(data: bytes) -> Armed:
    """The same bytes say the same: a verb reads them many times, and they may be of thousands of sites."""
    return from_json(documents.parse_document(data))


def agreed(paths: Paths, said: Armed) -> Optional[Armed]:
    """What the token says to it as well, None if it says otherwise: then this is an old state, or another host's.

    The token is the younger one: what it says of stops and of the boot counts. A record of the end of this very arming
    contradicts both.
    """
    try:
        token = token_file.read_token(paths)
    except StateError:
        return None
    ended = read_ended(paths)
    if token is None or token.arming != said.arming or token.changed_ns != said.changed_ns:
        return None
    if ended is not None and ended.arming == said.arming:
        return None
    stopped = {**said.stopped, **token.stopped}
    return replace(said, boot_id=token.boot_id, stopped=stopped, unwatched_at=token.unwatched_at)


def current_arming(paths: Paths) -> Optional[Armed]:
    """What this host is armed with, None if it is not, or no more with anything that counts."""
    try:
        said = read_armed(paths)
    except StateError:
        return None
    return None if said is None else agreed(paths, said)


def write_armed(paths: Paths, current: Armed) -> Armed:
    """Make both anew, the token first: whoever dies in between leaves the younger stops in it, or two that disagree.

    Raises:
        OSError: they could not be written.
    """
    token = token_file.write_token(
        paths, current.arming, current.boot_id, current.stopped, current.unwatched_at
    )
    kept = replace(current, changed_ns=token.changed_ns)
    store.write_state(paths.armed, kept.to_json())
    return kept


def read_ended(paths: Paths) -> Optional[Armed]:
    """What this host was armed with last, None if that is unknown."""
    try:
        return _read(paths.ended)
    except StateError:
        return None


def read_last(paths: Paths) -> Optional[Armed]:
    """What `arm` armed last, whatever came of it; None if that is unknown."""
    try:
        return _read(paths.arming)
    except StateError:
        return None


def begin(
    manifest: Manifest,
    digest: str,
    at: float,
    boot_id: str,
    watch: Mapping[str, Any],
    hooks: Mapping[str, int],
    kept: FrozenSet[str] = frozenset(),
) -> Armed:
    """A new armed state, before any flag is up."""
    ends = manifest.ends()
    phases, arming = manifest.phases, token_file.new_arming()
    return Armed(
        digest,
        manifest.campaign,
        at,
        boot_id,
        False,
        {},
        ends,
        phases,
        watch,
        hooks,
        arming=arming,
        kept=kept,
    )
