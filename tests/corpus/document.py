# SPDX-License-Identifier: GPL-3.0-or-later
"""`docs/kinds.md`, made from the comments of the kinds and of the owners' main files. Text in, text out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import cast

from piquet.answers import BYPASS_COOKIE

from . import main_files
from .cases import standard
from .chroot import Chroot
from .kinds import Ask, Kind, Provider, load
from .picket import SECRET, own_addresses, picket, plain_facts
from .runner import STATES, items
from .servers import Server

PATH = Path(__file__).resolve().parents[2] / "docs/kinds.md"
_TITLES: dict[Provider, str] = {"nginx": "nginx", "apache": "Apache"}
_HEAD = """\
# What happens to which kind of site

Generated from the comments in `tests/corpus` (`pytest tests/unit/test_kinds_document.py --regenerate`).

Every kind below is a virtual host as its owner would have written it, on a real nginx or Apache. `script/test` asks
each the number of requests in the last column: before the start (with and without flags), after the end and when
stopped by hand the answers must be byte for byte those without piquet; inside the window the table of answers decides.
One wrong answer fails the run, so what is listed without a remark had none. Doors (listed paths and networks, ACME,
robots.txt, the secret link) stay as usual everywhere.

What the server refuses before it looks at any rule (400, 414, 431, TRACE) it refuses during a block too.
"""
_COLUMNS = (
    "| kind | what it is | a visitor during a block | survey and plan say | asked by | requests |\n"
    "|---|---|---|---|---|---|"
)
_MAIN = """\

## The owner's main file: {server}

The same few kinds under main files of other hands, surveyed by the agent itself.

| file | what it is | what happens |
|---|---|---|"""


def kinds_document() -> str:
    """The whole document."""
    parts = [_HEAD]
    for provider in ("nginx", "apache"):
        counts = _requests(provider)
        rows = [_row(kind, counts.get(kind.name, 0)) for kind in load(provider, limits=True)]
        parts.append("\n".join([f"## {_TITLES[provider]}: {len(rows)} kinds", "", _COLUMNS, *rows]))
        parts.append("\n".join([_MAIN.format(server=_TITLES[provider]), *_main_rows(provider)]))
    return "\n".join(parts) + "\n"


def _requests(provider: Provider) -> dict[str, int]:
    """Requests of the ordinary run by kind, all states together."""
    kinds = load(provider)
    server = Server(provider, cast("Chroot", None), kinds, 80, 443)
    strike = picket(server, known=plain_facts(provider, kinds))
    cases = standard(own_addresses(strike.files), SECRET, BYPASS_COOKIE)
    return {kind.name: len(set(items((kind,), cases, own=True))) * len(STATES) for kind in kinds}


def _row(kind: Kind, requests: int) -> str:
    asked = str(requests) if requests else "a test of its own"
    cells = (kind.name, kind.says, _seen(kind), kind.finding or "–", ", ".join(_ways(kind.asks)), asked)
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def _seen(kind: Kind) -> str:
    """What a visitor sees of it during a block."""
    if kind.limit:
        return f"the strike page, but: {kind.limit}"
    if not kind.sites:
        return "the site as usual: it is not chosen"
    others = any(not _is_chosen(way.host, kind.sites) for way in kind.asks)
    return "the strike page; names that are not chosen stay as usual" if others else "the strike page"


def _is_chosen(host: str, sites: Iterable[str]) -> bool:
    return any(host == site or (site.startswith("*.") and host.endswith(site[1:])) for site in sites)


def _ways(asks: Iterable[Ask]) -> list[str]:
    """How it is asked, each way once."""
    said = {"http": "HTTP", "https": "HTTPS", "h2": "HTTP/2"}
    return list(
        dict.fromkeys(said[way.scheme] + (" over IPv6" if ":" in way.address else "") for way in asks)
    )


def _main_rows(provider: Provider) -> list[str]:
    return [
        f"| {main.name} | {main.says} | {f'survey and plan say `{main.finding}`' if main.finding else 'holds'} |"
        for main in main_files.load(provider)
    ]
