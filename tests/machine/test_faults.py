# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine can fail: each fault that is planted into the agent is found, with the settings of a run without any."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from piquet.host import machine, reconciliation, stop_now, stops, takedown
from piquet.host.reconciliation import Disarm, PutUp, RecordStop, TakeDown
from piquet.host.servers.nginx import hook_line
from piquet.host.state import armed, flags, rehearsal_tokens, token_file, transaction
from piquet.host.verbs import arm, hook, reconcile, rehearse, remove, stage
from tests.machine.runs import made_world, run
from tests.machine.world import World

EXAMPLES = 400
Patch = pytest.MonkeyPatch
QUICK = (
    "same boot",
    "stop of all ignored",
    "back after a boot",
    "never after a boot",
    "rehearsal is endless",
    "bearer token",
)
"""Found within some seconds; the sound agent's own run is `test_machine`'s."""


def _same_boot(patch: Patch) -> None:
    """A flag that somebody took away is put up again."""
    real = reconciliation._same_boot

    def healing(facts: Any, current: Any) -> Any:
        missing = current.expected(facts.now) - (facts.flags or frozenset())
        return (PutUp(current.expected(facts.now)),) if missing else real(facts, current)

    patch.setattr(reconciliation, "_same_boot", healing)


def _without(action: type) -> Callable[[Patch], None]:
    """Reconcile decides it, and nobody does it."""

    def plant(patch: Patch) -> None:
        real = reconciliation._perform

        def lazy(host: Any, verb: str, decided: Any) -> Any:
            return [] if isinstance(decided, action) else real(host, verb, decided)

        patch.setattr(reconciliation, "_perform", lazy)

    return plant


def _flags_after_a_failure(patch: Patch) -> None:
    """An arm that fails does not take down what it put up."""
    patch.setattr(arm, "takedown", types.SimpleNamespace(disarm=lambda *_: []))


def _end_not_noticed(patch: Patch) -> None:
    """Nobody looks at the clock."""
    real = reconciliation.gather

    def timeless(host: Any) -> Any:
        facts = real(host)
        return dataclasses.replace(
            facts, now=min(facts.now, facts.armed.end - 1) if facts.armed else facts.now
        )

    patch.setattr(reconciliation, "gather", timeless)


def _no_recovery(patch: Patch) -> None:
    """Whoever comes next does not undo what a death left."""
    for module in (arm, hook, reconcile, rehearse, remove, stop_now, stage):
        patch.setattr(module, "recover", lambda *_: [])


def _a_byte(patch: Patch) -> None:
    """The removal of the line takes the owner's next byte with it."""
    real = hook_line.remove_hook

    def greedy(text: bytes, include: str = hook_line.INCLUDE) -> bytes:
        place = text.find(hook_line.line(include))
        return (
            real(text, include)
            if place < 0
            else real(text, include)[:place] + real(text, include)[place + 1 :]
        )

    patch.setattr(hook_line, "remove_hook", greedy)


def _released_only_until_the_boot(patch: Patch) -> None:
    """A rollback takes the flags down and leaves the host armed."""
    patch.setattr(takedown.store, "record_disarmed", lambda *_: None)


def _staged_over_armed(patch: Patch) -> None:
    """Stage does not look whether somebody is armed."""
    real = stage.refusals_to_stage
    patch.setattr(stage, "refusals_to_stage", lambda *given: [f for f in real(*given) if f.code != "armed"])


def _not_intact(patch: Patch) -> None:
    """A boot puts flags up whatever was done to what was staged."""
    patch.setattr(reconciliation, "_is_intact", lambda *_: True)


def _never_after_a_boot(patch: Patch) -> None:
    """A boot ends every picket: safe, and useless."""
    patch.setattr(reconciliation, "_after_boot", lambda *_: (Disarm("boot"),))


def _other_plan(patch: Patch) -> None:
    """Arm takes whatever lies there, whoever planned it."""
    real = arm.refusals_to_arm

    def careless(host: Any, request: Any, digest: str, current: Any, at: float) -> Any:
        return real(host, request, arm.store.read_state(host.paths.installed)["plan_digest"], current, at)

    patch.setattr(arm, "refusals_to_arm", careless)


def _check_arms(patch: Patch) -> None:
    """The first of the two passes over all hosts arms already."""
    real = arm.run

    def eager(host: Any, request: Any) -> Any:
        options = {k: v for k, v in request.options.items() if k != "only_check"}
        return real(host, dataclasses.replace(request, options=options))

    patch.setattr(arm, "run", eager)


def _half_written(patch: Patch) -> None:
    """What a death left beside our own state stays."""
    patch.setattr(machine, "_forget_half_written", lambda *_: None)


def _something_left(patch: Patch) -> None:
    """Remove forgets the folder of the state."""
    real = remove.shutil.rmtree

    def forgetful(path: str, **how: Any) -> None:
        if not path.endswith("/lib/piquet"):
            real(path, **how)

    patch.setattr(remove, "shutil", types.SimpleNamespace(rmtree=forgetful))


def _unreadable_is_ignored(patch: Patch) -> None:
    """A state that cannot be read leaves everything as it is."""
    real = reconciliation.decide
    patch.setattr(reconciliation, "decide", lambda facts: () if facts.is_unreadable else real(facts))


def _edits_lost(patch: Patch) -> None:
    """Undoing puts back what was registered, whatever the owner wrote since."""
    patch.setattr(transaction, "_is_after", lambda *_: True)


