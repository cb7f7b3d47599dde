# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx's texts: what a campaign does not need is not there, what it needs is there in both ways to speak to nginx."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from piquet.bundle import build_bundles
from piquet.campaign.model import Phase
from piquet.errors import BundleError
from piquet.fleet.model import Variant
from piquet.servers import quoting
from piquet.servers.nginx.banner import PIECE_BYTES
from tests.render.samples import CAMPAIGN, KEY, PHASE, SECRET, facts, host, pages, plan

DAY = timedelta(days=1)
OCCUPY = Phase(2, "occupy", PHASE.end_at, PHASE.end_at + DAY, page="p", paths=("/", "/a b"))
BANNER = Phase(3, "banner", PHASE.end_at + DAY, PHASE.end_at + 2 * DAY, style="bar", message="m")


def texts(
    *phases: Phase, variant: Variant = "include", words: str = "# Grève", **shares: tuple[int, ...]
) -> dict[str, str]:
    """File name → text of the nginx side of one host; `shares` are the phases of single sites."""
    campaign = replace(CAMPAIGN, phases=phases)
    sources = [replace(source, phase=phase.number) for phase in phases for source in pages(words)]
    numbers = tuple(phase.number for phase in phases)
    planned = host("a.test", "b.test", server=facts(variant=variant))
    entries = tuple(
        replace(entry, phases=shares.get(entry.name.partition(".")[0], numbers)) for entry in planned.entries
    )
    (bundle,) = build_bundles(
        plan(replace(planned, entries=entries), campaign=campaign), sources, SECRET, KEY
    )
    return {
        file.path.rpartition("/")[2]: file.content.decode()
        for file in bundle.files
        if "/nginx/" in file.path and file.kind == "file"
    }


@pytest.mark.parametrize("variant", ["include", "lua"])
def test_a_block_needs_nothing_of_the_other_modes(variant: Variant) -> None:
    """No word of banners, fronts or shares, and no more files than one way needs."""
    found = texts(PHASE, variant=variant)
    last = "piquet.conf" if variant == "include" else "50-answer.conf"
    assert sorted(found) == sorted(["00-piquet.conf", "20-decide.conf", "30-bypass.conf", last])
    whole = "".join(found.values())
    for word in ("sub_filter $", "piquet_front", "piquet_share", "body_filter", "piquet_banner_flag"):
        assert word not in whole, word


def test_only_sites_with_a_share_are_listed() -> None:
    """Rows for those who do not take part in all phases, and for nobody else."""
    found = texts(PHASE, OCCUPY, BANNER, b=(3,))["20-decide.conf"]
    assert found.count('"a.test"') == 2
    assert '    "b.test" a;\n' in found
    assert "    3:a 3;\n" in found
    assert "1:a" not in found
    assert '[^:]*:[a]?$" 3;\n' in found


def test_assets_belong_to_their_phases() -> None:
    """The style of a strike is nobody's business while pages carry a banner."""
    found = texts(PHASE, OCCUPY, BANNER)["20-decide.conf"]
    rows = [line for line in found.splitlines() if "(?<piquet_asset>" in line]
    assert ["strike" in row for row in rows] == [True, False]
    assert [row.split("(?:")[1].split(")")[0] for row in rows] == ["1|2", "3"]


def test_a_long_banner_comes_in_pieces() -> None:
    """No word of the configuration is longer than nginx can read, escapes counted."""
    found = texts(BANNER, words='Une "longue" annonce. ' * 250)["40-banner.conf"]
    assert "$piquet_piece_0$piquet_piece_1$piquet_piece_2" in found
    words = [
        word for line in found.splitlines() if line.startswith('    "3 ') for word in line.split(" ", 5)[5:]
    ]
    assert max(map(len, words)) < 4096
    assert len(words) >= 2 * (5500 // PIECE_BYTES)


def test_lua_stands_in_the_text_itself() -> None:
    """No file of ours to read, nothing at start, nothing for the owner to have twice."""
    found = texts(PHASE, OCCUPY, BANNER, variant="lua")["50-answer.conf"]
    for word in ("by_lua_file", "init_by_lua", "init_worker", "lua_shared_dict", "lua_package", "require"):
        assert word not in found, word


def test_a_variable_stands_in_one_place() -> None:
    """Everything else is quoted as ever."""
    assert quoting.nginx_with('a"@ b', "x") == '"a\\"${x} b"'
    for value in ("none", "t@w@", "a$@"):
        with pytest.raises(BundleError):
            quoting.nginx_with(value, "x")


def test_lua_strings_are_lua() -> None:
    """Backslash and quote are escaped, nothing else is let in."""
    assert quoting.lua_string('a"b\\c') == '"a\\"b\\\\c"'
    with pytest.raises(BundleError):
        quoting.lua_string("a\nb")


@pytest.mark.parametrize("variant", ["include", "lua"])
@pytest.mark.parametrize("phases", [(PHASE,), (PHASE, OCCUPY, BANNER)], ids=len)
def test_the_legend_names_what_is_there(variant: Variant, phases: tuple[Phase, ...]) -> None:
    """Whoever reads the file at three in the morning finds each name of the legend in the lines below it."""
    legend, _, lines = texts(*phases, variant=variant)["20-decide.conf"].partition("\nmap ")
    named = set(re.findall(r"^#   (\$piquet_\w+) ", legend, re.MULTILINE))
    assert len(named) > 6
    assert {name for name in named if f" {name} {{" not in lines} - {"$piquet_pass"} == set()
