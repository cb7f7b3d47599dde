# SPDX-License-Identifier: GPL-3.0-or-later
"""What an Apache says of how long answers are kept, and what reaches ours."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.corpus.sites_behind import site

from .cases import Case
from .client import Response, parse
from .runner import ask
from .servers import Server, plant

VHOST = """<VirtualHost *:@HTTP@>
    ServerName @NAME@
    DocumentRoot @ROOT@
    {}
    <Directory @ROOT@>
        Options ExecCGI
        AddHandler cgi-script .cgi
        Require all granted
    </Directory>
</VirtualHost>
"""


def raised(folder: Path, **texts: str) -> Server:
    """A server with a virtual host for each text."""
    needs = ("cache", "cache_disk", "cgid", "expires", "headers", "rewrite")
    kinds = tuple(replace(site(name, text, "apache"), modules=needs) for name, text in texts.items())
    return plant("apache", kinds, folder / "apache", 1)


def answers_to(server: Server, case: Case) -> list[Response]:
    """What each virtual host says."""
    found = [parse(ask(server, kind.asks[0], case).received) for kind in server.kinds]
    return [response for response in found if response]
