# SPDX-License-Identifier: GPL-3.0-or-later
"""One site's answer: the list keeps whatever else is in it, a withdrawal only ever adds, and no plan forgets it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from piquet.campaign.consent import read_consent, with_answer
from piquet.cli import consent, exit_codes, run_command
from piquet.decision.site_rule import site_rule
from piquet.load import load_campaign
from piquet.plan import make_plan
from piquet.servers.registry import SERVERS

from .samples import AT, block, campaign, campaign_text, fleet, nginx, survey

LIST = 'note;Site;answer\n# ours\n"a; b";A.example.org;in\n;b.example.org;message\n'


@pytest.mark.parametrize(
    ("text", "site", "answer", "expected"),
    [
        (LIST, "a.example.org", "message", LIST.replace("A.example.org;in", "a.example.org;message")),
        (LIST, "c.example.org", "in", f"{LIST}\n;c.example.org;in\n".replace("\n\n", "\n")),
        (
            "site,answer\r\n*,in",
            "x.example.org",
            "message",
            "site,answer\r\n*,in\r\nx.example.org,message\r\n",
        ),
        ("site,answer\n*.b.org,in\n", "*.b.org", "message", "site,answer\n*.b.org,message\n"),
    ],
)
def test_an_answer_changes_its_row_and_nothing_else(text: str, site: str, answer: Any, expected: str) -> None:
    """Notes, columns, separators and line ends stay."""
    changed = with_answer(text, site, answer)
    assert expected == changed
    read = read_consent(changed, "c.csv")
    assert (read.answers[site], read.problems) == (answer, [])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound campaign with a consent list."""
    pages = tmp_path / "campaign/pages/greve"
    pages.mkdir(parents=True)
    for language in ("fr", "en"):
        (pages / f"{language}.md").write_text("# Grève\n", "utf-8")
    text = campaign_text(sites='{include: ["*"], consent: consent.csv}')
    (tmp_path / "campaign/campaign.yml").write_text(text, "utf-8")
    (tmp_path / "campaign/consent.csv").write_text("site,answer\n*,in\n", "utf-8")
    (tmp_path / "hosts.ini").write_text("web1\n")
    return tmp_path


def test_the_list_is_edited(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In its own file, whole or not at all, with the mode that it has."""
    file = folder / "campaign/consent.csv"
    file.chmod(0o640)
    assert run_command(["consent", "A.example.org", "message", "-i", str(folder / "hosts.ini")]) == 0
    assert file.read_text() == "site,answer\n*,in\na.example.org,message\n"
    assert file.stat().st_mode & 0o777 == 0o640
    assert not list(file.parent.glob(".*.piquet"))
    text = (folder / "campaign/campaign.yml").read_text().replace(", consent: consent.csv", "")
    (folder / "campaign/campaign.yml").write_text(text)
    assert (
        run_command(["consent", "a.example.org", "in", "-i", str(folder / "hosts.ini")])
        == exit_codes.CAMPAIGN
    )
    assert "it names no consent list" in capsys.readouterr().err


def test_a_withdrawal_lasts(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is added once, stops the site each time, also of a campaign with faults, and no command takes it back."""
    asked = []
    monkeypatch.setattr(
        consent, "drive_verb", lambda verb, engine, request, **_: asked.append((verb, request)) or 0
    )
    file, given = folder / "campaign/withdrawn.csv", ["-i", str(folder / "hosts.ini")]
    file.write_text("site,withdrawn_at\nz.example.org,2026-12-01T00:00:00Z")  # edited by hand, without an end
    for _ in range(2):
        assert run_command(["consent", "a.example.org.", "out", *given, "-e", "piquet_become=false"]) == 0
    first, second, third = file.read_text().splitlines()
    assert (first, second) == ("site,withdrawn_at", "z.example.org,2026-12-01T00:00:00Z")
    assert re.fullmatch(r"a\.example\.org,20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", third)
    wanted = {"piquet_become": False, "piquet_stop_site": "a.example.org", "piquet_stop_withdrawn": True}
    assert [(verb, request.variables) for verb, request in asked] == [("stop", wanted)] * 2
    assert run_command(["consent", "a.example.org", "in", *given]) == exit_codes.CAMPAIGN
    assert "a.example.org took its consent back" in capsys.readouterr().err
    (folder / "campaign/campaign.yml").write_text("nothing")
    assert run_command(["consent", "b.example.org", "out", *given]) == 0
    assert len(file.read_text().splitlines()) == 4


def test_who_withdrew_is_in_no_plan_and_in_every_decision(folder: Path) -> None:
    """Left out with the reason, also below a wildcard, whatever the list says; what people voted on stays the same."""
    (folder / "campaign/withdrawn.csv").write_text("site,withdrawn_at\na.example.org,\nx.blogs.test,\n")
    (folder / "campaign/consent.csv").write_text("site,answer\n*,in\n*.example.org,out\na.example.org,in\n")
    loaded = load_campaign(folder / "campaign/campaign.yml").campaign
    served = nginx(block(1, "a.example.org"), block(9, "b.test"), block(19, "*.blogs.test"))
    plan = make_plan(loaded, fleet({"web1": survey(nginx=served)}), AT, SERVERS)
    (host,) = plan.hosts
    assert [entry.name for entry in host.entries] == ["*.blogs.test", "b.test"]
    assert {site.name: site.reason for site in host.usual} == dict.fromkeys(
        ["a.example.org", "x.blogs.test"], "took their consent back"
    )
    assert "x.blogs.test" in host.known
    voted = replace(loaded, sites=replace(loaded.sites, withdrawn=()))
    assert site_rule(voted) == site_rule(loaded)
    assert campaign().sites.withdrawn == ()


def test_a_list_that_cannot_be_read_stops_the_plan(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody is struck since a line of theirs was overlooked."""
    (folder / "campaign/withdrawn.csv").write_text("site,withdrawn_at\nno name\n")
    assert run_command(["check", str(folder / "campaign/campaign.yml")]) == exit_codes.CAMPAIGN
    assert "withdrawn.csv:2:1" in capsys.readouterr().err
