# SPDX-License-Identifier: GPL-3.0-or-later
"""Is a host what it should be? One function per question, each gives what is wrong. No file, no network, no clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from piquet.campaign.model import Campaign
from piquet.plan import HostPlan
from piquet.printable import in_one_line
from piquet.protocol import places
from piquet.protocol.findings import Finding
from piquet.verify.inside.look import Look
from piquet.verify.inside.moments import InsideMoment, moment_words, states_at

MAX_NAMED = 10
_HOOK_LINE = f"include {places.HOOK_DIR}/*.conf; {places.HOOK_MARK}"
_STATUS_TIMER = "systemctl list-timers 'piquet*', or is cron running? The lease ends the strike without them"
_NEXT: Mapping[str, str] = {
    "absent": "piquet stage -i INVENTORY, then piquet arm -i INVENTORY",
    "staged": "piquet arm -i INVENTORY; before that moment say --piquet-moment=before",
    "stopped": "somebody stopped it, and only a new arm undoes that: piquet-host status, and the journal, say when",
    "ended": "is this the campaign file that was staged, and is the host's clock right?",
    "armed": "end it: piquet rollback -i INVENTORY, or on the host: piquet-host rollback",
    "unknown": "piquet-host status, on the host",
}


@dataclass(frozen=True)
class Case:
    """A host as it was found, and what it is held against.

    Attributes:
        look: what was found.
        plan: what the host should show; no entries if nothing.
        campaign: the file's.
        moment: which one the user asks for.
        owners: path → sha256 of an owner's file without our line, as surveyed.
        servers: providers that the survey saw running.
    """

    look: Look
    plan: HostPlan
    campaign: Campaign
    moment: InsideMoment
    owners: Mapping[str, str]
    servers: tuple[str, ...]

    @property
    def is_staged(self) -> bool:
        """Whether an agent is there and says that a plan is staged on this host."""
        return self.look.state in ("staged", "armed", "stopped", "ended")

    def finding(self, code: str, message: str, expected: str = "", got: str = "", hint: str = "") -> Finding:
        """An error of this host."""
        return Finding("error", code, self.look.host, message, expected, got, hint)


def state(case: Case) -> Iterator[Finding]:
    """Absent, staged, armed, stopped or ended, as it should be at this moment."""
    look = case.look
    if not look.machine["is_root"]:
        hint = "--sudo, or ansible_become: true in the inventory"
        yield case.finding("not-root", "the login is not root", "root", "somebody else", hint)
        return
    wanted = states_at(case.moment, case.campaign, look.at) if case.plan.entries else frozenset({"absent"})
    if look.state not in wanted:
        got = look.state + (f": {look.machine['error']}" if look.machine["error"] else "")
        where = f"{_utc(look.at)}, {moment_words(case.campaign, look.at)}"
        expected = f"{' or '.join(sorted(wanted))} ({where})"
        yield case.finding("state", "the host is not what it should be now", expected, got, _NEXT[look.state])


_SAID_ELSEWHERE = ("hook-missing", "configuration-broken", "stopped")
"""What `owners_files`, `servers` and `flags` find by themselves."""


def staged_files(case: Case) -> Iterator[Finding]:
    """What lies on the host is what was staged, file by file, by the host's own comparison."""
    for record in case.look.status.get("problems") or ():
        finding = Finding.from_json(record)
        if finding.code not in _SAID_ELSEWHERE:
            yield case.finding(finding.code, f"{finding.subject}: {finding.message}", finding.expected,
                               finding.got, finding.hint)  # fmt: skip


def same_campaign(case: Case) -> Iterator[Finding]:
    """Name, windows and sites on the host are those of the campaign file."""
    if not case.is_staged:
        return
    status, hint = case.look.status, "stage again, or give the campaign file that was staged"
    expected = [
        case.campaign.name,
        *(_window(p.start_at.timestamp(), p.end_at.timestamp()) for p in case.campaign.phases),
    ]
    got = [str(status["campaign"]), *(_window(p["start"], p["end"]) for p in status["phases"])]
    if expected != got:
        yield case.finding(
            "other-campaign", "another campaign is staged", ", ".join(expected), ", ".join(got), hint
        )
    there = {entry["key"] for entry in status["entries"]}
    names = {entry.key: entry.name for entry in case.plan.entries}
    if missing := sorted(names[key] for key in names.keys() - there):
        yield case.finding(
            "not-staged", "sites of the campaign are not staged here", _some_names(missing), "", hint
        )
    if more := sorted(there - names.keys()):
        yield case.finding(
            "staged-beside", "sites are staged that the campaign file leaves out", "", _some_names(more), hint
        )


