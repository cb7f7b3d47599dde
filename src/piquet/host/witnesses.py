# SPDX-License-Identifier: GPL-3.0-or-later
"""Sites that are asked before and after a reload of ours, so that one that breaks them is undone.

A configuration test tells that a server would start, and not that it would answer: with a mod_lua that ran none of our
code the test passed, and every request got a 500. Only what was asked and answered before can have been broken by us,
and one site may fail by itself at any moment: so several must, and still do some seconds later.

Nothing here belongs to a reload that releases: such a one is never undone.
"""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Sequence, Tuple

from piquet.host.servers import probe
from piquet.host.servers.hooked_server import HookedServer
from piquet.host.state import boundaries
from piquet.host.state.manifest import Manifest
from piquet.host.system.pause import pause
from piquet.protocol.findings import Finding

WITNESSES = 5
"""That many are asked of each server at most."""
SEVERAL = 2
"""That many have to agree; of a server with one site, that one."""
AGAIN_S = 10.0
SITES_BROKEN = "sites-broken"
"""Code of the finding for which a reload is undone."""

_CLIENT_ERROR, _SERVER_ERROR, _NO_ANSWER = 4, 5, 6


class Witness(NamedTuple):
    """A site that can be asked: its server, its name, and where, as a manifest's `probe` says."""

    server: str
    name: str
    target: Mapping[str, Any]


Answers = Sequence[Tuple[Witness, probe.ProbeAnswer]]


def of_bundle(bundle: Manifest) -> List[Witness]:
    """A few sites of each server for which something is staged."""
    known = [entry for entry in bundle.entries if entry.probe]
    chosen = (
        boundaries.spread([e for e in known if e.provider == name], WITNESSES) for name in bundle.providers
    )
    return [Witness(entry.provider, entry.name, entry.probe or {}) for entries in chosen for entry in entries]


def of_blocks(server: HookedServer) -> List[Witness]:
    """A few sites of a server that is hooked."""
    known = [
        Witness(server.name, block.names[0], block.target)
        for block in server.blocks()
        if block.names and block.target
    ]
    return list(boundaries.spread(known, WITNESSES))


def ask(witnesses: Iterable[Witness]) -> Answers:
    """What each of them answers now, side by side: one may be slow."""
    from concurrent.futures import ThreadPoolExecutor  # other verbs do not pay for it

    asked = list(witnesses)
    if not asked:
        return []
    with ThreadPoolExecutor(len(asked)) as pool:
        return list(zip(asked, pool.map(lambda witness: probe.probe(witness.target), asked)))


def faults_since(before: Answers) -> List[Finding]:
    """An error for each server whose sites have come to answer worse than before, and still do some seconds later."""
    suspects = _worse_answers(before, ask([witness for witness, _ in before]))
    if not suspects:
        return []
    pause(AGAIN_S)
    still = _worse_answers(before, ask([witness for witness, _ in suspects]))
    asked, found = _by_server(before), _by_server(still)
    return [_finding(name, asked[name], worse) for name, worse in found.items()]


def faults_that_stay(before: Answers, undone: Iterable[Finding]) -> List[Finding]:
    """After it was undone: what still answers worse, so that something else came into force with the reload."""
    servers = {finding.subject for finding in undone if finding.code == SITES_BROKEN}
    if not servers:
        return []
    asked = [witness for witness, _ in before if witness.server in servers]
    return [_stays(name, worse) for name, worse in _by_server(_worse_answers(before, ask(asked))).items()]


def _stays(server: str, worse: Answers) -> Finding:
    got = "; ".join(f"{witness.name}: {answer.status or answer.error}" for witness, answer in worse)
    message = (
        f"Ours is taken back and sites of {server} answer the same: something else came into force meanwhile."
    )
    hint = f"what its owner had edited and not loaded, say; its owner mends it and reloads {server}"
    return Finding("error", "sites-stay-broken", server, message, got=got, hint=hint)


def _worse_answers(before: Answers, now: Answers) -> Answers:
    """Those that answer worse than they did; what bears our header is no fault of the server's."""
    was = {(witness.server, witness.name): _rank(answer) for witness, answer in before}
    return [
        (witness, answer)
        for witness, answer in now
        if answer.mark is None and _rank(answer) > was[witness.server, witness.name]
    ]


def _rank(answer: probe.ProbeAnswer) -> int:
    """How bad an answer is; all that are none of an error are alike."""
    if answer.status is None:
        return _NO_ANSWER
    return max(answer.status // 100, _CLIENT_ERROR - 1)


def _by_server(answers: Answers) -> Dict[str, List[Tuple[Witness, probe.ProbeAnswer]]]:
    found: Dict[str, List[Tuple[Witness, probe.ProbeAnswer]]] = {}
    for witness, answer in answers:
        found.setdefault(witness.server, []).append((witness, answer))
    return found


def _finding(server: str, asked: Answers, worse: Answers) -> Finding:
    is_proved = len(worse) >= min(SEVERAL, sum(_rank(answer) < _NO_ANSWER for _, answer in asked))
    was = {witness.name: answer for witness, answer in asked}
    got = "; ".join(
        f"{witness.name}: {was[witness.name].status}, now {answer.status or answer.error}"
        for witness, answer in worse
    )
    if is_proved:
        message = (
            f"{server} passes its own test, but its sites stopped answering as they did; so it was undone."
        )
        hint = "its error log says why"
        return Finding("error", SITES_BROKEN, server, message, "answers as before the reload", got, hint)
    message = f"One site of {server} answers worse than before the reload, the others do not."
    return Finding("warning", "site-broken", server, message, "its answer of before", got, "look at it")
