# SPDX-License-Identifier: GPL-3.0-or-later
"""The report: what was and what is not known, from what hosts wrote, which may be anything."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tinyhtml5.parser import HTMLParser

from piquet.campaign.model import Mandate
from piquet.controller.answer import AgentAnswer
from piquet.controller.journal import keep_answer, keep_command, known_until
from piquet.fleet.read import read_fleet
from piquet.fleet.workdir import Workdir
from piquet.plan import make_plan
from piquet.report.account import Kept, Picture, account
from piquet.report.account_page import account_page
from piquet.report.host_story import host_story
from piquet.report.words import HANDED_IN
from piquet.servers.registry import SERVERS

from .samples import AT, block, campaign, nginx, survey

START = datetime(2026, 12, 16, 23, 0, tzinfo=UTC).timestamp()
END = START + 86400
DIGEST = "d" * 64
NASTY = "<script src=//evil.example></script>\"'&{{7*7}}\n</article>"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
CERTIFICATE: Mapping[str, Any] = {
    "campaign": "greve-2026-12-17", "at": "2026-12-18T09:00:00+00:00", "clean": False,
    "baseline_at": "2026-12-15T09:00:00+00:00", "counts": {"identical": 3, "different": 1, "stable": 0}, "missing": 2,
    "rows": [{"host": NASTY, "name": NASTY, "address": "192.0.2.1", "port": 80, "verdict": "different"}],
    "not_asked": [{"host": "web9"}],
}  # fmt: skip


def record(at: float, event: str, **facts: Any) -> dict[str, Any]:
    """A line as the agent writes it."""
    return {"at": at, "utc": "", "role": "schedule", "verb": "reconcile", "event": event, **facts}


ARMED = record(START - 3600, "armed", campaign="greve-2026-12-17", plan_digest=DIGEST, role="controller")
SHOWN = record(START + 0.2, "start-confirmed", phase=1, answers=[{"site": "a.example.org", "ours": True}])
OVER = [record(END + 0.1, "disarmed", reason="ended"), record(END + 0.4, "end-confirmed", phase=1)]


def told(at: float, state: str = "ended") -> dict[str, Any]:
    """What is kept of a host's last answer."""
    return {"at": at, "verb": "status", "status": {"state": state}}


def words_of_phase(
    records: Sequence[Mapping[str, Any]], last: Mapping[str, Any], at: float = END + 900
) -> tuple[str, str]:
    """What is known of start and end of the one phase."""
    begun, ended = host_story("web1", campaign(), records, last, at).phases[1]
    return begun.word, f"{ended.word}{' early' if ended.is_release else ''}"


@pytest.mark.parametrize(
    ("records", "last", "at", "expected"),
    [
        ([ARMED, SHOWN, *OVER], told(END + 60), END + 900, ("confirmed", "confirmed")),
        ([ARMED, SHOWN], told(START + 60), END + 900, ("confirmed", "unknown")),
        ([ARMED, SHOWN], told(START + 60), START + 90, ("confirmed", "to-come")),
        ([ARMED], told(START - 60, "armed"), START - 30, ("to-come", "to-come")),
        ([ARMED], told(START - 60, "armed"), END + 900, ("unknown", "unknown")),
        ([], {}, END + 900, ("unknown", "unknown")),
        ([], told(END + 60), END + 900, ("unknown", "unknown")),
        (
            [ARMED, record(START - 60, "disarmed", reason="rollback")],
            told(END + 60), END + 900, ("not-armed", "not-armed"),
        ),
        (
            [
                ARMED, record(START + 9, "start-not-confirmed", phase=1),
                record(START + 60, "disarmed", reason="rollback"), record(START + 61, "release-confirmed", phase=1),
            ],
            told(START + 62), END + 900, ("not-confirmed", "confirmed early"),
        ),
        (
            [ARMED, SHOWN, record(END + 1, "end-unanswered", phase=1), record(END + 61, "end-confirmed", phase=1)],
            told(END + 70), END + 900, ("confirmed", "confirmed"),
        ),
        ([record(START - 9, "lines-missing")], told(END + 60), END + 900, ("unknown", "unknown")),
        (
            [{**ARMED, "campaign": "another"}, SHOWN, *OVER], told(END + 60), END + 900, ("not-armed", "not-armed"),
        ),
    ],
)  # fmt: skip
def test_nothing_is_said_that_was_not_seen(
    records: Sequence[Mapping[str, Any]], last: Mapping[str, Any], at: float, expected: tuple[str, str]
) -> None:
    """What no host has told is unknown; what another campaign did is not ours."""
    assert expected == words_of_phase(records, last, at)


def kept(name: str = "web1", site: str = "a.example.org", **changes: Any) -> Kept:
    """Two hosts: one that told its whole journal, one that nobody has heard of."""
    served = survey(nginx=nginx(block(1, "a.example.org"), block(9, "out.example.org")))
    fleet = read_fleet({"web1": {}, "web2": {}}, {"web1": served, "web2": served}, SERVERS)
    wanted = campaign(sites='{include: ["*"], exclude: [out.example.org]}')
    document = {"hosts": {name: {"entries": [{"name": site, "phases": [1]}]}}}
    stop = record(START + 99, "stopped-by-name", keys=[site], role="controller", verb="stop")
    ours = {"at": START - 3600, "verb": "arm", "host": name, "result": "ok", "plan_digest": DIGEST}
    values: dict[str, Any] = {
        "plan": make_plan(wanted, fleet, AT, SERVERS),
        "unsurveyed": (),
        "withdrawals": {},
        "plans": {DIGEST: document},
        "statuses": {name: told(END + 60)},
        "journals": {name: [ARMED, SHOWN, stop, record(START + 120, site), *OVER]},
        "journal": [ours],
        "certificate": None,
        "pictures": (),
        "made_at": datetime.fromtimestamp(END + 900, UTC),
    }
    return Kept(**values | changes)


