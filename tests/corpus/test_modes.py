# SPDX-License-Identifier: GPL-3.0-or-later
"""The promise for every mode and every way to speak to a server; the misses of the banner are listed by their cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from piquet.answers import BYPASS_COOKIE, usual_cookie_name
from piquet.campaign.model import Mode
from piquet.fleet.model import Variant

from .cases import of_mode, standard
from .conftest import Planter
from .kinds import Provider
from .picket import SECRET, own_addresses, picket
from .runner import Tally, run

Count = Callable[[str, Tally], None]
WAYS: list[tuple[Provider, Variant, Mode]] = [
    ("nginx", "include", "occupy"),
    ("nginx", "include", "banner"),
    ("nginx", "lua", "block"),
    ("nginx", "lua", "occupy"),
    ("nginx", "lua", "banner"),
]
TELLING: dict[Provider, tuple[str, ...]] = {
    "nginx": ("00-default", "static", "proxy", "own-headers", "sub-filter", "wildcard", "unselected"),
}


def asked(provider: Provider, variant: Variant, mode: Mode, planted: Planter, *names: str) -> Tally:
    """All states of a server under a campaign of one mode."""
    server = planted(provider, *names, lua=variant == "lua")
    strike = picket(server, mode=mode, variant=variant)
    cookie = usual_cookie_name(strike.campaign, strike.campaign.phases[0])
    cases = (*standard(own_addresses(strike.files), SECRET, BYPASS_COOKIE), *of_mode(cookie))
    return run(server, strike, cases)


@pytest.mark.parametrize(("provider", "variant", "mode"), WAYS)
def test_telling_kinds(
    provider: Provider, variant: Variant, mode: Mode, planted: Planter, count: Count
) -> None:
    """Identical whenever we do not act; each row of the table whenever we do, and nothing besides."""
    tally = asked(provider, variant, mode, planted, *TELLING[provider])
    count(f"{provider} {variant} {mode}", tally)
    causes = Counter(item.kind for item in tally.missed)
    print(f"{len(tally.carried)} carry it, {len(tally.missed)} could and do not: {causes}")
    assert not tally.deviations, tally.report()
    assert bool(tally.carried) == (mode == "banner")
