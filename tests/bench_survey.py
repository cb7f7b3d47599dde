# SPDX-License-Identifier: GPL-3.0-or-later
"""What a survey of thousands of Apache's virtual hosts costs, in CPU time: `python -m tests.bench_survey`.

The agent as it is sent to a host, on a real Apache in a private root; its own time and that of the processes that it
starts are told apart.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from piquet.agent_archive import payload
from tests.corpus.kinds import load
from tests.corpus.servers import Server, plant

ROUNDS = 3
SIZES = (3000, 6000)
_AGENT, _SITES = "/tmp/agent.zip", "/etc/apache2/sites-enabled"
_TIMED = """
import atexit, os, runpy, sys
sys.argv = [{agent!r}, "--request"]
atexit.register(lambda: print("CPU", *os.times()[:4], file=sys.stderr))
runpy.run_path({agent!r}, run_name="__main__")
"""
_SITE = """<VirtualHost *:{port}>
    ServerName site{number}.example
    ServerAlias www.site{number}.example
    DocumentRoot /srv/static
    ErrorLog /var/log/apache2/error.log
    RewriteEngine On
    RewriteRule ^/old/(.*)$ /new/$1 [R=301,L]
    <Directory /srv/static>
        Options -Indexes
        Require all granted
    </Directory>
    <Location /private>
        <If "%{{QUERY_STRING}} == 'x'">
            Header set X-Site "{number}"
        </If>
    </Location>
</VirtualHost>
"""


class Cost(NamedTuple):
    """CPU seconds of one survey."""

    agent_s: float
    children_s: float


def main() -> int:
    """Print a line for each way in which so many sites may be written."""
    for is_one_file in (True, False):
        for sites in SIZES:
            with tempfile.TemporaryDirectory() as folder:
                server = written(Path(folder), sites, is_one_file)
                costs = [cost(server, sites) for _ in range(ROUNDS)]
            agent, children = (statistics.median(part) for part in zip(*costs, strict=True))
            where = "one file" if is_one_file else "a file each"
            title = f"survey of Apache, {sites} sites, {where}"
            print(
                f"{title:44} {agent:5.2f} s CPU of the agent, {children:5.2f} s of Apache's own answers",
                flush=True,
            )
    return 0


def written(folder: Path, sites: int, is_one_file: bool) -> Server:
    """A server with so many virtual hosts; it need not run to be surveyed."""
    kinds = tuple(
        kind for kind in load("apache") if kind.name in ("00-default", "static", "redirect-rewrite")
    )
    server = plant("apache", kinds, folder / "apache", 1)
    for name, text in _files(server.http, sites, is_one_file):
        server.box.write(f"{_SITES}/{name}.conf", text.encode())
    return server


def _files(port: int, sites: int, is_one_file: bool) -> Iterator[tuple[str, str]]:
    texts = [_SITE.format(port=port, number=number) for number in range(sites)]
    if is_one_file:
        yield "all", "".join(texts)
    else:
        yield from ((f"site{number:05}", text) for number, text in enumerate(texts))


def cost(server: Server, sites: int) -> Cost:
    """One survey; it must have found everybody."""
    server.box.write(_AGENT, payload({"verb": "survey", "at": 0}))
    done = server.box.run(["/usr/bin/python3", "-c", _TIMED.format(agent=_AGENT)], on_its_clock=False)
    vhosts = json.loads(done.stdout)["survey"]["apache"]["vhosts"]
    assert len(vhosts) >= sites
    own_user, own_system, user, system = map(float, done.stderr.splitlines()[-1].split()[1:])
    return Cost(own_user + own_system, user + system)


if __name__ == "__main__":
    raise SystemExit(main())