def test_the_account_of_two_hosts() -> None:
    """One was heard, with a stop; of the other nothing is known, and that is said; so is what nobody asked."""
    document = account(kept())
    heard, silent = document["hosts"]
    assert heard["phases"][0]["start"]["at"] == "2026-12-16T23:00:00.200+00:00"
    assert heard["stops"] == [
        {
            "at": "2026-12-16T23:01:39.000+00:00",
            "sites": ["a.example.org"],
            "by": "name",
            "role": "controller",
        }
    ]
    assert (silent["heard_at"], silent["state"]) == (None, "unknown")
    assert document["coverage"]["shown"] == [{"phases": [1], "sites": ["a.example.org"]}]
    assert document["coverage"]["as_usual"] == {"excluded": ["out.example.org"]}
    assert document["decision"] == {"kind": "none", "signatures": None}
    text = re.sub(r"<[^>]*>", " ", page(kept()))
    for said in (
        "2026-12-17 00:00:00.2 (+0.2 s)", "Never answered this controller: web2.", "Nobody has run piquet verify here",
        "None is kept here: nobody has run", "The campaign records no decision.",
        "No withdrawal of consent is recorded.",
        "arm ok web1 dddddddddddd", "by its name (stop)",
    ):  # fmt: skip
        assert said in re.sub(r"\s+", " ", text)


def test_a_host_whose_plan_is_not_kept_is_named() -> None:
    """Its sites are not guessed."""
    coverage = account(kept(plans={}))["coverage"]
    assert (coverage["unknown_hosts"], coverage["sites"]) == (["web1"], 0)


def page(of: Kept, languages: Sequence[str] = ("en",)) -> str:
    """The page for people."""
    return account_page(of.campaign, account(of), of.pictures, languages)


def test_the_page_is_valid_asks_for_nothing_and_obeys_nobody() -> None:
    """Whatever hosts, sites, plans and journals are called: no element, no address, no script of theirs."""
    looks = {
        "at": END + 1, "verb": "verify", "campaign": "greve-2026-12-17", "errors": NASTY, "warnings": 0,
        "not_asked": NASTY, "parts": [{"phase": NASTY, "asked": NASTY, "showing": 1}],
    }  # fmt: skip
    ours = {"at": END, "verb": NASTY, "host": NASTY, "result": NASTY, "plan_digest": NASTY, "site": NASTY}
    nasty = kept(
        NASTY,
        NASTY,
        certificate=CERTIFICATE,
        journal=[looks, ours],
        pictures=(Picture("n", 1, "fr", "phone", PNG),),
    )
    said = replace(nasty.campaign, mandate=Mandate(NASTY, "2026-12-12", {}, NASTY, ()))
    nasty = replace(nasty, plan=replace(nasty.plan, campaign=said), withdrawals={NASTY: NASTY})
    parser = HTMLParser()
    html = page(nasty, HANDED_IN)
    parser.parse(html)
    assert parser.errors == []
    assert html.count("&lt;script") > 8 and html.count("</article>") == len(HANDED_IN)
    assert not re.search(r"<(script|link|iframe|object|form|a)\b|url\(|@import", html)
    assert set(re.findall(r'src="([^,"]*)', html)) == {"data:image/png;base64"}
    json.dumps(account(nasty))


def answered(records: Sequence[Mapping[str, Any]], *, is_cut: bool = False) -> AgentAnswer:
    """An answer of the agent with lines of its journal."""
    heard = {"records": list(records), "cut": is_cut}
    return AgentAnswer("status", True, False, "", (), (), {"state": "armed"}, {}, journal=heard)


def test_lines_of_hosts_are_kept_once(tmp_path: Path) -> None:
    """From the last one on; what comes twice is there once, what was lost is said, what is no line is not kept."""
    work = Workdir(tmp_path / "w")
    assert known_until(work, "web/1") == 0
    keep_answer(work, "web/1", answered([ARMED, {"event": 1}, "x"]), 1.0)
    assert known_until(work, "web/1") == ARMED["at"]
    keep_answer(work, "web/1", answered([ARMED, SHOWN]), 2.0)
    assert work.host_journal("web/1") == [ARMED, SHOWN]
    keep_answer(work, "web/1", answered([OVER[0]], is_cut=True), 3.0)
    assert [line["event"] for line in work.host_journals()["web/1"]][2:] == ["lines-missing", "disarmed"]
    long = record(END + 9, "disarmed", findings=["x" * 9000])
    keep_answer(work, "web/1", answered([long]), 4.0)
    assert work.host_journal("web/1")[-1] == {
        **{key: long[key] for key in ("at", "utc", "role", "verb", "event")}, "cut": True,
    }  # fmt: skip
    assert work.statuses()["web/1"]["at"] == 4.0
    assert {file.stat().st_mode & 0o077 for file in work.path.rglob("*.json*")} == {0}


def test_a_journal_stops_no_verb(tmp_path: Path) -> None:
    """Where nothing can be written nothing is, and nothing is asked of the host."""
    (tmp_path / "file").write_text("")
    work = Workdir(tmp_path / "file")
    keep_answer(work, "web1", answered([ARMED]), 1.0)
    keep_command(work, "rollback", 1.0, host="web1")
    assert known_until(None, "web1") is None and known_until(work, "web1") is None
    real = Workdir(tmp_path / "w")
    for verb in ("status", "rollback"):
        keep_command(real, verb, 1.0, host="web1")
    assert [line["verb"] for line in real.journal()] == ["rollback"]
