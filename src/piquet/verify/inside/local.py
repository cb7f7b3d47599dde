# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom to ask from inside a host, and what: every site over the host's own addresses. No file, no network, no clock."""

from __future__ import annotations

from dataclasses import replace

from piquet.answers import BUILT_IN_DOORS
from piquet.fleet.model import Fleet, Host
from piquet.plan import HostPlan, Plan
from piquet.protocol.http import ABOUT_PATH
from piquet.verify.observation import ACCEPT_HTML, UNKNOWN_SITE, Inquiry, Question, Target, Unreachable
from piquet.verify.questions import FRONT
from piquet.verify.targets import targets_of

FURTHER = (
    Question("GET", ABOUT_PATH, (ACCEPT_HTML,)),
    Question("GET", f"{BUILT_IN_DOORS[0]}piquet-inside", (ACCEPT_HTML,)),
)
"""Asked at the first door of each site, besides the front page at every door: our own address, and a door."""


def local_targets(
    plan: Plan, host: Host, host_plan: HostPlan
) -> tuple[tuple[Target, ...], tuple[Unreachable, ...]]:
    """Every name at every door of one host as a process on it reaches them, and what even that one cannot ask.

    An IPv6 wildcard is asked at `::1` where no IPv4 socket at the same port serves the site.
    """
    alone = replace(plan, hosts=(host_plan,))
    plain, lost = targets_of(
        Fleet((replace(host, address="127.0.0.1", addresses=()),)), alone, from_inside=True
    )
    if not lost:
        return plain, ()
    six, _ = targets_of(Fleet((replace(host, address="::1", addresses=()),)), alone, from_inside=True)
    doors = {(target.site, target.port) for target in plain}
    more = tuple(t for t in six if t.address == "::1" and (t.site, t.port) not in doors and t not in plain)
    reached = {target.site for target in (*plain, *more)}
    return (*plain, *more), tuple(one for one in lost if one.site not in reached)


def local_jobs(targets: tuple[Target, ...]) -> tuple[Inquiry, ...]:
    """Every target with its questions."""
    seen: set[str] = set()
    jobs = []
    for target in targets:
        is_first = target.site not in seen and target.site != UNKNOWN_SITE
        seen.add(target.site)
        jobs.append(Inquiry(target, (FRONT, *FURTHER) if is_first else (FRONT,)))
    return tuple(jobs)


def own_sources(targets: tuple[Target, ...]) -> dict[str, str]:
    """A machine that asks itself at an address comes from that address; it may lie in one of the open networks."""
    return {target.address: target.address for target in targets}
