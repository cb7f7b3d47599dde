# SPDX-License-Identifier: GPL-3.0-or-later
"""The rule of reconcile, each minute, at each boundary and at boot: it only ever takes flags away.

`decide` is the whole rule, as a function of facts: no clock, no file. The one thing that puts flags up is the first
reconcile after a boot, and only if the host is armed, the end is not past, nothing was stopped and everything staged
is intact. That it is the first must be marked before, or no flag goes up. Whatever is in doubt is a release:

* another plan was put where the armed one was staged, so that its hours would be shown
* `live` gone in the same boot: somebody stopped the host by hand; it is disarmed for good
* a flag gone in the same boot: somebody stopped that entry; recorded, or the host disarmed if that cannot be written
* flags were being put up when the power went, or the agent died: what is not live stays down
* `armed.json` cannot be read: as if it were gone
* our units were stopped by hand before the boot, so that nobody knows what else was
* the token of this arming is missing, or does not agree: an old state was put back, or another host's

A rehearsal that is over ends apart from that rule and without the lock: its tokens are no flags.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import FrozenSet, List, Optional, Tuple, Union

from piquet.host import stop_watch, stops, takedown
from piquet.host.errors import AgentError, StateError
from piquet.host.machine import Machine, this_boot
from piquet.host.state import (
    armed,
    boot_mark,
    documents,
    flags,
    manifest,
    rollback_stamp,
    signs,
    store,
    token_file,
)
from piquet.host.state.armed import Armed
from piquet.host.system import files
from piquet.protocol.findings import Finding


@dataclass(frozen=True)
class Facts:
    """All that `decide` may look at.

    Attributes:
        now: epoch seconds.
        boot_id: of this boot.
        armed: what the host is armed with, None if it is not.
        is_unreadable: it is armed with something that cannot be read.
        flags: keys whose flag is up, None if `live` leads nowhere.
        has_live: whether anything is called `live`.
        is_intact: whether all that was staged is untouched; only looked at after a boot.
        is_stopped: a stop was recorded beside the bundle, since the armed state could not be deleted.
        is_agreed: the token says the same as `armed`.
        has_token: whether anything lies in the third place.
        is_first: nobody has looked in this boot, and that somebody does now is marked.
        is_planned: no other plan lies where the armed one was staged.
        was_left_alone: the machine lived on before this boot without anybody looking.
    """

    now: float
    boot_id: str
    armed: Optional[Armed]
    is_unreadable: bool
    flags: Optional[FrozenSet[str]]
    has_live: bool
    is_intact: bool
    is_stopped: bool = False
    is_agreed: bool = True
    has_token: bool = False
    is_first: bool = True
    was_left_alone: bool = False
    is_planned: bool = True


@dataclass(frozen=True)
class TakeAllDown:
    """Remove every flag, and a token that is of no arming."""


@dataclass(frozen=True)
class Disarm:
    """Remove every flag and end the armed state for good."""

    reason: str


@dataclass(frozen=True)
class TakeDown:
    """Remove single flags."""

    keys: FrozenSet[str]


@dataclass(frozen=True)
class RecordStop:
    """Remember that entries were stopped by hand."""

    keys: FrozenSet[str]


@dataclass(frozen=True)
class CompleteBoot:
    """Remember that the flags of this boot are all up."""


@dataclass(frozen=True)
class PutUp:
    """Make the flags of this boot: the only action that blocks anything."""

    keys: FrozenSet[str]


Action = Union[TakeAllDown, Disarm, TakeDown, RecordStop, CompleteBoot, PutUp]


def decide(facts: Facts) -> Tuple[Action, ...]:
    """What to do, in this order."""
    if facts.is_unreadable:
        return (Disarm("unreadable"),)
    if facts.armed is None:
        return (TakeAllDown(),) if facts.has_live or facts.has_token else ()
    if facts.now >= facts.armed.end:
        return (Disarm("ended"),)
    if facts.is_stopped or not facts.is_agreed:
        return (Disarm("stopped by hand"),)
    if facts.armed.boot_id != facts.boot_id and facts.is_first:
        return _after_boot(facts, facts.armed)
    return _same_boot(facts, facts.armed)


def _same_boot(facts: Facts, current: Armed) -> Tuple[Action, ...]:
    """Compare flags with what should be up; what is missing was taken away by somebody."""
    if not facts.is_planned:
        return (Disarm("another plan"),)
    expected = current.expected(facts.now)
    up = facts.flags or frozenset()
    if not expected & up:
        return (Disarm("stopped by hand"),)
    actions: List[Action] = [] if current.is_complete else [CompleteBoot()]
    if expected - up:
        actions.append(RecordStop(expected - up))
    if up - expected:
        actions.append(TakeDown(up - expected))
    return tuple(actions)


def _after_boot(facts: Facts, current: Armed) -> Tuple[Action, ...]:
    """The one time that flags are made; a /run that outlived the boot can only take some away.

    An arming that the power cut interrupted was never reported as done, so it is not taken up.
    """
    if not facts.is_intact:
        return (Disarm("not intact"),)
    if not current.is_complete:
        return (Disarm("arming was interrupted"),)
    if current.unwatched_at is not None or facts.was_left_alone:
        return (Disarm("stopped by hand"),)
    expected = current.expected(facts.now)
    keys = expected if facts.flags is None else expected & facts.flags
    if not keys:
        return (Disarm("stopped by hand"),)
    stop: Tuple[Action, ...] = (RecordStop(expected - keys),) if expected - keys else ()
    return (*stop, PutUp(keys))


def reconcile_now(machine: Machine, verb: str) -> Tuple[Tuple[Action, ...], List[Finding]]:
    """Gather facts, decide and act; also what `arm` does first, so that it never builds on a stale state."""
    facts = gather(machine)
    if facts.is_first:
        facts = replace(facts, is_first=_mark_boot(machine, verb))
    actions = decide(facts)
    findings: List[Finding] = []
    for action in actions:
        findings += _perform(machine, verb, action)
    stop_watch.notice(machine, verb)
    findings += takedown.follow_suit(machine, verb)
    return actions, findings


def _mark_boot(machine: Machine, verb: str) -> bool:
    """Before the first flag; tell whether the mark is there now."""
    try:
        boot_mark.make(machine.paths)
        return True
    except OSError as error:
        machine.log(verb, "boot-not-marked", error=str(error))
        return False


def gather(machine: Machine) -> Facts:
    """Look at clock, boot, state and flags."""
    paths, said, is_unreadable = machine.paths, None, False
    try:
        said = armed.read_armed(paths)
    except StateError:
        is_unreadable = True
    agreed = armed.agreed(paths, said) if said else None
    current = agreed or said
    boot = this_boot(machine)
    is_intact = current is None or current.boot_id == boot or _is_intact(machine, current)
    has_live = paths.live.is_symlink() or paths.live.exists()
    is_stopped = files.exists(paths.stopped)
    is_agreed, has_token = said is None or agreed is not None, token_file.has_token(paths)
    return Facts(
        machine.now(),
        boot,
        current,
        is_unreadable,
        flags.up(paths),
        has_live,
        is_intact,
        is_stopped,
        is_agreed,
        has_token,
        not boot_mark.is_marked(paths),
        current is not None and current.boot_id != boot and signs.was_left_alone(paths),
        current is None or manifest.is_planned(paths, current.plan_digest),
    )


def _is_intact(machine: Machine, current: Armed) -> bool:
    """Whether all that was staged is untouched; what cannot even be compared is not."""
    try:
        return not manifest.not_intact(machine.paths, current.plan_digest)
    except Exception:
        return False


def put_up(machine: Machine, current: Armed, keys: FrozenSet[str]) -> Armed:
    """Flags up, in three durable steps: begun, up, complete. A crash between them ends in a release.

    Raises:
        OSError: one of the steps could not be done; the caller decides what that means.
        RecalledError: somebody rolled back since this process began; the caller must release.
    """
    boot = this_boot(machine)
    rollback_stamp.require_none_since(machine.paths, machine.recalled)
    begun = armed.write_armed(machine.paths, current.in_boot(boot, is_complete=False))
    flags.make_flags(machine.paths, sorted(keys))
    signs.note(machine.paths)
    complete = begun.in_boot(boot, is_complete=True)
    store.write_state(machine.paths.armed, complete.to_json())
    rollback_stamp.require_none_since(machine.paths, machine.recalled)
    return complete


def _perform(machine: Machine, verb: str, action: Action) -> List[Finding]:
    """Do one action."""
    if isinstance(action, Disarm):
        return takedown.disarm(machine, verb, action.reason)
    if isinstance(action, TakeAllDown):
        return takedown.unarmed(machine, verb)
    try:
        _perform_small(machine, verb, action)
        return []
    except (OSError, AgentError, *documents.FAULTS) as error:
        return stops.not_written(machine, verb, error)


def _perform_small(machine: Machine, verb: str, action: Action) -> None:
    """Do an action that leaves the host armed."""
    if isinstance(action, TakeDown):
        flags.take_down(machine.paths, action.keys)
        machine.log(verb, "flags-taken-down", keys=sorted(action.keys))
        return
    current = armed.current_arming(machine.paths)
    if current is None:
        return
    if isinstance(action, RecordStop):
        stops.remember_stop(machine, verb, action.keys)
    elif isinstance(action, CompleteBoot):
        store.write_state(machine.paths.armed, current.in_boot(current.boot_id, is_complete=True).to_json())
    elif isinstance(action, PutUp):
        put_up(machine, current, action.keys)
        machine.log(verb, "flags-put-up-after-boot", count=len(action.keys))