def flags(case: Case) -> Iterator[Finding]:
    """While armed, every selected site has its flag until its last phase is over; else there is none."""
    if not case.is_staged:
        return
    up = {entry["key"] for entry in case.look.status["entries"] if entry["flag"]}
    stopped = {entry["key"] for entry in case.look.status["entries"] if entry["stopped"]}
    if case.look.state != "armed":
        if case.look.status["live"]:
            hint = f"reconcile takes them away within a minute; at once: rm -f {places.RUN}/live"
            yield case.finding(
                "flags-up", "flags are up though the host is not armed", "none", f"{len(up)} flags", hint
            )
        return
    ends = {phase.number: phase.end_at.timestamp() for phase in case.campaign.phases}
    for entry in case.plan.entries:
        if entry.key not in up and case.look.at < max(ends[number] for number in entry.phases):
            got = "none; stopped by hand" if entry.key in stopped else "none"
            message = f"{entry.name}: its flag is gone though the host is armed"
            expected = f"{places.RUN}/live/{entry.key}"
            yield case.finding(
                "flag-missing", message, expected, got, "what a human stopped comes back with a new arm only"
            )


def schedule(case: Case) -> Iterator[Finding]:
    """What is staged or armed is watched by a timer or by cron."""
    if case.look.state in ("staged", "armed") and not case.look.status["timer"]["active"]:
        yield case.finding(
            "no-schedule",
            "nothing looks at the clock here",
            "an active timer, or cron",
            "none",
            _STATUS_TIMER,
        )


def servers(case: Case) -> Iterator[Finding]:
    """Each web server that the survey saw running runs, and its configuration passes its own test."""
    for name in case.servers:
        if case.look.machine["running"].get(name) is False:
            yield case.finding(
                "not-running", f"{name} does not run", "as surveyed: running", "not running", _log(name)
            )
        tested = case.look.machine["tests"].get(name)
        if tested is None:
            yield case.finding(
                "no-server", f"{name} is gone", "as surveyed: installed", "not found", "survey again"
            )
        elif not tested[0] and case.look.machine["is_root"]:
            # another login may not read the keys of sites, and its test fails at them
            yield case.finding(
                "test-fails",
                f"{name}'s configuration fails its own test",
                "it passes",
                tested[1].strip(),
                _log(name),
            )


def owners_files(case: Case) -> Iterator[Finding]:
    """The owner's files are as surveyed but for our one line, and that one is in every block it should be in."""
    look = case.look
    now = {path: digest for files in look.machine["owners"].values() for path, digest in files.items()}
    hint = "if its owner changed it: survey again (and hook again, where a site is new)"
    for path, wanted in sorted(case.owners.items()):
        found = look.machine["files"].get(path)
        got = now.get(path) if look.state != "absent" else found[0] if found else None
        if look.state == "absent" and found and found[1]:
            yield case.finding(
                "hook-left",
                f"{path}: our line is still in it",
                "no `# piquet hook`",
                "one or more",
                _unhook_hint(),
            )
        elif got != wanted:
            shown = (
                f"sha256 {got[:16]}…" if got else "no such file" if not found else "no longer a vhost's file"
            )
            yield case.finding(
                "foreign-change", f"{path} is not as it was surveyed", f"sha256 {wanted[:16]}…", shown, hint
            )
    if look.state in ("staged", "armed"):
        for block in (look.status.get("hooked") or {}).get("missing") or ():
            message = f"{', '.join(block['names'])}: its server block has no hook line, so the strike does not reach it"
            place = f"{block['file']}:{block['line']}"
            hint = "piquet hook -i INVENTORY (it reloads nginx)"
            yield case.finding("hook-missing", message, _HOOK_LINE, f"none in the block at {place}", hint)


def nothing_left(case: Case) -> Iterator[Finding]:
    """Where our agent is gone, every other file of ours is gone too."""
    left = case.look.machine["left"]
    if case.look.state == "absent" and left:
        hint = "piquet remove -i INVENTORY: it can be run again at any time"
        yield case.finding("left", "something of ours is left", "nothing", _some_names(left), hint)


def log_text(look: Look, paths: Iterable[str]) -> str:
    """The last lines of the error logs that could be read."""
    known = [path for path in paths if look.logs.get(path)]
    parts = [
        "\n  ".join([f"last lines of {path} on {look.host}:", *map(in_one_line, look.logs[path])])
        for path in known
    ]
    return "\n".join(parts)


QUESTIONS: Mapping[str, Callable[[Case], Iterator[Finding]]] = {
    check.__name__: check
    for check in (
        state,
        staged_files,
        same_campaign,
        flags,
        schedule,
        servers,
        owners_files,
        nothing_left,
    )
}
"""All of them by name."""


def _utc(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _window(start: float, end: float) -> str:
    return f"{_utc(start)} to {_utc(end)}"


def _some_names(names: Any) -> str:
    listed = list(names)
    more = f" and {len(listed) - MAX_NAMED} more" if len(listed) > MAX_NAMED else ""
    return ", ".join(listed[:MAX_NAMED]) + more


def _log(name: str) -> str:
    return f"its error log, below or where its owner put it, says why; ask the owner of {name} here"


def _unhook_hint() -> str:
    return "piquet unhook -i INVENTORY takes exactly it out"
