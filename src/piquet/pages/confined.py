# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages of templates that are not ours, made by a process of its own with little time and memory.

A template can ask for work without end in a few characters, in more ways than a list could hold (loops in loops,
`'a' * 3000000000`, powers, formats, macros that call themselves twice), so the machine's own limits bound it. The
process is started at the first page and kept; it is given JSON, line by line, and answers so. Same input, same bytes.

Source: getrlimit(2), RLIMIT_CPU and RLIMIT_AS.
"""

from __future__ import annotations

import atexit
import json
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import IO, Any, NoReturn, cast

from markupsafe import Markup

from piquet.pages.sandbox import TemplateFault, rendered

CPU_S = 2
"""Of one page; ours take some thousandths."""
MEMORY_BYTES = 768 * 1024**2
"""Of the whole process: Python with Jinja has some 150 million bytes of addresses, the longest page a few."""
THEME_TIMEOUT_S = 60
"""Until the process is given up, however busy the machine is."""
_START = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from piquet.pages.confined import serve; serve()"
_HTML = "piquet:html"
_LOCK = threading.Lock()


class _Worker:
    """The process, while it lives."""

    def __init__(self) -> None:
        argv = [sys.executable, "-c", _START, json.dumps(sys.path)]
        self._process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="ascii"
        )
        self._stdin, self._stdout = (
            cast("IO[str]", self._process.stdin),
            cast("IO[str]", self._process.stdout),
        )

    def ask(self, question: str) -> str:
        """The answer, or "" if it died over it."""
        timer = threading.Timer(THEME_TIMEOUT_S, self._process.kill)
        timer.start()
        try:
            self._stdin.write(question + "\n")
            self._stdin.flush()
            return self._stdout.readline()
        except OSError:
            return ""
        finally:
            timer.cancel()

    def end(self) -> None:
        """Kill it, and wait for that."""
        self._process.kill()
        self._process.communicate()


_kept: list[_Worker] = []


def confined(source: str, shared: Mapping[str, str], values: Mapping[str, Any]) -> str:
    """As `sandbox.rendered`, with bounds.

    Raises:
        TemplateFault: as there, or because it takes too much.
    """
    question = json.dumps({"source": source, "shared": dict(shared), "values": _plain_value(values)})
    with _LOCK:
        if not _kept:
            _kept.append(_Worker())
        said = _kept[0].ask(question)
        if not said.endswith("\n"):
            end()
    if not said.endswith("\n"):
        raise TemplateFault(0, _too_long())
    answer = json.loads(said)
    if "html" not in answer:
        raise TemplateFault(int(answer["line"]), str(answer["reason"]))
    return str(answer["html"])


@atexit.register
def end() -> None:
    """End the process, if there is one."""
    while _kept:
        _kept.pop().end()


def serve() -> None:
    """Answer questions until there are no more; this is the other process."""
    _limit(resource.RLIMIT_AS, MEMORY_BYTES)
    signal.signal(signal.SIGPROF, _stop)
    for line in sys.stdin:
        used_s = int(sum(resource.getrusage(resource.RUSAGE_SELF)[:2]))
        _limit(resource.RLIMIT_CPU, used_s + CPU_S + 1)  # kills what hears no signal
        signal.setitimer(signal.ITIMER_PROF, CPU_S)
        answer = _answer(line)
        signal.setitimer(signal.ITIMER_PROF, 0)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _limit(kind: int, wanted: int) -> None:
    """Set a limit, below what the caller may be bound to already."""
    hard = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


def _answer(line: str) -> dict[str, Any]:
    try:
        asked = json.loads(line, object_hook=_markup_of)
        return {"html": rendered(asked["source"], asked["shared"], asked["values"])}
    except TemplateFault as err:
        return {"line": err.line, "reason": err.reason}
    except (MemoryError, RuntimeError) as err:
        return {
            "line": 0,
            "reason": _too_long() if isinstance(err, RuntimeError) else "this takes too much memory",
        }


def _stop(_signal: int, _frame: object) -> NoReturn:
    raise RuntimeError(_too_long())


def _too_long() -> str:
    return f"this template takes more than {CPU_S} s of work for one page"


def _plain_value(value: Any) -> Any:
    """Values as JSON has them; text that is HTML already is marked as such."""
    if isinstance(value, Markup):
        return {_HTML: str(value)}
    if isinstance(value, Mapping):
        return {key: _plain_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_value(item) for item in value]
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def _markup_of(item: dict[str, Any]) -> Any:
    return Markup(item[_HTML]) if item.keys() == {_HTML} else item  # noqa: S704 - it was HTML on the other side
