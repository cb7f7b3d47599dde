# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask every packaged application of a host, and say what is wrong with what came."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from piquet import answers
from piquet.campaign.model import Campaign, Phase
from piquet.protocol.http import ASSET_PREFIX, SIGN_HEADER
from testbed.host import Host
from tests.corpus.cases import Case
from tests.corpus.client import Response, Wire, exchange, parse, settled

from .applications import Application
from .likeness import Likeness

WWW = "/var/lib/piquet/www-*/"
_CONNECTIONS = 3
_SLOW_S = 60.0
"""Some applications are compiled at their first request, on a machine that has other things to do."""
_ANYBODYS = (
    "connection",
    "content-length",
    "content-type",
    "date",
    "location",
    "server",
    "transfer-encoding",
)
"""Headers that the server puts on any answer; besides these an answer of ours has what the table says, and no more."""

# The same exchange, for what only the host itself reaches: base64 of each request in, of each answer out.
_FROM_INSIDE = """\
import base64, json, socket, sys
def ask(sent):
    with socket.create_connection(("127.0.0.1", 80), 60) as connection:
        connection.sendall(base64.b64decode(sent))
        return base64.b64encode(b"".join(iter(lambda: connection.recv(65536), b""))).decode()
print(json.dumps([ask(sent) for sent in json.loads(QUESTIONS)]))
"""


class Question(NamedTuple):
    """One request to one name of one application."""

    application: Application
    name: str
    case: Case

    @property
    def sent(self) -> bytes:
        """What goes over the wire; the vhost without a name is reached by saying none."""
        text = self.case.bytes(self.name)
        if self.name:
            return text
        return text.replace(b" HTTP/1.1\r\nHost: \r\n", b" HTTP/1.0\r\n", 1)

    @property
    def is_selected(self) -> bool:
        """Whether the name is one of the campaign's sites."""
        return self.name in self.application.names

    def __str__(self) -> str:
        """For a report."""
        return f"{self.name or '(no host)'}: {self.case}"


Reading = dict[Question, Response | None]
"""Question → its answer, None where none came."""


def questions(applications: Iterable[Application], secret: str) -> list[Question]:
    """All that is asked of these applications in every state."""
    return [question for a in applications for question in _asked(a, a.cases(secret))]


def bodies(applications: Iterable[Application]) -> list[Question]:
    """Requests with a body to applications that read none: what comes is certain inside the window only."""
    return [question for a in applications for question in _asked(a, a.bodies())]


def _asked(application: Application, cases: Mapping[str, Sequence[Case]]) -> list[Question]:
    found = (Question(application, name, case) for name, row in cases.items() for case in row)
    return list(dict.fromkeys(found))


def ask(host: Host, asked: Sequence[Question]) -> Reading:
    """Ask a host everything, a few questions at a time."""
    outside = [question for question in asked if not question.application.is_inside]
    inside = [question for question in asked if question.application.is_inside]
    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        wires = list(
            pool.map(lambda q: exchange(host.ip, 80, q.sent, source="0.0.0.0", timeout_s=_SLOW_S), outside)
        )
    wires += _ask_inside(host, inside)
    found = zip((*outside, *inside), wires, strict=True)
    return {question: parse(settled(wire).received) for question, wire in found}


def _ask_inside(host: Host, asked: Sequence[Question]) -> list[Wire]:
    if not asked:
        return []
    sent = json.dumps([base64.b64encode(question.sent).decode() for question in asked])
    said = host.run("python3 -", stdin=_FROM_INSIDE.replace("QUESTIONS", repr(sent))).stdout
    return [Wire(base64.b64decode(answer)) for answer in json.loads(said)]


class Judge:
    """What each answer must be: as it was, or what the table of answers says.

    Attributes:
        usual: question → what the site's own answer is like.
    """

    def __init__(
        self, campaign: Campaign, secret: str, usual: Mapping[Question, Likeness], bodies: Mapping[str, bytes]
    ) -> None:
        """Keep what is needed.

        Args:
            campaign: what was decided.
            secret: of the bypass.
            usual: see above.
            bodies: our pages and files, by their path below `WWW`.
        """
        self._campaign = campaign
        self._secret = secret
        self._bodies = bodies
        self.usual = usual

    def wrong(self, reading: Reading, phase: Phase | None) -> list[str]:
        """One line for every answer that is not right.

        Args:
            reading: what was asked and what came.
            phase: the phase in force, None outside of the window.
        """
        found = ((question, self._deviation(question, got, phase)) for question, got in reading.items())
        return [f"{question}: {reason}" for question, reason in found if reason]

    def _deviation(self, question: Question, got: Response | None, phase: Phase | None) -> str:
        headers = {name.lower(): value for name, value in question.case.headers}
        request = answers.SiteRequest(question.case.method, question.case.target, question.name, headers)
        answer = answers.USUAL
        if question.is_selected:
            assets = answers.asset_names(self._bodies, phase.number) if phase else ()
            answer = answers.expect(self._campaign, phase, request, self._secret, assets)
        if answer.kind == "usual" and answer.is_apart:
            must_say = question.application.provider == "apache"
            return self.usual[question].difference_apart(got, must_say=must_say)
        if answer.kind == "usual":
            return self.usual[question].difference(got)
        if got is None:
            return "no answer"
        return "; ".join(self._unlike(answer, question, got))

    def _unlike(self, answer: answers.Answer, question: Question, got: Response) -> list[str]:
        wrong = [] if got.status == answer.status else [f"status {got.status} instead of {answer.status}"]
        for name, value in answer.headers.items():
            if got.values(name.lower()) != [value]:
                wrong.append(f"{name} {got.values(name.lower())} instead of {value}")
        allowed = {*_ANYBODYS, *(name.lower() for name in answer.headers)}
        wrong += [f"{name}: {value} is there" for name, value in got.headers if name not in allowed]
        body = self._body(answer, question.case)
        if body is not None and got.body != (b"" if question.case.method == "HEAD" else body):
            wrong.append(f"body of {len(got.body)} bytes instead of {len(body)}")
        return wrong

    def _body(self, answer: answers.Answer, case: Case) -> bytes | None:
        number = answer.headers[SIGN_HEADER].split("/")[1]
        path = case.target.partition("?")[0].removeprefix(ASSET_PREFIX)
        names = {
            "page": f"page/{number}/{answer.language}.html",
            "json": f"page/{number}/{answer.language}.problem",
            "about": f"asset/{number}/piquet.json",
            "asset": f"asset/{number}/{path}",
        }
        return self._bodies[names[answer.kind]] if answer.kind in names else None
