# SPDX-License-Identifier: GPL-3.0-or-later
"""The request that is put into a payload, verb by verb. No file, no network, no clock here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from piquet.errors import HostError

Verb = Literal["survey", "hook", "unhook", "stage", "rehearse", "arm", "status", "rollback", "remove"]
VERBS: tuple[str, ...] = get_args(Verb)
NEED_NOTHING = frozenset({"survey", "unhook", "rehearse", "status", "rollback", "remove"})
"""Verbs that work from the inventory alone: no campaign, no survey, no plan."""


def make_request(
    verb: str, host: str, at: float, *, check: bool = False, diff: bool = False, **fields: Any
) -> dict[str, Any]:
    """The agent's `request.json`.

    Args:
        verb: one of `VERBS`.
        host: the inventory name, which the agent compares with the manifest's.
        at: the controller's clock when the request is sent, epoch seconds.
        check: change nothing, answer as if.
        diff: answer with the text before and after of every file.
        fields: what this verb needs besides (`files`, `plan_digest`, `only_check`, `max_skew_s`, `phase`, `end`).

    Raises:
        HostError: the verb is not one of the agent's.
    """
    if verb not in VERBS:
        raise HostError(f"{verb!r} is no verb of the agent; there are {', '.join(VERBS)}")
    return {"verb": verb, "check": check, "diff": diff, "at": at, "host": host, **fields}


def hook_files(host: str, survey: Mapping[str, Any] | None) -> dict[str, str]:
    """The nginx files of a survey with their sha256, so that the agent refuses any that changed since.

    None where nginx does not run: what serves nobody is not edited.

    Raises:
        HostError: the host was never surveyed.
    """
    if survey is None:
        raise HostError(
            f"{host} has not been surveyed, and hook only edits files that somebody has looked at\n\n"
            "  hint: run the survey verb first (piquet survey -i INVENTORY, or the playbook piquet.fleet.survey)"
        )
    nginx = survey.get("nginx") or {}
    return dict(nginx.get("files") or {}) if nginx.get("running", True) else {}
