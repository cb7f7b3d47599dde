# SPDX-License-Identifier: GPL-3.0-or-later
"""The request that is put into a payload, verb by verb. No file, no network, no clock here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from piquet.errors import FleetError, HostError
from piquet.fleet import choices
from piquet.fleet.read import server_facts
from piquet.protocol.verbs import HOST_VERBS


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
        fields: what this verb needs besides (`files`, `plan_digest`, `only_check`, `max_skew_s`, `phase`, `end`).

    Raises:
        HostError: the verb is not one of the agent's.
    """
    if verb not in HOST_VERBS:
        raise HostError(f"{verb!r} is no verb of the agent; there are {', '.join(HOST_VERBS)}")
    return {"verb": verb, "check": check, "diff": diff, "at": at, "host": host, **fields}


def hook_fields(host: str, survey: Mapping[str, Any] | None, wanted: str) -> dict[str, Any]:
    """What `hook` is to do: `files`, nginx's by the survey with their sha256, and `is_by_lua`.

    By the digests the agent refuses a file that changed since. There are no files where nginx does not run, or where
    it works by Lua: what no strike needs is not edited.

    Args:
        host: inventory name.
        survey: of the host.
        wanted: the inventory's `piquet_nginx`.

    Raises:
        HostError: the host was never surveyed.
        FleetError: there is no such way to speak to nginx.
    """
    if problems := list(choices.problems(host, {"piquet_nginx": wanted})):
        raise FleetError("the variables cannot be used as they are", problems)
    if survey is None:
        raise HostError(
            f"{host} has not been surveyed, and hook only edits files that somebody has looked at\n\n"
            "  hint: run the survey verb first (piquet survey -i INVENTORY, or the playbook piquet.fleet.survey)"
        )
    nginx = survey.get("nginx") or {}
    is_by_lua = bool(nginx) and _is_by_lua(nginx, wanted)
    is_needed = nginx.get("running", True) and not is_by_lua
    return {"files": dict(nginx.get("files") or {}) if is_needed else {}, "is_by_lua": is_by_lua}


def _is_by_lua(nginx: Mapping[str, Any], wanted: str) -> bool:
    """As the plan will choose; not where the survey is not in the agreed form, which the plan refuses."""
    try:
        return choices.variant({"piquet_nginx": wanted}, server_facts("nginx", nginx)) == "lua"
    except (AttributeError, KeyError, TypeError, ValueError):
        return False
