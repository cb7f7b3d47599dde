# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent protocol: one request in, one JSON document out, whatever happens.

The request and what belongs to it lie in the zip file that is being run, so that one command carries everything.
"""

from __future__ import annotations

import json
import traceback
import zipfile
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional, Tuple

from piquet.host.errors import AgentError, PayloadError
from piquet.host.machine import Machine
from piquet.host.outcome import Outcome, Request
from piquet.host.state import journal
from piquet.protocol.findings import Finding
from piquet.protocol.places import DECISION_FILE, SIGNATURES, STOP_FILE, TRUST_FILE
from piquet.protocol.verbs import HOST_VERBS

AGENT_VERBS: Mapping[str, Tuple[str, str]] = {
    **{name: (name, "run") for name in (*HOST_VERBS, "reconcile")},
    "hook": ("hook", "hook"),
    "unhook": ("hook", "unhook"),
}
"""Verb → module in `verbs/` and function. Loaded when asked for: on a host every start compiles what it imports."""


def from_payload(path: Path) -> Request:
    """Read `request.json` and its members out of the running zip file.

    Raises:
        PayloadError: there is none, or it is no request.
    """
    try:
        with zipfile.ZipFile(str(path)) as archive:
            members = {name: archive.read(name) for name in archive.namelist() if _is_member(name)}
        document = json.loads(members.pop("request.json"))
        return parse_request(document, members)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise PayloadError(f"The payload holds no usable request: {error!r}.") from error


def _is_member(name: str) -> bool:
    return name in (
        "request.json",
        "plan.json",
        "manifest.json",
        DECISION_FILE,
        TRUST_FILE,
        STOP_FILE,
    ) or name.startswith(("files/", SIGNATURES))


def parse_request(document: Mapping[str, Any], members: Optional[Mapping[str, bytes]] = None) -> Request:
    """A request as a value; what is not common to all verbs becomes an option.

    Raises:
        PayloadError: an unknown verb.
    """
    verb = str(document.get("verb"))
    if verb not in AGENT_VERBS:
        raise PayloadError(f"There is no verb {verb!r}.")
    common = ("verb", "check", "diff", "at", "host")
    at = document.get("at")
    return Request(
        verb,
        bool(document.get("check")),
        bool(document.get("diff")),
        float(at) if at is not None else None,
        str(document.get("host", "")),
        {key: value for key, value in document.items() if key not in common},
        members or {},
    )


def carry_out(machine: Machine, request: Request) -> Outcome:
    """Run the verb; an exception becomes an outcome that says so."""
    try:
        return _verb(request.verb)(machine, request)
    except AgentError as error:
        fallback = Finding("error", "refused", request.verb, error.message)
        return Outcome(False, error.message, error.findings or (fallback,))
    except Exception as error:  # the protocol promises one document, whatever happens
        trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        finding = Finding(
            "error", "internal", request.verb, f"piquet-host failed: {error!r}.", got=trace[-4000:]
        )
        return Outcome(False, finding.message, (finding,))


def _verb(name: str) -> Callable[[Machine, Request], Outcome]:
    module, function = AGENT_VERBS[name]
    found: Callable[[Machine, Request], Outcome] = getattr(
        import_module(f"piquet.host.verbs.{module}"), function
    )
    return found


def respond(machine: Machine, request: Request) -> Dict[str, Any]:
    """Carry a request out and make the response of the agent protocol."""
    import_module(
        "piquet.host.verbs.status"
    )  # before the work: remove deletes the file that modules come from
    known = _journal(machine, request)
    outcome = _looked_again(machine, request, carry_out(machine, request))
    response: Dict[str, Any] = {
        "piquet": 1,
        "verb": request.verb,
        "ok": outcome.is_ok,
        "changed": outcome.is_changed,
        "check": request.is_check,
        "message": outcome.message,
        "problems": [finding.to_json() for finding in outcome.findings],
        "diff": list(outcome.diff),
        "status": outcome.survey["status"] if outcome.survey else _status(machine),
    }
    if known is not None:
        response["journal"] = _journal(machine, request)
        if not response["journal"]["records"]:  # remove took it away
            response["journal"] = {**known, "records": [*known["records"], *machine.logged]}
    if outcome.survey:
        response["survey"] = outcome.survey
    if outcome.rehearsal:
        response["rehearsal"] = outcome.rehearsal
    return response


def _looked_again(machine: Machine, request: Request, outcome: Outcome) -> Outcome:
    """Survey again after a verb that rewrites the owner's files, so that the controller's survey is true."""
    if request.verb not in ("hook", "unhook") or request.is_check:
        return outcome
    from piquet.host.verbs import survey

    try:
        return replace(outcome, survey=survey.survey(machine))
    except Exception as error:  # the work is done, and its answer must not be lost
        finding = Finding(
            "warning", "survey-failed", request.verb, f"The host cannot be surveyed: {error!r}."
        )
        return replace(outcome, findings=(*outcome.findings, finding))


def _journal(machine: Machine, request: Request) -> Optional[Dict[str, Any]]:
    """What happened since the instant that the controller has last heard of, if it keeps that; never an exception."""
    wanted = request.options.get("journal_since")
    if wanted is None:
        return None
    try:
        records, is_cut = journal.since(machine.paths, float(wanted))
    except Exception:  # a journal is worth less than a release
        return {"records": [], "cut": True}
    return {"records": records, "cut": is_cut}


def _status(machine: Machine) -> Dict[str, Any]:
    """The status, or why there is none; never an exception after the work is done."""
    from piquet.host import status_document

    try:
        return status_document.status_of(machine)
    except Exception as error:
        return {"state": "unknown", "error": repr(error)}


def refusal(error: AgentError, verb: str = "?") -> Dict[str, Any]:
    """The response to something that is no request."""
    finding = Finding("error", "bad-request", "payload", error.message)
    return {
        "piquet": 1,
        "verb": verb,
        "ok": False,
        "changed": False,
        "check": False,
        "message": error.message,
        "problems": [finding.to_json()],
        "diff": [],
        "status": {},
    }
