# SPDX-License-Identifier: GPL-3.0-or-later
"""Owners' main files: the promise holds under each, or survey and plan say what to do before anything is staged."""

from __future__ import annotations

import pytest

from tests.figures import note

from .cases import Case, shapes
from .conftest import Planter
from .kinds import Provider
from .main_files import MainFile, load
from .picket import SECRET, picket
from .runner import STATES, run
from .surveyed import look

KINDS = {
    "nginx": ("00-default", "static", "proxy", "wildcard", "redirect-https", "error-pages", "unselected"),
    "apache": (
        "00-default",
        "static",
        "proxy-pass",
        "wildcard",
        "redirect-rewrite",
        "error-document",
        "unselected",
    ),
}
CASES = (
    *(
        Case(method, path)
        for method in ("GET", "HEAD", "POST", "PUT")
        for path in ("/", "/api/x", "/own-error")
    ),
    *(Case("GET", path) for path in ("/deep/er/missing", "/files/one.txt", "/.well-known/piquet/strike.css")),
    *(Case("GET", path) for path in ("/.well-known/piquet.json", "/robots.txt", "/piquet:~1")),
    Case("GET", "/", (("Cookie", f"a=b; piquet_bypass={SECRET}"),)),
    Case("GET", "/", (("Authorization", "Basic cGlja2V0Om9wZW4="), ("Accept-Language", "en"))),
    *(case for case in shapes() if case.target in ("trailing dot", "no host", "long line", "HTTP/1.0")),
)
ALL = [pytest.param(main, id=f"{main.provider}-{main.name}") for p in ("nginx", "apache") for main in load(p)]
STOPS = {"no-dropin-folder", "disable-symlinks"}
"""Findings that refuse the plan: there is nothing to stage then."""

BY_SITES = {"disable-symlinks"}
"""Those that the plan says of sites, and the survey of nobody."""
WITHOUT = {"server-level-rules": {"redirect-rewrite"}}
"""Kinds that cannot be held under such a file; `test_limits.py` pins down how."""


@pytest.mark.parametrize("main", ALL)
def test_it_holds_or_it_is_a_finding(main: MainFile, planted: Planter) -> None:
    """Survey and plan name what the file says, and nothing else; where that does not refuse, every state is right."""
    kinds = [kind for kind in KINDS[main.provider] if kind not in WITHOUT.get(main.finding, ())]
    server = planted(main.provider, *kinds, main=main)
    assert server.test() == ""
    seen = look(server, picket(server).campaign)
    expected = {main.finding} if main.finding else set()
    ordinary = {"cron-not-running", "not-hooked", "name-not-a-site", "name-not-selectable"}
    assert set(seen.survey) - ordinary == expected - BY_SITES
    assert set(seen.plan) - ordinary - {"sites-not-held"} == expected
    if main.finding in STOPS:
        assert seen.plan[main.finding] == "error"
        _note(main, 0)
        return
    tally = run(server, picket(server, known=seen.facts), CASES)
    _note(main, sum(tally.asked.values()), **{f"wrong_{state}": len(tally.wrong(state)) for state in STATES})
    assert not tally.deviations, tally.report()


@pytest.mark.parametrize(("provider", "least"), [("nginx", 10), ("apache", 8)])
def test_each_main_file_says_something_else(provider: Provider, least: int) -> None:
    """There are enough of them, and none is there twice."""
    files = load(provider)
    assert len({main.says for main in files}) == len(files) >= least


def _note(main: MainFile, requests: int, **wrong: int) -> None:
    counts = {f"wrong_{state}": 0 for state in STATES} | wrong
    note(
        "main_files", server=main.provider, file=main.name, finding=main.finding, requests=requests, **counts
    )
