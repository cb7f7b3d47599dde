# SPDX-License-Identifier: GPL-3.0-or-later
"""The request that is put into a payload, verb by verb. No file, no network, no clock here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from piquet.campaign.document import shown
from piquet.campaign.names import Refusal, site_name
from piquet.errors import FleetError, HostError
from piquet.fleet import choices
from piquet.fleet.surveyed_server import Part, parts_of
from piquet.protocol.verbs import HOST_VERBS
from piquet.servers.configured_server import ConfiguredServer
from piquet.servers.registry import SERVERS


def make_request(
    verb: str, host: str, at: float, *, check: bool = False, diff: bool = False, **fields: Any
) -> dict[str, Any]:
    """The agent's `request.json`.

    Args:
        verb: one of `HOST_VERBS`.
        host: the inventory name, which the agent compares with the manifest's.
        at: the controller's clock when the request is sent, epoch seconds.
        check: change nothing, answer as if.
        diff: answer with the text before and after of every file.
        fields: what this verb needs besides (`files`, `plan_digest`, `only_check`, `max_skew_s`, `phase`, …).

    Raises:
        HostError: the verb is not one of the agent's.
    """
    if verb not in HOST_VERBS:
        raise HostError(f"{verb!r} is no verb of the agent; there are {', '.join(HOST_VERBS)}")
    return {"verb": verb, "check": check, "diff": diff, "at": at, "host": host, **fields}


def wanted_site(text: str) -> str:
    """The site that `stop` is about, as hosts know it.

    Raises:
        HostError: it is no name of a site.
    """
    try:
        return site_name(text.strip().removesuffix("."))
    except Refusal as err:
        form = "its host name alone, as `piquet plan` lists it, or '*.' and a name"
        hint = err.hint or f"{form}; piquet stop SITE -i INVENTORY"
        said = (
            f"{shown(text)} is no name of a site: {err.message}" if text else "stop needs the name of a site"
        )
        raise HostError(f"{said}\n\n  hint: {hint}") from err


def hook_fields(host: str, survey: Mapping[str, Any] | None, variables: Mapping[str, str]) -> dict[str, Any]:
    """What `hook` is to do: `files`, those of the survey with their sha256, and `is_by_lua`.

    By the digests the agent refuses a file that changed since. There are no files where the server does not run, or
    where its way needs no hook: what no strike needs is not edited.

    Args:
        host: inventory name.
        survey: of the host.
        variables: the inventory's word for the ways of its servers.

    Raises:
        HostError: the host was never surveyed.
        FleetError: there is no such way to speak to a server.
    """
    if problems := list(choices.problems(host, variables, SERVERS)):
        raise FleetError("the variables cannot be used as they are", problems)
    if survey is None:
        raise HostError(
            f"{host} has not been surveyed, and hook only edits files that somebody has looked at\n\n"
            "  hint: first: piquet survey -i INVENTORY"
        )
    files: dict[str, str] = {}
    is_by_lua = False
    for kind, part in parts_of(survey, SERVERS):
        if kind.has_hook and part:
            is_needed = _needs_hook(kind, part, variables)
            is_by_lua = is_by_lua or not is_needed
            files |= kind.hook_files(part) if is_needed and part.get("running", True) else {}
    return {"files": files, "is_by_lua": is_by_lua}


def _needs_hook(kind: ConfiguredServer[Any], part: Part, variables: Mapping[str, str]) -> bool:
    """As the plan will choose; also where the survey is not in the agreed form, which the plan refuses."""
    try:
        facts = kind.facts(part)
        return kind.needs_hook(replace(facts, variant=kind.variant(variables, facts)))
    except (AttributeError, KeyError, TypeError, ValueError):
        return True
