# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's host patterns over any inventory: `all:!web7`, `nginx:&paris`, `web*`, `~web[0-9]+`, `nginx[0]`.

Done here because Ansible itself, when imported, patches the sockets of the process that pyinfra runs in.
A test holds it against Ansible's own answers. No file, no network, no pyinfra here.

Source: Ansible user guide, "Patterns: targeting hosts and groups".
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping, Sequence

from piquet.errors import FleetError

_PARTS = re.compile(r"(?:[^\s:\[\]]|\[[^\]]*\])+")
_SUBSCRIPT = re.compile(r"^(.+)\[(?:(-?[0-9]+)|([0-9]+)[:-]([0-9]*))\]$")
_GLOB = frozenset(".?*[")


def matching(pattern: str, hosts: Sequence[str], groups: Mapping[str, Iterable[str]]) -> list[str]:
    """The hosts that a pattern chooses, in the order in which Ansible would name them.

    Args:
        pattern: as after `--limit` or in `piquet_hosts`.
        hosts: every inventory name, in order.
        groups: group → its hosts, those of its children too.

    Raises:
        FleetError: no host matches, or the pattern is none.
    """
    known = {name: list(members) for name, members in groups.items()} | {"all": list(hosts)}
    chosen: list[str] = []
    for part in _parts_in_order(_split(pattern)):
        try:
            found = [part] if part in hosts else _matches(part.lstrip("!&"), hosts, known)
        except re.error as err:
            raise FleetError(f"{part!r} is no host pattern: {err}") from err
        if part.startswith("!"):
            chosen = [host for host in chosen if host not in found]
        elif part.startswith("&"):
            chosen = [host for host in chosen if host in found]
        else:
            chosen += [host for host in found if host not in chosen]
    if not chosen:
        raise FleetError(f"the inventory has no host that matches {pattern!r}")
    return chosen


def _split(pattern: str) -> list[str]:
    """The parts of a pattern; colons within brackets, and those of an IPv6 address, part nothing."""
    if "," in pattern:
        return [part for piece in pattern.split(",") for part in _split(piece)]
    if pattern.count(":") > 1 and re.fullmatch(r"[0-9a-fA-F:]+", pattern.strip()):
        return [pattern.strip()]
    return _PARTS.findall(pattern)


def _parts_in_order(parts: Iterable[str]) -> list[str]:
    """First what is added, `all` if nothing is, then what is in common, then what is taken away."""
    parts = list(parts)
    added = [part for part in parts if part[0] not in "!&"]
    common = [part for part in parts if part[0] == "&"]
    return [*(added or ["all"]), *common, *(part for part in parts if part[0] == "!")]


def _matches(part: str, hosts: Sequence[str], groups: Mapping[str, Sequence[str]]) -> list[str]:
    subscript = None if part.startswith("~") else _SUBSCRIPT.match(part)
    expression = subscript[1] if subscript else part
    found = _hosts_named(expression, hosts, groups)
    if not subscript or not found:
        return found
    if subscript[2] is not None:
        number = int(subscript[2])
        return [found[number]] if -len(found) <= number < len(found) else []
    last = int(subscript[4]) if subscript[4] else len(found) - 1
    return found[int(subscript[3]) : last + 1]


def _hosts_named(expression: str, hosts: Sequence[str], groups: Mapping[str, Sequence[str]]) -> list[str]:
    """Hosts of every group whose name fits; hosts whose own name does, unless a plain group name was meant."""
    is_regex = expression.startswith("~")
    fits = re.compile(expression[1:] if is_regex else fnmatch.translate(expression)).match
    in_groups = [members for name, members in groups.items() if fits(name)]
    found = [host for members in in_groups for host in members]
    if not in_groups or is_regex or _GLOB & set(expression):
        found += [host for host in hosts if fits(host)]
    return list(dict.fromkeys(found))