def _stop_of_all_ignored(patch: Patch) -> None:
    """All flags gone in the same boot is taken for nothing."""
    real = reconciliation._same_boot

    def blind(facts: Any, current: Any) -> Any:
        actions = real(facts, current)
        return () if actions[:1] == (Disarm("stopped by hand"),) else actions

    patch.setattr(reconciliation, "_same_boot", blind)


def _rehearsal_outlives_the_picket(patch: Patch) -> None:
    """Neither a rollback nor another plan ends it."""
    real = takedown.end_rehearsal

    def lazy(host: Any, verb: str, **how: Any) -> Any:
        return real(host, verb, **how) if how or verb == "rehearse" else (False, [])

    patch.setattr(takedown, "end_rehearsal", lazy)


def _rehearsal_is_endless(patch: Patch) -> None:
    """Reconcile never looks for one that is over."""
    patch.setattr(rehearsal_tokens, "sweep_tokens", lambda *_: False)


def _rehearsal_shows_everybody(patch: Patch) -> None:
    """It puts up the flags of what it shows."""
    real = rehearsal_tokens.issue

    def loud(paths: Any, phase: int, now: float) -> Any:
        staged = rehearse.manifest.staged(paths)
        flags.make_flags(paths, [entry.key for entry in staged.entries])
        return real(paths, phase, now)

    patch.setattr(rehearsal_tokens, "issue", loud)


def _rehearsal_clears_flags_away(patch: Patch) -> None:
    """What it finds in `/run/piquet` it clears away, the link that switches everybody with it."""
    real = rehearsal_tokens.issue

    def tidy(paths: Any, phase: int, now: float) -> Any:
        paths.live.unlink(missing_ok=True)
        return real(paths, phase, now)

    patch.setattr(rehearsal_tokens, "issue", tidy)


def _bearer_token(patch: Patch) -> None:
    """Whoever has an armed state is armed."""
    patch.setattr(armed, "agreed", lambda _, said: said)


def _copied_token(patch: Patch) -> None:
    """A token counts in whichever file it lies."""
    real = token_file._checked_token

    def careless(paths: Any, document: Any, seal: Any, changed_ns: int) -> Any:
        return real(paths, document, token_file._Seal(**document["file"]), changed_ns)

    patch.setattr(token_file, "_checked_token", careless)


def _token_outlives_releases(patch: Patch) -> None:
    """A release leaves it where it is."""
    patch.setattr(token_file, "delete", lambda _: None)


def _stops_can_be_set_back(patch: Patch) -> None:
    """What the token says of stopped entries counts for nothing."""
    real = armed.agreed

    def forgetful(paths: Any, said: Any) -> Any:
        found = real(paths, said)
        return dataclasses.replace(found, stopped=said.stopped) if found else None

    patch.setattr(armed, "agreed", forgetful)


def _nobody_keeps_watch(patch: Patch) -> None:
    """Units that are stopped leave no trace."""
    patch.setattr(reconcile, "_keep_watch", lambda *_: [])


def _hook_starts(patch: Patch) -> None:
    """A line that comes back shows again what it showed."""
    patch.setattr(stops, "unhooked", lambda *_: [])


def _named_stop_forgotten(patch: Patch) -> None:
    """`stop` takes the flag away, and the next boot knows nothing of it."""
    patch.setattr(stops, "remember_stop", lambda *_: None)


FAULTS: dict[str, Callable[[Patch], None]] = {
    "none": lambda _: None,
    "same boot": _same_boot,
    "stop not recorded": _without(RecordStop),
    "stop of all ignored": _stop_of_all_ignored,
    "flag made by hand stays": _without(TakeDown),
    "flags after a failure": _flags_after_a_failure,
    "end not noticed": _end_not_noticed,
    "no recovery": _no_recovery,
    "a byte": _a_byte,
    "back after a boot": _released_only_until_the_boot,
    "staged over armed": _staged_over_armed,
    "not intact": _not_intact,
    "never after a boot": _never_after_a_boot,
    "other plan": _other_plan,
    "check arms": _check_arms,
    "half-written state": _half_written,
    "something left": _something_left,
    "unreadable is ignored": _unreadable_is_ignored,
    "edits lost": _edits_lost,
    "rehearsal outlives the picket": _rehearsal_outlives_the_picket,
    "rehearsal is endless": _rehearsal_is_endless,
    "rehearsal shows everybody": _rehearsal_shows_everybody,
    "rehearsal clears flags away": _rehearsal_clears_flags_away,
    "bearer token": _bearer_token,
    "copied token": _copied_token,
    "token outlives releases": _token_outlives_releases,
    "stops can be set back": _stops_can_be_set_back,
    "nobody keeps watch": _nobody_keeps_watch,
    "hook starts": _hook_starts,
    "named stop forgotten": _named_stop_forgotten,
}


@pytest.fixture
def faulty_world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A host with told servers."""
    yield from made_world(World, "nginx", monkeypatch)


@pytest.mark.parametrize(
    "fault", [name if name in QUICK else pytest.param(name, marks=pytest.mark.long) for name in FAULTS]
)
def test_the_machine_finds_it(faulty_world: World, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every fault breaks an invariant within the examples that the sound agent gets through."""
    FAULTS[fault](monkeypatch)
    if fault == "none":
        run(faulty_world, EXAMPLES)
        return
    with pytest.raises(AssertionError):
        run(faulty_world, EXAMPLES)
