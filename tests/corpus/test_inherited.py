# SPDX-License-Identifier: GPL-3.0-or-later
"""What other people's nginx modules hand down to our location: switched off there, or the site is refused by name.

All modules that Debian packages and that may stand at server level are loaded at once, and each kind has server blocks
of its own. Each line by which our location switches something off is missed where it is taken out.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest

from piquet.host.servers.nginx.directives import NGINX
from piquet.servers.nginx.inherited import LUA_SWITCHES, is_known

from .cases import Case
from .conftest import Planter
from .kinds import Ask, load
from .picket import WWW, picket
from .runner import Tally, ask, items, run
from .surveyed import look

Count = Callable[[str, Tally], None]
KINDS = tuple(kind.name for kind in load("nginx", limits=True) if kind.modules)
CASES = (
    *(Case(method, path) for method in ("GET", "HEAD", "POST", "PUT") for path in ("/", "/api/x?a=1")),
    *(Case(method, "/files/one.txt") for method in ("GET", "OPTIONS", "LOCK", "PURGE", "DELETE")),
    *(
        Case("GET", path)
        for path in ("/.well-known/piquet/strike.css", "/.well-known/piquet.json", "/page/big")
    ),
    Case("GET", "/deep/er?q=x", (("Accept-Encoding", "gzip, br"), ("Accept-Language", "en"))),
    Case("GET", "/", (("Accept", "application/json"), ("TE", "trailers"))),
)


def test_every_kind_of_module_holds(planted: Planter, count: Count) -> None:
    """Survey and plan pass each site, and in every state each answer is as the table says."""
    server = planted("nginx", "00-default", "static", *KINDS)
    seen = look(server, picket(server).campaign)
    assert "error" not in {seen.plan[code] for code in seen.plan if code.startswith("inherited")}
    tally = run(server, picket(server, known=seen.facts, variant="include"), CASES)
    count("nginx modules", tally)
    assert not tally.deviations, tally.report()


def test_a_slow_site_does_not_slow_the_strike(planted: Planter) -> None:
    """`limit_rate` and `add_trailer` are nginx's own, and reach our location too."""
    server = planted("nginx", "slow-trailers")
    strike = picket(server)
    strike.hook(server)
    strike.stage(server)
    server.make_flags(strike.keys)
    server.chroot.set_clock(strike.inside_ms)
    way = Ask("http", "slow-trailers.corpus.example")
    with server.serving():
        begun = time.monotonic()
        answer = ask(server, way, Case("GET", "/"))
        lasted_s = time.monotonic() - begun
    assert b"\r\nContent-Length: " in answer.received and b"Server-Timing" not in answer.received
    assert answer.received.endswith(strike.contents[f"{WWW}/page/1/fr.html"])
    assert lasted_s < 1


@pytest.mark.parametrize(
    ("switch", "kind"),
    [
        (r"auth_pam off;", "auth-pam"),
        (r"modsecurity off;", "modsecurity"),
        *((rf"{name}_block {{ return }}", "access-by-lua") for name in LUA_SWITCHES),
        (r"subs_filter(?:_types)? [^;]*;", "subs-filter"),
        (r"more_clear_headers [^;]*;", "headers-more"),
        (r"more_set_headers \"Content-Type[^;]*;", "headers-more"),
    ],
)
@pytest.mark.long
def test_each_switch_is_needed(switch: str, kind: str, planted: Planter) -> None:
    """Without it some answer of the strike is another."""
    server = planted("nginx", kind)
    seen = look(server, picket(server).campaign)
    taken: list[int] = []

    def without(_path: str, content: bytes) -> bytes:
        text, count = re.subn(switch.encode(), b"", content)
        taken.append(count)
        return text

    strike = picket(server, known=seen.facts, variant="include", mutation=without)
    assert sum(taken)
    strike.hook(server)
    strike.stage(server)
    server.make_flags(strike.keys)
    server.chroot.set_clock(strike.inside_ms)
    with server.serving():
        asked = {item: ask(server, item.ask, item.case) for item in items(server.kinds, CASES)}
    assert any(strike.deviation(item.ask, item.case, wire, wire, None) for item, wire in asked.items())


def test_names_are_nginxs_own_or_judged_or_unknown() -> None:
    """No name is in two tables: what nginx's own list has, nobody else judges."""
    assert [name for name in NGINX if is_known(name)] == []
    assert not is_known("auth_ldap") and not is_known("waf_zone") and "auth_ldap" not in NGINX
