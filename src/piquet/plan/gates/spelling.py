# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of `exclude` and of the consent list that mean nothing, or less than they seem to.

A misspelt `exclude` leaves nothing out, and what people need in an emergency would be struck. So a name that no
host serves is an error, with its likely spelling, until `sites.confirmed` has it; so is one that only a wildcard
site answers for while almost the same name is a site of its own that shows something. No file, no network, no
clock.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property

from piquet.campaign.matching import match_pattern
from piquet.fleet.model import Fleet
from piquet.plan.model import HostPlan
from piquet.plan.selection import Selector
from piquet.protocol.findings import Finding

_ALIKE = 0.75
"""Ratio of difflib from which one name is taken for another's likely spelling: one letter in four differs."""
_SPELLED = 40
"""How many names of a list are looked up; each costs a comparison with every name of the fleet."""
_COMPARED = 8
"""How many names that are alike as a whole are compared without their common end."""
_EFFECT = {
    "exclude": "so it leaves nothing out",
    "consent": "so the answer is nobody's",
}
_LISTS = {"exclude": "`exclude`", "consent": "the consent list"}


@dataclass(frozen=True)
class _Names:
    """What the fleet calls itself.

    Attributes:
        own: names of sites, also of servers that do not run and of hosts outside of this plan.
        known: the same, and the names below a wildcard site that the campaign has.
        shown: names that show something.
    """

    own: frozenset[str]
    known: frozenset[str]
    shown: frozenset[str]

    @cached_property
    def patterns(self) -> frozenset[str]:
        """The names, and every wildcard of two labels or more that means one of them."""
        above = (
            name.removeprefix("*.").split(".")[at:] for name in self.own for at in range(1, name.count("."))
        )
        return self.own | {f"*.{'.'.join(labels)}" for labels in above}

    def mean_something(self, pattern: str) -> bool:
        """Whether a pattern means one of them, those below a wildcard included."""
        if pattern in self.known or pattern == "*":
            return True
        return "*" in pattern and any(match_pattern(name, {pattern}) for name in self.known)


def fleet_names(fleet: Fleet, hosts: tuple[HostPlan, ...]) -> _Names:
    """All names of a fleet whose hosts were all surveyed."""
    own = {name for host in fleet.hosts for name in (*host.served, *host.idle)} | fleet.elsewhere
    known = own | {name for host in hosts for name in host.known}
    shown = {entry.name for host in hosts for entry in host.entries}
    return _Names(frozenset(own), frozenset(known), frozenset(shown))


def spelling_findings(selector: Selector, names: _Names) -> Iterator[Finding]:
    """Every name of `exclude` and of the consent list that means nothing, or less than it seems to."""
    confirmed = frozenset(selector.campaign.sites.confirmed)
    for place, told in (("exclude", selector.exclude), ("consent", selector.consent.keys())):
        strangers = [name for name in sorted(told - confirmed) if not names.mean_something(name)]
        yield from _unknown_name_findings(selector, place, strangers, names)
        for name in sorted(told - confirmed - frozenset(strangers)):
            yield from _doubtful_findings(selector, place, name, names)


def likely_spelling(name: str, candidates: Collection[str]) -> str:
    """The one of them that was probably meant, or "": with or without `www.` or `*.`, else what is written alike."""
    twins = [twin for twin in _twin_names(name) if twin in candidates]
    is_star = name.startswith("*.")
    return (
        twins
        or _similar_names(name, [other for other in candidates if other.startswith("*.") is is_star])
        or [""]
    )[0]


def _unknown_name_findings(
    selector: Selector, place: str, strangers: list[str], names: _Names
) -> Iterator[Finding]:
    """One error for each name with a likely spelling, and one for all others of the list."""
    close = {name: likely_spelling(name, names.patterns) for name in strangers[:_SPELLED]}
    code = f"{place}-unknown"
    for name in (name for name in strangers if close.get(name)):
        message = f"{_LISTS[place]} has {name}, which no host of the fleet serves, {_EFFECT[place]}"
        hint = f"did you mean {close[name]}? If it is right as it is: {_confirm([name])}"
        yield Finding("error", code, _place_of(selector, place, name), message, close[name], name, hint)
    if rest := [name for name in strangers if not close.get(name)]:
        told = "a name" if len(rest) == 1 else f"{len(rest)} names"
        message = f"{_LISTS[place]} has {told} that no host of the fleet serves, {_EFFECT[place]}"
        hint = f"correct it, survey the host that serves it, or take it out; if it is right as it is: {_confirm(rest)}"
        got = ", ".join(f"{name} ({_place_of(selector, place, name)})" for name in rest)
        subject = _place_of(selector, place, rest[0])
        yield Finding("error", code, subject, message, "names that are served", got, hint)


def _doubtful_findings(selector: Selector, place: str, name: str, names: _Names) -> Iterator[Finding]:
    """What means something, though perhaps not what was meant."""
    if name not in names.own and "*" not in name and (close := _close_site(selector, name, names)):
        message = (
            f"{_LISTS[place]} has {name}, which only a wildcard site answers for, while {close} takes part"
        )
        hint = f"did you mean {close}? If it is right as it is: {_confirm([name])}"
        yield Finding("error", "name-doubtful", _place_of(selector, place, name), message, close, name, hint)
    elif place == "exclude" or selector.consent[name] == "out":
        for twin in (twin for twin in _twin_names(name) if twin in names.shown and "*" not in twin):
            message = f"{name} is left out, and {twin} is not"
            hint = f"add {twin} where {name} stands if both are one site; if it is right as it is: {_confirm([name])}"
            yield Finding("warning", "left-out-in-part", _place_of(selector, place, name), message, hint=hint)


def _close_site(selector: Selector, name: str, names: _Names) -> str:
    """A site that shows something, is mentioned nowhere and is written almost like this name; else ""."""
    sites = (names.own & names.shown) - frozenset(selector.mentioned)
    alike = [site for site in _similar_names(name, sites) if _without_digits(site) != _without_digits(name)]
    return ([twin for twin in _twin_names(name) if twin in sites] or alike or [""])[0]


def _similar_names(name: str, candidates: Collection[str]) -> list[str]:
    """Those that are written like it, also in what is left without the labels that both end with; the best first."""
    close = difflib.get_close_matches(name, sorted(candidates), _COMPARED, _ALIKE)
    return [other for other in close if difflib.SequenceMatcher(None, *_heads(name, other)).ratio() >= _ALIKE]


def _heads(first: str, second: str) -> tuple[str, str]:
    """Two names without the labels that both end with."""
    a, b = first.split("."), second.split(".")
    while a and b and a[-1] == b[-1]:
        a.pop()
        b.pop()
    return ".".join(a), ".".join(b)


def _without_digits(name: str) -> str:
    """blog1 and blog2 are two sites, no slip."""
    return re.sub(r"[0-9]+", "", name)


def _twin_names(name: str) -> Iterator[str]:
    """The names that people take for the same: with or without `www.`, and without the star."""
    bare = name.removeprefix("*.").removeprefix("www.")
    yield from (twin for twin in (bare, f"www.{bare}", f"*.{bare}") if twin != name)


def _place_of(selector: Selector, place: str, name: str) -> str:
    return selector.campaign.sites.places.get((place, name), name)


def _confirm(names: list[str]) -> str:
    quoted = (f'"{name}"' if "*" in name else name for name in names)
    return f"`confirmed: [{', '.join(quoted)}]` below `sites`"
