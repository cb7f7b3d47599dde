# SPDX-License-Identifier: GPL-3.0-or-later
"""One agent verb on one host, from the engine's arguments to its result: the edge that reads clock and workdir."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from piquet.agent_archive import agent_modules, payload
from piquet.controller import journal
from piquet.controller.answer import AgentAnswer, parse_answer
from piquet.controller.clock import SLOW_WAY_S, judged_by_clock
from piquet.controller.rehearsal import links_text
from piquet.controller.request import hook_fields, make_request, wanted_site
from piquet.controller.result import as_result
from piquet.controller.store import read_members
from piquet.controller.survey import is_broken, survey_text, with_skew
from piquet.controller.transport import Remote, deliver
from piquet.errors import HostError, PiquetError
from piquet.fleet.workdir import Workdir
from piquet.printable import in_one_line
from piquet.protocol.places import DEFAULT_PYTHON
from piquet.protocol.verbs import HOST_VERBS
from piquet.servers.registry import SERVERS

_BROKEN = (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)
"""What a hostile or broken answer can raise where it is worked with; no host may end the run of the others."""
VERB_ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "verb": {"type": "str", "required": True, "choices": list(HOST_VERBS)},
    "python": {"type": "str", "default": DEFAULT_PYTHON},
    "workdir": {"type": "str"},
    "plan_digest": {"type": "str"},
    "only_check": {"type": "bool", "default": False},
    "max_skew_s": {"type": "float", "default": 2.0},
    "phase": {"type": "int", "default": 0},
    "end": {"type": "bool", "default": False},
    "site": {"type": "str", "default": ""},
    "campaign": {"type": "str", "default": ""},
    "withdrawn": {"type": "bool", "default": False},
    "decision": {"type": "str", "default": ""},
    **{server: {"type": "str", "default": "auto"} for server in SERVERS},
    "allow_unloaded": {"type": "bool", "default": False},
}
"""What an engine may pass, in the form of Ansible's argument specs."""


def make_ready() -> None:
    """What is the same for every host, done once where an engine begins a process for each."""
    agent_modules()


def run_verb(
    remote: Remote,
    host: str,
    arguments: Mapping[str, Any],
    *,
    check: bool,
    diff: bool,
    clock: Callable[[], float] = time.time,
) -> dict[str, Any]:
    """Ask one host's agent for one verb.

    Args:
        remote: the connection.
        host: inventory name.
        arguments: as in `ARGUMENTS`.
        check: change nothing on the host.
        diff: have texts before and after in the result.
        clock: the controller's clock, epoch seconds.

    Returns:
        An Ansible result; for a verb that looks at the host again also `survey_text` and `survey_is_broken`.

    Raises:
        HostError: the verb lacks what it needs, or the host gave no answer in the agreed form.
    """
    verb, python = arguments["verb"], arguments["python"]
    workdir = _kept_in(arguments)
    fields, members = _needs(verb, host, arguments, workdir)
    sent_at = clock()
    notebook = None if check else workdir
    heard = {} if (since := journal.known_until(notebook, host)) is None else {"journal_since": since}
    request = make_request(verb, host, sent_at, check=check, diff=diff, **fields, **heard)
    outcome, transport = deliver(remote, payload(request, members), python)
    received_at = clock()
    answer = parse_answer(outcome, verb, host, python)
    journal.keep_answer(notebook, host, answer, received_at)
    if verb == "arm":
        answer = judged_by_clock(answer, sent_at, received_at, arguments["max_skew_s"])
    result = as_result(answer, transport, diff)
    kept = _kept_survey(answer, host, workdir, check, (sent_at, received_at))
    if kept is None:
        return result
    text = survey_text(host, kept, _chosen_ways(arguments))
    return result | {"survey_text": text, "survey_is_broken": is_broken(host, kept)}


def attempt(
    remote: Remote, host: str, arguments: Mapping[str, Any], *, check: bool, diff: bool
) -> dict[str, Any]:
    """`run_verb` for an engine: an error of ours becomes a failed result.

    `show` is what people should read of a success; Ansible itself shows a failure's `msg`.
    """
    try:
        result = _run_and_journal(remote, host, arguments, check=check, diff=diff)
    except PiquetError as err:
        return {"failed": True, "changed": False, "msg": _with_host_name(host, str(err))}
    except _BROKEN as err:
        reason = in_one_line(f"{type(err).__name__}: {err}")
        text = f"{host}: its answer cannot be used ({reason}); what the host did is unknown: run status"
        return {"failed": True, "changed": False, "msg": text}
    if result["failed"]:
        return result | {"msg": _with_host_name(host, result["msg"])}
    if arguments["verb"] == "survey":
        is_failed = result["survey_is_broken"]
        return result | (
            {"failed": True, "msg": result["survey_text"]} if is_failed else {"show": result["survey_text"]}
        )
    if told := result["piquet"].get("rehearsal"):
        return result | {"show": f"{host}: {result['msg']}\n{links_text(told)}"}
    return result | ({"show": f"{host}: {result['msg']}"} if result["piquet"]["problems"] else {})


