# SPDX-License-Identifier: GPL-3.0-or-later
"""What is due now and what comes next, over all hosts that answered: one sentence, the same on every road.

It says what the hosts are armed for, by the controller's clock; what sites really show, verify asks.
No file, no network, no clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from piquet.controller.host_state import HostStatus
from piquet.fleet.sites import counted
from piquet.printable import printable_line
from piquet.protocol.spoken import spoken_distance, spoken_instant


class _Window(NamedTuple):
    start_at: datetime
    end_at: datetime
    mode: str


class _Staged(NamedTuple):
    """What a host holds; hosts that hold the same are told of together."""

    campaign: str
    timezone: str
    windows: tuple[_Window, ...]


def now_text(statuses: Iterable[HostStatus], at: datetime) -> str:
    """`NOW: block, until … (in 1 min 12 s); next: occupy, from …`; a line for each campaign, if hosts hold several.

    Args:
        statuses: of hosts that answered; one that is not in the agreed form is left out, and said so.
        at: aware; now.
    """
    by_campaign: dict[_Staged, list[HostStatus]] = {}
    unread = 0
    for status in statuses:
        try:
            if status.get("phases"):
                by_campaign.setdefault(_staged_campaign(status), []).append(status)
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError, OSError):
            unread += 1
    several = len(by_campaign) > 1
    lines = [_line(staged, found, at, several) for staged, found in sorted(by_campaign.items())]
    if unread:
        lines.append(f"NOW: unknown on {counted(unread, 'host')}, whose windows could not be read")
    return "\n".join(lines or ["NOW: nothing is staged on any host that answered"])


def _staged_campaign(status: HostStatus) -> _Staged:
    windows = sorted(
        _Window(_instant(phase["start"]), _instant(phase["end"]), printable_line(str(phase["mode"])))
        for phase in status["phases"]
    )
    zone = str(status.get("timezone") or "UTC")
    for instant in (instant for window in windows for instant in (window.start_at, window.end_at)):
        spoken_instant(instant, zone)  # a host may name a folder for a zone, or the last year that there is
    return _Staged(printable_line(str(status["campaign"])), zone, tuple(windows))


def _instant(epoch_s: Any) -> datetime:
    return datetime.fromtimestamp(int(epoch_s), UTC)


def _line(staged: _Staged, statuses: list[HostStatus], at: datetime, is_named: bool) -> str:
    head = f"NOW ({staged.campaign}): " if is_named else "NOW: "
    armed = sum(1 for status in statuses if status.get("state") == "armed")
    due = [window for window in staged.windows if window.start_at <= at < window.end_at]
    later = [window for window in staged.windows if window.start_at > at]
    if not (due or later):
        return f"{head}every window is over, since {_when_it_is(max(w.end_at for w in staged.windows), staged, at)}"
    if not armed:
        first = (due or later)[0]
        when = "since" if due else "from"
        planned = f"{first.mode}, {when} {_when_it_is(first.start_at, staged, at)}"
        return f"{head}no host that answered is armed, so nothing begins by itself there; planned: {planned}"
    partly = "" if armed == len(statuses) else f" on {armed} of {len(statuses)} hosts"
    parts = [f"{window.mode}{partly}, until {_when_it_is(window.end_at, staged, at)}" for window in due]
    parts = parts or [f"armed{partly}, no window is open"]
    parts += [f"next: {later[0].mode}, from {_when_it_is(later[0].start_at, staged, at)}"] if later else []
    return head + "; ".join(parts)


def _when_it_is(instant: datetime, staged: _Staged, at: datetime) -> str:
    return f"{spoken_instant(instant, staged.timezone)}, {spoken_distance(instant - at)}"
