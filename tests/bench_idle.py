# SPDX-License-Identifier: GPL-3.0-or-later
"""What a staged and an armed campaign cost nginx outside of its window, by each way to speak to it.

CPU time of the worker per request for a small page, all ways in turn in many short rounds, each held against the same
server without us in the same run; a second server without us is the control. `python -m tests.bench_idle [ROUNDS]`.
"""

from __future__ import annotations

import socket
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from piquet.fleet.model import Variant
from tests.corpus.chroot import ADDRESS
from tests.corpus.kinds import host_name, load
from tests.corpus.picket import Picket, picket
from tests.corpus.servers import Server, plant

ROUNDS = 61
REQUESTS = 1000
PER_CONNECTION = 1000
"""Source: ngx_http_core_module, `keepalive_requests`."""
USUAL, CONTROL = "without us", "without us, again (control)"
WAYS: Mapping[str, tuple[Variant | None, bool, bool]] = {
    USUAL: (None, False, False),
    CONTROL: (None, False, False),
    "include line": ("include", False, False),
    "include line and headers-more": ("include", False, True),
    "Lua loaded, nothing of ours": (None, True, False),
    "Lua": ("lua", True, False),
}
"""Way → how piquet speaks to it, whether Lua is loaded, whether headers-more is."""
SITES = ("static", "unselected")
_PATH, _PAGE_END = "/front.html", b"for everything\n"
_BROWSER = "Accept: text/html,*/*;q=0.8\r\nAccept-Language: fr\r\nUser-Agent: a visitor\r\n"


def main(rounds: int) -> int:
    """Print a line per site, state and way."""
    with tempfile.TemporaryDirectory(prefix="piquet-idle-") as folder, ExitStack() as stack:
        servers = {name: _planted(Path(folder) / str(n), name) for n, name in enumerate(WAYS)}
        pickets = {name: _staged(server, WAYS[name][0]) for name, server in servers.items()}
        for server in servers.values():
            stack.enter_context(server.serving(on_its_clock=False))
        for state in ("staged", "armed"):
            for name, strike in pickets.items():
                if state == "armed" and strike:
                    servers[name].make_flags(strike.keys)
            for site in SITES:
                _print(state, site, _measured(servers, site, rounds))
    return 0


def _planted(folder: Path, name: str) -> Server:
    kinds = tuple(kind for kind in load("nginx") if kind.name in SITES)
    _, lua, headers_more = WAYS[name]
    return plant("nginx", kinds, folder, 1, lua=lua, headers_more=headers_more)


def _staged(server: Server, variant: Variant | None) -> Picket | None:
    """A block, an occupied front page and a banner, a month from now; hooked where that way needs it."""
    if variant is None:
        return None
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)
    days = [start + timedelta(days=number) for number in range(4)]
    strike = picket(server, *pairwise(days), modes=("block", "occupy", "banner"), variant=variant)
    strike.hook(server)
    strike.stage(server)
    return strike


def _measured(servers: Mapping[str, Server], site: str, rounds: int) -> dict[str, list[float]]:
    """Way → µs per request, a figure per round; rounds are short, so that all ways meet the same machine."""
    found: dict[str, list[float]] = {name: [] for name in servers}
    workers = {name: _worker(server) for name, server in servers.items()}
    for number in range(rounds + 1):
        order = list(servers)[number % len(servers) :] + list(servers)[: number % len(servers)]
        for name in order:
            before = _cpu_us(workers[name])
            _ask(servers[name], site)
            if number:
                found[name].append((_cpu_us(workers[name]) - before) / REQUESTS)
    return found


def _print(state: str, site: str, found: Mapping[str, list[float]]) -> None:
    """Of each way the quietest tenth of the rounds: whoever else is on this machine can only add to a figure."""
    quiet = {name: statistics.quantiles(took, n=10)[0] for name, took in found.items()}
    for name, took_us in quiet.items():
        figures = f"{took_us:6.2f} µs, {took_us - quiet[USUAL]:+.2f} µs, ratio {took_us / quiet[USUAL]:.2f}"
        print(f"{state:7} {site:11} {name:31} {figures}", flush=True)


def _ask(server: Server, site: str) -> None:
    """One request after the other on connections that are kept."""
    one = f"GET {_PATH} HTTP/1.1\r\nHost: {host_name(site)}\r\n{_BROWSER}\r\n".encode()
    for _ in range(REQUESTS // PER_CONNECTION):
        with socket.create_connection((ADDRESS, server.http)) as connection:
            for _ in range(PER_CONNECTION):
                connection.sendall(one)
                received = connection.recv(1 << 16)
                while not received.endswith(_PAGE_END):
                    chunk = connection.recv(1 << 16)
                    assert chunk, received
                    received += chunk
                assert received.startswith(b"HTTP/1.1 200 ")


def _worker(server: Server) -> int:
    """The one worker in a server's chroot."""
    (pid,) = [
        pid
        for pid in _inside(server.chroot.root)
        if b"worker process" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    return pid


def _inside(root: Path) -> Iterator[int]:
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdecimal() and (folder / "root").readlink() == root:
                yield int(folder.name)
        except OSError:
            continue


def _cpu_us(pid: int) -> float:
    """CPU time of a process. Source: kernel documentation, sched-stats, /proc/<pid>/schedstat."""
    return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0]) / 1000


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS))
