# SPDX-License-Identifier: GPL-3.0-or-later
"""What people read of an inspection: causes, not places; parts of a run that crossed a switch; one way of counting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from piquet.answers import sign
from piquet.campaign.model import Campaign
from piquet.cli.plan_text import as_json
from piquet.controller.host_state import state_text
from piquet.fleet.model import Fleet, Host, Listen, Site
from piquet.fleet.sites import sites_on_hosts
from piquet.plan import make_plan
from piquet.protocol.findings import Finding
from piquet.report.inspection import Report, inspection_json, inspection_text
from piquet.report.paragraphs import by_cause, paragraph
from piquet.servers.registry import SERVERS
from piquet.verify.baseline import Returned, make_baseline
from piquet.verify.certificate import certificate_summary, make_certificate
from piquet.verify.expectations import Expectations
from piquet.verify.fronts import seen_through
from piquet.verify.observation import PUBLIC, Observation, Pace, Reply, Target, Unreachable
from piquet.verify.outside.inspection import Inspection, judged, over_http3, sites_showing, stretches
from piquet.verify.public import PublicDoors
from piquet.verify.questions import FRONT
from piquet.verify.targets import targets_of
from tests.server_facts import made_facts

from .conftest import make_campaign

START = datetime(2026, 12, 17, tzinfo=UTC)
T0 = START.timestamp()
CAMPAIGN = make_campaign(START, seconds=600)


def target(name: str, host: str = "web1", port: int = 80) -> Target:
    """A site that takes part."""
    return Target(host, "192.0.2.1", port, False, name, name, (1,))


def reply(where: Target, at: float, *, ours: bool) -> Reply:
    """The front page at some seconds from the start."""
    phase = CAMPAIGN.phases[0]
    headers = (("x-piquet", sign(CAMPAIGN, phase)),) if ours else ()
    return Reply(where, FRONT, Observation(503 if ours else 200, headers, "0" * 64, 9, T0 + at, T0 + at))


def report(replies: Sequence[Reply], at: float, *findings: Finding) -> Report:
    """As the command makes it."""
    expectations = Expectations(CAMPAIGN)
    seen = Inspection(
        findings,
        (),
        Pace(len(replies), 1.0),
        0,
        sites_showing(replies, CAMPAIGN),
        stretches(replies, expectations),
    )
    begun = datetime.fromtimestamp(T0 + at, UTC)
    asked = tuple(dict.fromkeys(one.target for one in replies))
    return Report(CAMPAIGN, begun, "now", asked, (), seen, None, True)


def test_a_run_across_the_start_says_so() -> None:
    """Sites that were asked before it are not missing from those that show the page, and nothing is said of now."""
    early = [reply(target(f"e{n}.example"), -60 + n, ours=False) for n in range(3)]
    late = [reply(target(f"l{n}.example"), 10 + n, ours=True) for n in range(2)]
    told = inspection_text(report([*early, *late], -60))
    assert "the run crossed a change of phase" in told
    assert "\n  3 sites asked while no phase was in force\n" in told
    assert "\n  in phase 1 (block): 2 of 2 sites show the strike page\n" in told
    assert told.endswith(
        "every site answered as it should when it was asked; run it again to see all of them in the same phase"
    )
    assert inspection_json(report([*early, *late], -60))["parts"] == [
        {"phase": None, "asked": 3, "showing": 0},
        {"phase": 1, "asked": 2, "showing": 2},
    ]


@pytest.mark.parametrize(("ours", "expected"), [(3, "3 of 3 sites show"), (2, "2 of 3 sites show")])
def test_a_run_within_one_phase_counts_its_sites(ours: int, expected: str) -> None:
    """As before, without a word on parts."""
    told = inspection_text(report([reply(target(f"{n}.example"), 60, ours=n < ours) for n in range(3)], 60))
    assert f"\n{expected} the strike page\n" in told and "crossed" not in told
    assert told.endswith("every site answers as it should")


def test_a_site_is_a_name_wherever_it_is() -> None:
    """Two hosts and two doors are one site, which shows its page if it does on both hosts."""
    places = [target("www.example", host, port) for host in ("web1", "web2") for port in (80, 8080)]
    all_on = report([reply(place, 60, ours=True) for place in places], 60)
    assert "asked 1 site on 2 hosts (1 selected) at 4 doors" in inspection_text(all_on)
    assert "\n1 of 1 site show the strike page\n" in inspection_text(all_on)
    one_off = report([reply(place, 60, ours=place.host == "web1") for place in places], 60)
    assert "\n0 of 1 site show the strike page\n" in inspection_text(one_off)


def test_plan_status_and_verify_count_alike() -> None:
    """One name on two servers of two hosts, one below a wildcard: the same number everywhere."""
    doors = (Listen("0.0.0.0", 80, False),)

    def host(name: str) -> Host:
        both: list[Site] = []
        for provider in ("nginx", "apache"):
            both += [
                Site(n, provider, doors, True, False) for n in ("www.example.org", "*.blogs.example.org")
            ]  # type: ignore[arg-type]
        facts = [made_facts(p, variant=v) for p, v in WAYS]
        return Host(name, "192.0.2.1", tuple(both), tuple(facts), START, 0.0, (), ("www.example.org",))

    fleet = Fleet((host("web1"), host("web2")))
    plan = make_plan(CAMPAIGN, fleet, datetime(2026, 12, 1, tzinfo=UTC), SERVERS)
    entries = [(h.host, e.name) for h in plan.hosts for e in h.entries]
    assert len(entries) == 8 and "www.example.org" in as_json(plan, None)
    assert sites_on_hosts(entries) == "2 sites on 2 hosts"
    status = {"state": "armed", "entries": [{"key": e.key, "flag": True} for e in plan.hosts[0].entries]}
    assert state_text(status) == "armed: 2 sites"
    targets, _ = targets_of(fleet, plan)
    replies = [reply(one, 60, ours=True) for one in targets if one.phases]
    assert "asked 2 sites on 2 hosts (2 selected) at" in inspection_text(report(replies, 60))


WAYS = (("nginx", "include"), ("apache", "rules"))


def finding(name: str, host: str = "web1", got: str = "200", code: str = "not-on-strike") -> Finding:
    """One door of a site that is not on strike."""
    subject = f"{name} on {host}, 192.0.2.1:80 (http)"
    message = "GET / is not answered by the strike, and 12 more questions alike"
    return Finding("error", code, subject, message, "503", got, "piquet status")


def test_errors_of_one_cause_are_one_paragraph() -> None:
    """With their number, the first few places, where the others are, and what is expected once."""
    found = [finding(f"{n}.example", "web1" if n < 5 else "web2", got=str(200 + n)) for n in range(8)]
    (group,) = by_cause(found)
    assert paragraph(group) == (
        "error: 8 places: GET / is not answered by the strike, and 12 more questions alike [not-on-strike]\n"
        "  0.example on web1, 192.0.2.1:80 (http): GET /\n"
        "  1.example on web1, 192.0.2.1:80 (http): GET /\n"
        "  2.example on web1, 192.0.2.1:80 (http): GET /\n"
        "  … and 5 more (in all: web1 5, web2 3)\n"
        "  at the first of them:\n"
        "  expected: 503\n"
        "  got:      200\n"
        "\n"
        "  hint: piquet status"
    )
    assert all(f"  {n}.example on web" in paragraph(group, show_all=True) for n in range(8))


def test_other_causes_are_other_paragraphs() -> None:
    """Another code, another kind of silence, another field of a page that changed; questions alone are none."""
    silent = replace(finding("a.example", got="timeout: x", code="no-answer"), message="cannot be reached")
    refused = replace(silent, got="connect: refused")
    body = replace(finding("a.example", code="not-as-before"), message="GET /: body is not as it was")
    robots = replace(body, message="GET /robots.txt: body is not as it was")
    status = replace(body, message="GET /: status is not as it was")
    groups = by_cause([finding("a.example"), silent, refused, body, robots, status])
    assert [len(group) for group in groups] == [1, 1, 1, 2, 1]


def test_a_whole_host_that_is_down_is_one_paragraph(running: Campaign) -> None:
    """From the replies to the paper."""
    at = running.phases[0].start_at.timestamp() + 60
    gone = Observation(None, (), "", 0, at, at, "connect: Connection refused")
    replies = [Reply(target(f"{n}.example"), FRONT, gone) for n in range(50)]
    found, _ = judged(replies, Expectations(running), None)
    assert [len(group) for group in by_cause(found)] == [50]


def test_what_was_not_asked_over_http3_is_said() -> None:
    """By the survey, or by an answer that names it; in the text, the verdict, the document and the certificate."""
    plain, told = reply(target("a.example"), -60, ours=False), reply(target("b.example"), -60, ours=False)
    surveyed = replace(told, target=replace(target("c.example"), over_http3=True))
    seen = (("alt-svc", 'h2=":443", h3=":443"; ma=86400'),)
    told = replace(told, observation=replace(told.observation, headers=seen))
    cleared = replace(plain, observation=replace(plain.observation, headers=(("alt-svc", "clear"),)))
    assert over_http3([plain, cleared]) == frozenset()
    assert over_http3([plain, told, surveyed]) == {"b.example", "c.example"}
    made = report([plain], -60)
    assert "HTTP/3" not in inspection_text(made)
    made = replace(made, inspection=replace(made.inspection, over_http3=over_http3([told, surveyed])))
    text = inspection_text(made)
    assert "\n2 sites answer over HTTP/3, too, which was not asked: b.example, c.example\n" in text
    assert text.endswith("(HTTP/3 not asked)")
    assert inspection_json(made)["over_http3_not_asked"] == ["b.example", "c.example"]
    certificate = make_certificate(
        make_baseline(CAMPAIGN.name, T0, [plain], [plain]), (), START, START, over_http3=2
    )
    assert certificate_summary(certificate).endswith(
        "HTTP/3, over which 2 sites answered, too, was not asked."
    )


def test_what_dns_leads_to_is_counted_and_named() -> None:
    """Names straight at their hosts, elsewhere by who answers, not asked by reason; cut unless all is wanted."""
    by_dns = reply(target("a.example", PUBLIC), -60, ours=False)
    through = seen_through([by_dns], CAMPAIGN)
    lost = [Unreachable(PUBLIC, f"n{n}.example", "", "DNS knows no such name") for n in range(4)]
    public = PublicDoors((by_dns.target,), ("s.example",), tuple(lost))
    made = replace(report([by_dns], -60), public=public)
    made = replace(made, inspection=replace(made.inspection, through=through))
    text = inspection_text(made, 3)
    assert "\nby DNS, 6 names of sites that take part:\n  1 straight to their own hosts" in text
    assert "\n  1 to something else: something that does not say what it is 1\n" in text
    assert (
        "DNS knows no such name: n0.example, n1.example, n2.example … and 1 more (--all names them)\n" in text
    )
    assert "n3.example" in inspection_text(made)
    assert "\n  the baseline knows nothing of that: take it with --public too" in text
    row = Returned(by_dns, "identical")
    compared = replace(made, inspection=replace(made.inspection, returned=(row,)))
    assert "the baseline knows nothing of that" not in inspection_text(compared)
    assert text.endswith("every site that was asked answers as it should (4 places not asked)")
    assert [one["site"] for one in inspection_json(made)["not_asked"]] == [f"n{n}.example" for n in range(4)]
