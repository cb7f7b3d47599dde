# SPDX-License-Identifier: GPL-3.0-or-later
"""A name that leaves nothing out is no silence: every way to write a site wrongly, and every way to mean it."""

from __future__ import annotations

from typing import Any

import pytest

from piquet.errors import CampaignError
from piquet.plan import make_plan
from piquet.plan.gates.spelling import likely_spelling
from piquet.protocol.findings import Finding
from piquet.servers.registry import SERVERS

from .samples import AT, apache, block, campaign, fleet, nginx, survey

URGENT = "urgences.example.org"
SITES = nginx(block(1, "www.example.org"), block(3, URGENT), block(5, "*.blogs.example.org"))
CODES = ("exclude-unknown", "consent-unknown", "name-doubtful", "left-out-in-part")


def found(
    exclude: str = "", consent: str = "", confirmed: str = "", **surveys: dict[str, Any] | None
) -> list[Finding]:
    """What is said of names; the fleet is one sound host unless others are given."""
    lists = [
        f"exclude: [{exclude}]",
        f"confirmed: [{confirmed}]",
        *(["consent: consent.csv"] if consent else []),
    ]
    asked = campaign(
        f"site,answer\n{consent}" if consent else None, sites=f'{{include: ["*"], {", ".join(lists)}}}'
    )
    plan = make_plan(asked, fleet(surveys or {"web1": survey(nginx=SITES)}), AT, SERVERS)
    return [finding for finding in plan.findings if finding.code in CODES]


MISSPELT = {
    "urgence.example.org": URGENT,
    "ugrences.example.org": URGENT,
    "urgences.exmaple.org": URGENT,
    "urgences.example.com": URGENT,
    "URGENCE.example.org": URGENT,
    "www.urgences.example.org": URGENT,
    '"*.urgences.example.org"': URGENT,
    "example.org": "www.example.org",
    '"*.blog.example.org"': "*.blogs.example.org",
    "blogs.example.org": "*.blogs.example.org",
    "xn--urgences-example.org": URGENT,
}
"""What somebody wrote → what was probably meant."""


@pytest.mark.parametrize(("written", "meant"), MISSPELT.items())
def test_a_misspelt_exclude_is_an_error(written: str, meant: str) -> None:
    """It would strike the site that was to be left out; the finding says where it stands and what was meant."""
    (finding,) = (
        found(exclude=f"www.example.org, {written}") if meant != "www.example.org" else found(written)
    )
    assert (finding.severity, finding.code, finding.expected) == ("error", "exclude-unknown", meant)
    assert finding.subject.startswith("campaign.yml:6:") and f"did you mean {meant}?" in finding.hint


@pytest.mark.parametrize("answer", ["in", "out", "message"])
def test_a_misspelt_answer_is_an_error(answer: str) -> None:
    """Whatever it says: it says it of nobody."""
    (finding,) = found(consent=f"*,in\nurgence.example.org,{answer}")
    assert (finding.severity, finding.code, finding.expected) == ("error", "consent-unknown", URGENT)
    assert finding.subject == "consent.csv:3:1"


def test_names_of_nobody_are_told_together_and_can_be_confirmed_together() -> None:
    """All of them with their places, and a line to paste that makes the plan go on."""
    (finding,) = found(exclude='intranet.lan, "*.else.where"')
    assert finding.severity == "error"
    assert finding.got == "*.else.where (campaign.yml:6:49), intranet.lan (campaign.yml:6:35)"
    assert '`confirmed: ["*.else.where", intranet.lan]`' in finding.hint
    assert found(exclude='intranet.lan, "*.else.where"', confirmed='"*.else.where", intranet.lan') == []


@pytest.mark.parametrize("written", ["urgence.example.org", "example.org"])
def test_what_is_confirmed_by_name_is_silent(written: str) -> None:
    """A confirmation is of that name alone."""
    assert found(exclude=written, confirmed=written) == []
    assert found(exclude=f"{written}, urgance.example.org", confirmed=written) != []


