# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof: whether a server that runs sees what this host does, asked of itself before anything depends on it.

A small file in `/run/piquet/proof`, whose name is random and known to root alone, is there for the time of one
question. What was staged answers it before doors, phases and windows, and repeats its name in answers of ours. A server
that runs with a `/run` of its own, or whose sites answer before ours, does neither.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Iterator, List, Sequence, Tuple

from piquet.host.machine import Machine
from piquet.host.proof_causes import cause
from piquet.host.servers import probe
from piquet.host.state import boundaries
from piquet.host.state.manifest import Manifest, StagedEntry
from piquet.host.system import files
from piquet.host.system.paths import Paths
from piquet.protocol.findings import Finding
from piquet.protocol.http import PROOF_PREFIX

_STATUS = 204
_ASKED_S = 120
"""Longer than any question takes."""

_NAME_BYTES = 16


def word() -> str:
    """A name that nobody can guess."""
    return os.urandom(_NAME_BYTES).hex()


@contextlib.contextmanager
def lying(paths: Paths, seal: str = "") -> Iterator[str]:
    """A word whose file is there meanwhile, and gone afterwards whatever happens.

    Args:
        paths: of this host.
        seal: stands in the file's name behind the word, so that who only sees the word cannot look for the file.

    Raises:
        OSError: it cannot be made, or a folder of ours is somebody else's or a link.
    """
    made, before = word(), paths.run.stat() if paths.run.exists() else None
    name = f"{made}-{seal}" if seal else made
    try:
        for folder, mode in ((paths.run, 0o711), (paths.proof, 0o711)):
            files.make_own_folder(folder, mode)
        descriptor = os.open(
            str(paths.proof / name), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644
        )
        os.fchmod(
            descriptor, 0o644
        )  # Lua in a server's worker can only see that a file is there by opening it
        os.close(descriptor)
        yield made
    finally:
        with contextlib.suppress(OSError):
            files.remove(paths.proof / name)
        with contextlib.suppress(OSError):
            paths.proof.rmdir()
            if before is None:
                paths.run.rmdir()
            else:  # check mode leaves nothing, not even a time
                os.utime(str(paths.run), ns=(before.st_atime_ns, before.st_mtime_ns))


def sweep_proofs(paths: Paths, now: float) -> None:
    """Take away what a death in the middle of a question has left; a link is taken away itself.

    A question that is being asked is left alone: check mode waits for no lock.
    """
    if paths.run.is_symlink():
        return
    with contextlib.suppress(OSError):
        if paths.proof.is_symlink():
            files.remove(paths.proof)
            return
        if 0 <= now - paths.proof.stat().st_mtime < _ASKED_S:
            return
        for path in list(paths.proof.iterdir()):
            files.remove(path)
        paths.proof.rmdir()


def unproved(machine: Machine, staged: Manifest) -> List[Finding]:
    """The servers of which no site shows it, with the cause if there is one to be found."""
    return [found for provider in staged.providers for found in _faults_of(machine, staged, provider)]


def _faults_of(machine: Machine, staged: Manifest, provider: str) -> Iterator[Finding]:
    asked = boundaries.spread(
        [entry for entry in staged.entries if entry.provider == provider and entry.probe]
    )
    if not asked:
        message = f"No site of {provider} can be asked: none of those chosen listens on a TCP port."
        yield Finding("warning", "not-asked", provider, message, hint="look at one of them when it begins")
        return
    try:
        with lying(machine.paths) as name:
            answers = []
            for entry in asked:
                is_shown, answer = _show(entry, staged.campaign, name)
                if is_shown:
                    return
                answers.append(answer)
            yield _not_shown(machine, provider, asked, answers, machine.paths.proof / name)
    except OSError as error:
        message, got = (
            "The file by which servers prove themselves could not be made.",
            error.strerror or str(error),
        )
        yield Finding("error", "not-proved", str(machine.paths.proof), message, got=got)


def _show(entry: StagedEntry, campaign: str, name: str) -> Tuple[bool, probe.ProbeAnswer]:
    """Whether a site answers the name of the file as ours, and a name of no file not."""
    answer = probe.probe(entry.probe or {}, PROOF_PREFIX + name)
    if not _is_ours(answer, campaign):
        return False, answer
    return not _is_ours(probe.probe(entry.probe or {}, PROOF_PREFIX + word()), campaign), answer


def _is_ours(answer: probe.ProbeAnswer, campaign: str) -> bool:
    return (answer.status, answer.mark) == (_STATUS, f"{campaign}/proof")


def _not_shown(
    machine: Machine,
    provider: str,
    asked: Sequence[StagedEntry],
    answers: Sequence[probe.ProbeAnswer],
    file: Path,
) -> Finding:
    """What was asked, what came, and why."""
    got = "; ".join(f"{e.name}: {a.error or a.status}" for e, a in zip(asked, answers))
    reason, hint = cause(machine.servers[provider], provider, file, answers)
    message = f"{provider} does not show what is staged: {reason}."
    return Finding("error", "not-proved", provider, message, f"{_STATUS} with our header", got, hint)


def is_echoed(entry: StagedEntry, paths: Paths, path: str, seal: str) -> bool:
    """Whether an answer is made by our configuration on this host, and by nothing that only looks like it.

    It repeats a word whose file root has just made, and no other; a header that somebody sets, or repeats, and another
    host behind this one, whose answer comes late, do not. Where no such file can be made nobody can tell, and
    what is in doubt counts as ours: it is asked of what should be over.
    """
    try:
        with lying(paths, seal) as name:
            if probe.probe(entry.probe or {}, path, nonce=name).nonce != name:
                return False
            other = word()
            return probe.probe(entry.probe or {}, path, nonce=other).nonce != other
    except OSError:
        return True
