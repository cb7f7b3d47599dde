# SPDX-License-Identifier: GPL-3.0-or-later
"""The exceptions of piquet: one root, grouped by where the fault lies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from piquet.printable import continued, in_one_line, printable


@dataclass(frozen=True, order=True)
class Problem:
    """One fault in an input file, with its place.

    Attributes:
        file: name of the file as the user gave it.
        line: 1-based, 0 if the fault is about the whole file.
        column: 1-based, 0 if unknown.
        message: one sentence.
        expected: what would have been right, or "".
        got: what was there, or "".
        hint: what to do next, or "".
    """

    file: str
    line: int
    column: int
    message: str
    expected: str = ""
    got: str = ""
    hint: str = ""

    def __str__(self) -> str:
        """`file:line:column: message`, expected and got, then a blank line and the hint."""
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        lines = [f"{in_one_line(place)}: {continued(self.message)}"]
        lines += [f"  expected: {continued(self.expected)}"] if self.expected else []
        lines += [f"  got:      {continued(self.got)}"] if self.got else []
        lines += ["", f"  hint: {continued(self.hint)}"] if self.hint else []
        return "\n".join(lines)


class PiquetError(Exception):
    """Root of all errors that piquet raises on purpose; `problems` holds every reason at once."""

    def __init__(self, message: str, problems: Iterable[Problem] = ()) -> None:
        """Keep the message and the reasons, sorted by place."""
        super().__init__(message)
        self.problems: tuple[Problem, ...] = tuple(sorted(problems))

    def __str__(self) -> str:
        """Message first, then each reason as a paragraph of its own."""
        return printable("\n\n".join([str(self.args[0]), *_paragraphs(self.problems)]))


def _paragraphs(problems: Iterable[Problem]) -> Iterator[str]:
    """One cause is one paragraph: the first place in full, the others in a line of it."""
    alike: dict[tuple[str, str, str], list[Problem]] = {}
    for problem in problems:
        alike.setdefault((problem.message, problem.expected, problem.hint), []).append(problem)
    for first, *others in alike.values():
        told, gap, hint = str(first).partition("\n\n  hint: ")
        also = [f"  also at:  {', '.join(_place(other, first.file) for other in others)}"] if others else []
        yield "\n".join([told, *also]) + gap + hint


def _place(problem: Problem, file: str) -> str:
    """Where it is as well, and what was there: `4:71 (de)`; with its file where that is another."""
    parts = [part for part in (problem.file, problem.line, problem.column) if part]
    place = in_one_line(":".join(str(part) for part in (parts[1:] if problem.file == file else parts)))
    got = in_one_line(problem.got)
    return f"{place} ({got})" if got and place else place or got


class CampaignError(PiquetError):
    """The campaign file, its pages or its consent list cannot be used as they are."""


class FleetError(PiquetError):
    """The inventory or a survey cannot be used as it is."""


class PlanError(PiquetError):
    """The plan is unsafe, or is not the plan that was reviewed."""


class MandateError(PiquetError):
    """The decision is not signed as it should be, or a signature cannot be made or kept."""


class BundleError(PiquetError):
    """The files for a host cannot be made."""


class HostError(PiquetError):
    """A host answered with a failure, or not in the agreed form."""


class EngineError(PiquetError):
    """The engine itself could not run, or ended in a way that tells nothing of the hosts."""


def kind_of(error: PiquetError) -> str:
    """The word for where the fault lies, e.g. `campaign`; `piquet` for an error without a group."""
    return type(error).__name__.removesuffix("Error").lower()
