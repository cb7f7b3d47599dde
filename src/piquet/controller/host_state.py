# SPDX-License-Identifier: GPL-3.0-or-later
"""What one host is in, in a few words, and which sites of all hosts were stopped alone or are never blocked.

Made of the hosts' own status documents, by their own clocks. No file, no network, no clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from piquet.fleet.sites import count_sites, counted
from piquet.printable import printable_line
from piquet.protocol.entries import entry_name
from piquet.protocol.spoken import spoken_moment

HostStatus = Mapping[str, Any]
"""The STATUS of the agent protocol, as a host sent it."""
_BROKEN = (KeyError, TypeError, ValueError, OverflowError, AttributeError, OSError)
"""What a hostile or damaged document can raise; it spoils its own row, not those of others."""
_ENDED = {
    "ended": "ended",
    "rollback": "rolled back",
    "stopped by hand": "stopped by hand",
    "stopped by name": "its last site was stopped",
}
"""Reason of the agent → as people read it; any other stands as it is."""
_BY = {"name": "by its name (stop)", "hook": "its hook line was taken out", "hand": "by hand"}
_SHOWN = 20


class StoppedSite(NamedTuple):
    """One site that was stopped alone: its name, how, when (as said) and on which host."""

    name: str
    by: str
    when: str
    host: str


def state_text(status: HostStatus) -> str:
    """As `armed: block on 6 sites, 1 stopped`, `staged, not armed`, or `stopped by hand Sun 29 Nov 06:22:10`."""
    state = printable_line(str(status.get("state") or "unknown"))
    try:
        if state == "armed":
            return f"armed: {_shown_text(status)}"
        if state in ("stopped", "ended"):
            return _ended_text(status, state)
    except _BROKEN:
        return state
    return {"staged": "staged, not armed", "absent": "nothing staged"}.get(state, state)


def _shown_text(status: HostStatus) -> str:
    """What is due by the host's own clock on how many sites, and what of the rest is not."""
    entries, now = list(status.get("entries") or ()), float(status.get("now") or 0)
    phases = {phase["number"]: phase for phase in status.get("phases") or ()}
    up = [entry for entry in entries if entry.get("flag")]
    due = [number for number, phase in phases.items() if phase["start"] <= now < phase["end"]]
    parts = []
    for number in due:
        shown = [e for e in up if number in _phases(e, phases)]
        parts += [f"{printable_line(str(phases[number]['mode']))} on {_sites(shown)}"] if shown else []
    idle = [e for e in up if not any(number in _phases(e, phases) for number in due)]
    if idle and due:
        parts.append(f"{_number(idle)} not in this phase")
    elif idle:
        parts.append(_sites(idle))
    stopped = [e for e in entries if e.get("stopped") and not e.get("flag")]
    down = [e for e in entries if not e.get("flag") and not e.get("stopped")]
    over = [e for e in down if _is_over(e, phases, now)]
    parts += [f"{_number(stopped)} stopped"] if stopped else []
    parts += [f"{_number(over)} whose phases are over"] if over else []
    parts += [f"{len(down) - len(over)} WITHOUT A FLAG"] if len(down) > len(over) else []
    return ", ".join(parts) or "no site"


def _phases(entry: Mapping[str, Any], phases: Mapping[Any, Any]) -> Sequence[Any]:
    """Numbers of an entry's phases; all of them where an older agent does not tell."""
    return list(entry["phases"]) if "phases" in entry else list(phases)


def _is_over(entry: Mapping[str, Any], phases: Mapping[Any, Any], now: float) -> bool:
    numbers = _phases(entry, phases)
    return bool(numbers) and all(phases[number]["end"] <= now for number in numbers)


def _sites(entries: Iterable[Mapping[str, Any]]) -> str:
    return counted(_number(entries), "site")


def _number(entries: Iterable[Mapping[str, Any]]) -> int:
    return count_sites(str(entry.get("key")) for entry in entries)


def _ended_text(status: HostStatus, state: str) -> str:
    ended = status.get("ended")
    if not ended:
        return state
    reason = str(ended.get("reason"))
    said = _ENDED.get(reason, f"released ({printable_line(reason)})")
    when = _moment(status, ended["at"]) if ended.get("at") is not None else ""
    return f"{said} {when}".rstrip()


def _moment(status: HostStatus, epoch_s: Any) -> str:
    return spoken_moment(datetime.fromtimestamp(float(epoch_s), UTC), str(status.get("timezone") or "UTC"))


def sites_text(statuses: Iterable[tuple[str, HostStatus]]) -> str:
    """Of armed hosts: sites that were stopped alone, and those that only get a message; a paragraph each, if any.

    Args:
        statuses: inventory name and status of each host that answered.
    """
    stopped: set[StoppedSite] = set()
    modes: dict[str, set[str]] = {}
    for host, status in statuses:
        try:
            found, shown = list(_stopped_sites(host, status)), list(_modes(status))
        except _BROKEN:
            continue
        stopped |= set(found)
        for name, those in shown:
            modes.setdefault(name, set()).update(those)
    message_only = sorted(name for name, those in modes.items() if those == {"banner"})
    is_mixed = any(those != {"banner"} for those in modes.values())  # else it would say so of all
    paragraphs = [_stopped_lines(stopped), [_message_line(message_only)] if message_only and is_mixed else []]
    return "\n\n".join("\n".join(lines) for lines in paragraphs if lines)


def _stopped_sites(host: str, status: HostStatus) -> Iterator[StoppedSite]:
    for entry in status.get("entries") or ():
        if status.get("state") == "armed" and entry.get("stopped"):
            at = entry.get("stopped_at")
            when = _moment(status, at).rpartition(":")[0] if at is not None else "at an unknown time"
            by = _BY.get(str(entry.get("stopped_by")), "by hand")
            by = "took its consent back, so for good" if entry.get("withdrawn") is True else by
            yield StoppedSite(_name(entry), by, when, host)


def _modes(status: HostStatus) -> Iterator[tuple[str, set[str]]]:
    """Each site with all modes that it will show, or has shown, where the host is armed."""
    if status.get("state") != "armed":
        return
    phases = {phase["number"]: str(phase["mode"]) for phase in status.get("phases") or ()}
    for entry in status.get("entries") or ():
        yield _name(entry), {phases[number] for number in _phases(entry, phases)}


def _name(entry: Mapping[str, Any]) -> str:
    return printable_line(entry_name(str(entry.get("key"))))


def _stopped_lines(stopped: Iterable[StoppedSite]) -> list[str]:
    hosts: dict[tuple[str, str, str], list[str]] = {}
    for site in sorted(stopped):
        hosts.setdefault((site.name, site.by, site.when), []).append(site.host)
    rows = [f"  {name}: {by}, {when}, on {', '.join(on)}" for (name, by, when), on in hosts.items()]
    more = [f"  and {len(rows) - _SHOWN} more (--json has them all)"] if len(rows) > _SHOWN else []
    return ["stopped alone, and so until somebody arms again:", *rows[:_SHOWN], *more] if rows else []


def _message_line(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more (--json has them all)" if len(names) > _SHOWN else ""
    return f"message only, never blocked: {', '.join(names[:_SHOWN])}{more}"
