# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of piquet-host, for timers, for the controller, and for somebody at the machine.

`piquet-host --request` answers the request inside the zip file that is running; the rest is for people:
`status [--json] · survey · rehearse [--phase N] [--end] · arm DIGEST · reconcile [--boot|--stopping|--wait] ·
stop SITE · rollback · remove`. Exit code 0 if all is well.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

from piquet.host import request
from piquet.host.errors import AgentError
from piquet.host.machine import this_machine
from piquet.host.outcome import Request

_DEPTH = 4
"""Of an answer down to one virtual host of a survey: answer, survey, server, virtual hosts."""


def main(arguments: Optional[List[str]] = None, *, was_up: bool = False) -> int:
    """Run one verb; return the exit code.

    Args:
        arguments: of the command line.
        was_up: whether flags were up until a moment ago, when this verb began by taking them away.
    """
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a lost connection must not stop a verb half-way
    os.umask(0o022)
    gc.disable()  # it ends soon, and looking at thousands of sites again and again is a fifth of its time
    if options.request:
        return _answer_request(was_up)
    if options.verb is None:
        _parser().print_help(sys.stderr)
        return 2
    return _answer_person(options, was_up)


def _answer_request(was_up: bool) -> int:
    """The controller's way in: one JSON document on stdout."""
    try:
        asked = request.from_payload(Path(sys.argv[0]))
    except AgentError as error:
        return _print(request.refusal(error))
    machine = this_machine("controller")
    machine.was_up = was_up
    return _print(request.respond(machine, asked))


def _print(response: Dict[str, Any]) -> int:
    sys.stdout.writelines(_pieces(response, _DEPTH))
    sys.stdout.write("\n")
    sys.stdout.flush()
    return 0 if response["ok"] else 1


def _pieces(value: Any, depth: int) -> Iterator[str]:
    """The document piece by piece: as one, thousands of virtual hosts would be there once more for each word of it."""
    if not depth or not isinstance(value, (dict, list)) or not value:
        yield json.dumps(value, ensure_ascii=True, sort_keys=True)
        return
    is_list = isinstance(value, list)
    for number, item in enumerate(value if is_list else sorted(value)):
        yield ", " if number else "[" if is_list else "{"
        yield "" if is_list else f"{json.dumps(item)}: "
        yield from _pieces(item if is_list else value[item], depth - 1)
    yield "]" if is_list else "}"


def _answer_person(options: argparse.Namespace, was_up: bool) -> int:
    """Timers and people: a sentence, and what is wrong; JSON where asked for."""
    machine = this_machine(_role(options))
    machine.was_up = was_up
    if was_up:
        print("The flags are down; the servers are asked now.", flush=True)
    response: Dict[str, Any]
    is_check = bool(getattr(options, "check", False))
    asked = Request(options.verb, is_check=is_check, options=_options(options))
    if options.verb == "reconcile":
        outcome = request.carry_out(machine, asked)
        problems = [finding.to_json() for finding in outcome.findings]
        response = {"ok": outcome.is_ok, "message": outcome.message, "problems": problems}
        response["is_quiet"] = not outcome.is_changed and not problems
    else:
        response = request.respond(machine, asked)
    if getattr(options, "json", False) or options.verb == "survey":
        return _print_part(response, options.verb)
    return _tell(response)


def _print_part(response: Dict[str, Any], part: str) -> int:
    """The status or the survey alone; the whole response if there is none."""
    if part not in response:
        return _print(response)
    document = dict(response[part])
    if part == "status":  # what is wrong belongs to it, as it does for people
        document["problems"] = response["problems"]
    sys.stdout.write(json.dumps(document, ensure_ascii=True, sort_keys=True, indent=2) + "\n")
    return 0 if response["ok"] else 1


def _tell(response: Dict[str, Any]) -> int:
    """For a person: the sentence on stdout, problems on stderr; a quiet minute of the timer says nothing."""
    for problem in response["problems"]:
        sys.stderr.write(f"{problem['severity']}: {problem['subject']}: {problem['message']}\n")
        sys.stderr.write(f"  hint: {problem['hint']}\n" if "hint" in problem else "")
    if not response.get("is_quiet"):
        sys.stdout.write(f"{response['message']}\n")
    for line in _windows(response) if response.get("verb") == "status" else ():
        sys.stdout.write(f"  {line}\n")
    for link in response.get("rehearsal", {}).get("links", ()):
        sys.stdout.write(f"  {link}\n")
    return 0 if response["ok"] else 1


def _windows(response: Dict[str, Any]) -> List[str]:
    """A line for each phase of what is staged."""
    from piquet.host.spoken import spoken  # which no timer needs

    machine, phases = this_machine("root"), response["status"].get("phases") or []
    return [
        f"phase {phase['number']} {phase['mode']}: from {spoken(machine, phase['start'])} "
        f"to {spoken(machine, phase['end'])}"
        for phase in phases
    ]


def _role(options: argparse.Namespace) -> str:
    """Who is asking, as the journal has it."""
    if options.verb == "reconcile":
        return "boot" if options.boot else "schedule"
    return "root"


def _options(options: argparse.Namespace) -> Dict[str, Any]:
    return {
        "boot": getattr(options, "boot", False),
        "wait": getattr(options, "wait", False),
        "stopping": getattr(options, "stopping", False),
        "plan_digest": getattr(options, "digest", ""),
        "phase": getattr(options, "phase", 0),
        "end": getattr(options, "end", False),
        "site": getattr(options, "site", ""),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="piquet-host", description="The agent of piquet on this host.")
    parser.add_argument("--request", action="store_true", help="answer the request in the running zip file")
    verbs = parser.add_subparsers(dest="verb")
    verbs.add_parser("status", help="what this host is in").add_argument("--json", action="store_true")
    verbs.add_parser("survey", help="what this host serves, as JSON")
    rehearse = verbs.add_parser("rehearse", help="show what is staged to one secret cookie, for half an hour")
    rehearse.add_argument(
        "--phase", type=int, default=0, help="number of the phase [the next, or the current]"
    )
    rehearse.add_argument("--end", action="store_true", help="end it now")
    verbs.add_parser("arm", help="arm the staged plan").add_argument("digest")
    reconcile = verbs.add_parser("reconcile", help="for timers").add_mutually_exclusive_group()
    reconcile.add_argument("--boot", action="store_true", help="our units begin")
    reconcile.add_argument("--stopping", action="store_true", help="our units end")
    reconcile.add_argument(
        "--wait", action="store_true", help="stay until the boundaries of this minute have passed"
    )
    reconcile.add_argument("--check", action="store_true", help="look, and do nothing")
    verbs.add_parser("stop", help="one site back to normal, for good").add_argument("site")
    verbs.add_parser("rollback", help="back to normal now")
    verbs.add_parser("remove", help="back to normal, and delete all of piquet")
    return parser
