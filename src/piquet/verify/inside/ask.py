# SPDX-License-Identifier: GPL-3.0-or-later
"""The one program that looks around on a host: standard library only, Python 3.8 and later; reads, never writes.

It comes as text on a command line with its order as one argument, asks the local servers, the agent and the disk,
and answers one line. It judges nothing.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

SIGN = "piquet-inside "
WORKERS = 16
ASK_LIMIT_BYTES = 32 * 1024 * 1024
LOG_BYTES = 16384
BANNER = re.compile(rb"<aside data-piquet=\"([^\"]*)\"")
_CONTEXT = ssl.create_default_context()
_CONTEXT.check_hostname = False  # what this server answers, not whom a visitor would trust
_CONTEXT.verify_mode = ssl.CERT_NONE


class Named(http.client.HTTPConnection):
    """A connection to an address, which says a name of its own in SNI."""

    def __init__(
        self, address: str, port: int, name: str | None, timeout_s: float, proxied: bool = False
    ) -> None:
        """No connection is made yet; `name` is None for plain HTTP, `proxied` for a PROXY line first."""
        super().__init__(address, port, timeout=timeout_s)
        self.name = name
        self.proxied = proxied

    def connect(self) -> None:
        """Connect, say for whom where that is wanted, with TLS if there is a name for it."""
        self.sock = socket.create_connection((self.host, self.port), self.timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.proxied:
            source, there = self.sock.getsockname(), self.sock.getpeername()
            family = "TCP6" if ":" in source[0] else "TCP4"
            line = f"PROXY {family} {source[0]} {there[0]} {source[1]} {there[1]}\r\n"
            self.sock.sendall(line.encode("ascii"))
        if self.name is not None:
            self.sock = _CONTEXT.wrap_socket(self.sock, server_hostname=self.name)


def ask_all(jobs: list[Any], timeout_s: float) -> list[Any]:
    """Per job one list of answers, in the order of its questions."""
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(lambda job: ask_target(job, timeout_s), jobs))


def ask_target(job: Any, timeout_s: float) -> list[Any]:
    """All questions to one target over one connection, as long as the server keeps it."""
    (address, port, tls, name, authority, proxied), questions = job
    connection = Named(address, port, name if tls else None, timeout_s, proxied)
    try:
        return [ask_once(connection, authority, *question) for question in questions]
    finally:
        connection.close()


def ask_once(connection: Named, authority: str, method: str, path: str, headers: Any) -> list[Any]:
    """`[status, headers, sha256, size, sent_at, first_byte_at, error, banners]` of one request."""
    was_open, sent_at = connection.sock is not None, time.time()
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for key, value in [["host", authority], ["user-agent", "piquet-inside"], *headers]:
            connection.putheader(key, value)
        connection.endheaders()
        response = connection.getresponse()
        first_byte_at = time.time()
        body = response.read(ASK_LIMIT_BYTES)
        if response.read(1) or response.will_close:  # the second read also takes the end of a chunked body
            connection.close()
        received = [[key.lower(), value] for key, value in response.getheaders()]
        marks = [mark.decode("latin-1") for mark in BANNER.findall(body)]
        return [response.status, received, digest(body), len(body), sent_at, first_byte_at, "", marks]
    except (OSError, http.client.HTTPException, ValueError) as error:
        connection.close()
        if was_open:  # the server had closed a kept connection meanwhile, as it may
            return ask_once(connection, authority, method, path, headers)
        return [None, [], "", 0, sent_at, time.time(), reason(error), []]


def reason(error: Exception) -> str:
    """`kind: detail`, in the words of `piquet.verify.outside.probe`."""
    if isinstance(error, socket.timeout):
        return "timeout: no complete answer within the time limit"
    if isinstance(error, ssl.SSLError):
        return f"tls: {error.reason or error}"
    if isinstance(error, (ConnectionResetError, BrokenPipeError, http.client.RemoteDisconnected)):
        return "closed: the connection was closed before the answer was complete"
    if isinstance(error, OSError):
        return f"connect: {error.strerror or error}"
    return f"protocol: {type(error).__name__}"


def digest(data: bytes) -> str:
    """Its sha256, hex."""
    return hashlib.sha256(data).hexdigest()


def owners_file(path: str, mark: str) -> list[Any] | None:
    """`[sha256, whether our mark is in it]`, None if it cannot be read."""
    try:
        data = Path(path).read_bytes()
    except OSError:
        return None
    return [digest(data), mark.encode() in data]


def last_lines(path: str, count: int) -> list[str]:
    """The end of a log, [] if there is none or it may not be read."""
    try:
        with Path(path).open("rb") as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - LOG_BYTES))
            return stream.read().decode("utf-8", "replace").splitlines()[-count:]
    except OSError:
        return []


def agents(path: str, verb: str, *options: str) -> tuple[Any, str]:
    """Document, or why there is none, of the installed agent."""
    try:
        done = run_quietly([path, verb, *options])
        return json.loads(done.stdout.decode("utf-8", "replace")), ""
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return None, f"{type(error).__name__}: {error}"


def first_test(commands: list[list[str]]) -> list[Any] | None:
    """`[passed, output]` of the first command whose program is installed."""
    search = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"
    for command in commands:
        program = shutil.which(command[0], path=search)
        if program:
            try:
                done = run_quietly([program, *command[1:]])
            except (OSError, subprocess.SubprocessError) as error:
                return [False, str(error)]
            return [done.returncode == 0, (done.stdout + done.stderr).decode("utf-8", "replace")[-2000:]]
    return None


def run_quietly(command: list[str]) -> subprocess.CompletedProcess[bytes]:
    """One command without input, never for ever."""
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False)


def machine_facts(order: dict[str, Any]) -> dict[str, Any]:
    """Everything but the sites: what the agent says, files of the owner and of ours, logs, tests."""
    agent = order["agent"]
    is_there = Path(agent).exists()
    status, no_status = agents(agent, "status", "--json") if is_there else (None, "")
    survey, no_survey = agents(agent, "survey") if status else (None, "")
    servers = {name: (survey or {}).get(name) or {} for name in order["tests"]}
    return {
        "at": time.time(),
        "is_root": os.geteuid() == 0,
        "agent": is_there,
        "status": status,
        "error": no_status or no_survey,
        "owners": {name: server.get("files", {}) for name, server in servers.items()},
        "running": {name: server.get("running") for name, server in servers.items()},
        "files": {path: owners_file(path, order["mark"]) for path in order["files"]},
        "left": [path for path in order["ours"] if os.path.lexists(path)],
        "tests": {name: first_test(commands) for name, commands in order["tests"].items()},
    }


def answer(order: dict[str, Any]) -> str:
    """The one line that answers an order."""
    replies = ask_all(order["jobs"], order["timeout_s"])
    logs = {path: last_lines(path, order["log_lines"]) for path in order["logs"]}
    found = {"replies": replies, "logs": logs, "machine": machine_facts(order) if order["agent"] else None}
    packed = zlib.compress(json.dumps(found, ensure_ascii=True).encode("ascii"))
    return SIGN + base64.b64encode(packed).decode("ascii")


if __name__ == "__main__":
    print(answer(json.loads(zlib.decompress(base64.b64decode(sys.argv[-1])))))