def test_a_confirmation_of_nothing_is_refused() -> None:
    """It is misspelt itself, and would be believed."""
    with pytest.raises(CampaignError, match=r"campaign\.yml:6:\d+: this name stands neither") as caught:
        found(exclude=URGENT, confirmed="urgence.example.org")
    assert f"did you mean {URGENT}?" in str(caught.value)


KNOWN = {
    "a site": URGENT,
    "in capitals": "URGENCES.example.org",
    "below a wildcard": "someone.blogs.example.org",
    "a wildcard": '"*.blogs.example.org"',
    "a wildcard of some": '"*.example.org"',
    "everything": '"*"',
}


@pytest.mark.parametrize("written", KNOWN.values(), ids=KNOWN)
def test_what_means_something_is_silent(written: str) -> None:
    """However it is written."""
    assert found(exclude=written) == []


def test_a_site_of_a_server_that_does_not_run_is_no_slip() -> None:
    """Nor one that a host outside of this plan served when it was surveyed."""
    idle = survey(nginx=nginx(block(1, "www.example.org")), apache=apache(running=False, vhosts=[
        {"names": [URGENT], "listens": [], "file": "x", "line": 1}]))  # fmt: skip
    assert found(exclude=URGENT, web1=idle) == []


def test_a_host_that_nobody_surveyed_leaves_it_open() -> None:
    """Nobody knows what it serves, which is an error of its own."""
    assert found(exclude="urgence.example.org", web1=survey(nginx=SITES), web2=None) == []


BESIDE_A_WILDCARD = nginx(block(1, "*.example.org"), block(3, URGENT), block(5, "blog1.example.org"))


@pytest.mark.parametrize("written", ["urgence.example.org", "www.urgences.example.org"])
def test_a_slip_that_a_wildcard_would_answer_for(written: str) -> None:
    """The wildcard site answers for any name, so what nearly is a site that takes part is asked for."""
    fleet_of = {"web1": survey(nginx=BESIDE_A_WILDCARD)}
    (finding,) = found(exclude=written, **fleet_of)
    assert (finding.severity, finding.code, finding.expected) == ("error", "name-doubtful", URGENT)
    assert found(exclude=written, confirmed=written, **fleet_of) == []
    assert found(exclude=f"{written}, {URGENT}", **fleet_of) == []


@pytest.mark.parametrize("written", ["blog2.example.org", "library.example.org"])
def test_another_name_below_a_wildcard_is_no_slip(written: str) -> None:
    """A number more, or another word."""
    assert found(exclude=written, web1=survey(nginx=BESIDE_A_WILDCARD)) == []


TWINS = nginx(block(1, "example.org", "www.example.org"), block(3, "a.example.org", "b.a.example.org"))


@pytest.mark.parametrize(
    ("written", "twin"),
    [
        ("example.org", "www.example.org"),
        ("www.example.org", "example.org"),
        ('"*.a.example.org"', "a.example.org"),
    ],
)
def test_half_of_a_site_left_out_is_told(written: str, twin: str) -> None:
    """With `www.` and without, and the name that a star does not mean."""
    (finding,) = found(exclude=written, web1=survey(nginx=TWINS))
    assert (finding.severity, finding.code) == (
        "warning",
        "left-out-in-part",
    ) and f"and {twin} is not" in finding.message
    assert found(exclude=f"{written}, {twin}", web1=survey(nginx=TWINS)) == []


def test_many_strangers_cost_little() -> None:
    """Some are compared with all names of a large fleet, the others are told without a likely spelling."""
    blocks = [block(number, f"site{number}.example.org") for number in range(3000)]
    rows = "\n".join(f"member{number}.elsewhere.net,in" for number in range(500))
    (finding,) = found(consent=f"*,in\n{rows}", web1=survey(nginx=nginx(*blocks)))
    assert finding.message.startswith("the consent list has 500 names")


def test_likely_spelling_keeps_stars_apart() -> None:
    """A short name is not every wildcard's neighbour."""
    assert likely_spelling("u.example.org", {"*.example.org", "v.example.net"}) == ""