def _run_and_journal(
    remote: Remote, host: str, arguments: Mapping[str, Any], *, check: bool, diff: bool
) -> dict[str, Any]:
    """`run_verb`, with a line in our journal that says how it went, also where no answer came."""
    result: dict[str, Any] = {}
    try:
        result = run_verb(remote, host, arguments, check=check, diff=diff)
    finally:
        if not check and not arguments.get("only_check"):
            word = "unanswered" if not result else "failed" if result["failed"] else "ok"
            told = {key: arguments[key] for key in ("plan_digest", "site", "phase") if arguments.get(key)}
            about = {"host": host, "result": word, "changed": bool(result.get("changed"))}
            journal.keep_command(_kept_in(arguments), arguments["verb"], time.time(), **about, **told)
    return result


def _kept_in(arguments: Mapping[str, Any]) -> Workdir | None:
    return Workdir(Path(arguments["workdir"])) if arguments.get("workdir") else None


def _with_host_name(host: str, text: str) -> str:
    """A message that begins with the host, once."""
    return text if text.startswith((f"{host}: ", f"{host} ")) else f"{host}: {text}"


def _needs(
    verb: str, host: str, arguments: Mapping[str, Any], workdir: Workdir | None
) -> tuple[dict[str, Any], Mapping[str, bytes]]:
    """What this verb's request and payload hold besides."""
    if verb == "hook":
        fields = hook_fields(host, _workdir(verb, workdir).surveys().get(host), _chosen_ways(arguments))
        return {**fields, "allow_unloaded": arguments["allow_unloaded"]}, {}
    if verb == "stage":
        digest = _digest(verb, arguments)
        fields = {"plan_digest": digest, "allow_unloaded": arguments["allow_unloaded"]}
        return fields, read_members(_workdir(verb, workdir), digest, host)
    if verb == "arm":
        max_skew_s = arguments["max_skew_s"] + SLOW_WAY_S
        fields = {"only_check": arguments["only_check"], "max_skew_s": max_skew_s}
        return {"plan_digest": _digest(verb, arguments), **fields}, {}
    if verb == "rehearse":
        digest = arguments.get("plan_digest") or ""
        return {"plan_digest": digest, "phase": arguments["phase"], "end": arguments["end"]}, {}
    if verb == "trust" or (verb == "stop" and arguments["decision"]):
        return {}, _signed_members(verb, arguments)
    if verb == "stop":
        return {"site": wanted_site(arguments["site"]), "is_withdrawn": arguments["withdrawn"]}, {}
    return {}, {}


def _signed_members(verb: str, arguments: Mapping[str, Any]) -> dict[str, bytes]:
    """Of the two verbs that read a campaign's folder; no other waits for what reads that to be loaded."""
    from piquet.controller.signers import stop_members, trust_members

    if verb == "trust":
        return trust_members(Path(str(arguments["campaign"])))
    return stop_members(Path(str(arguments["decision"])))


def _chosen_ways(arguments: Mapping[str, Any]) -> dict[str, str]:
    """The inventory's word for the way of each server, by its variable."""
    return {f"piquet_{server}": arguments[server] for server in SERVERS}


def _kept_survey(
    answer: AgentAnswer, host: str, workdir: Workdir | None, check: bool, round_trip: tuple[float, float]
) -> dict[str, Any] | None:
    """Write down a survey that came with the answer, also after a failure: it is the host as it is now.

    `asked_at` (the controller's clock, epoch seconds) is when the survey verb looked last; hook and unhook leave it.
    """
    if not answer.survey:
        return None
    earlier = workdir.surveys().get(host, {}) if workdir and answer.verb != "survey" else {}
    asked_at = earlier.get("asked_at", round_trip[0])
    survey = {**with_skew(answer.survey, *round_trip), "asked_at": asked_at}
    if workdir is not None and not check:
        workdir.write_survey(host, survey)
    return survey


def _workdir(verb: str, workdir: Workdir | None) -> Workdir:
    if workdir is None:
        raise HostError(f"{verb} needs the controller's working directory\n\n  hint: set piquet_workdir")
    return workdir


def _digest(verb: str, arguments: Mapping[str, Any]) -> str:
    digest = arguments.get("plan_digest")
    if not digest:
        raise HostError(
            f"{verb} needs a plan digest\n\n  hint: run piquet.fleet.plan first, or set plan_digest"
        )
    return str(digest)
