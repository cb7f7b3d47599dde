# SPDX-License-Identifier: GPL-3.0-or-later
"""A host where signers are pinned: what it is staged with has to say what they have signed, by every way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from piquet.campaign.model import Selection
from piquet.decision.document import decision_document
from piquet.protocol.decision import decision_digest
from piquet.protocol.signers import STOP_NAMESPACE
from piquet.protocol.trust import trust_document

from .staged import DECIDED, EVERYTHING, PAGES, WAYS, StagedHost, planned

NGINX = ("nginx", "include")


@pytest.fixture
def there(tmp_path: Path, keys: dict[str, Path]) -> StagedHost:
    """A host where the assembly is pinned."""
    found = StagedHost(tmp_path, keys)
    found.pin()
    return found


def told(host: StagedHost) -> list[str]:
    """Code, subject and sentence of each finding that refuses."""
    return [f"{f.code}: {f.subject}: {f.message}" for f in host.refusals() if f.severity == "error"]


@pytest.mark.parametrize("way", WAYS, ids="-".join)
def test_what_was_signed_is_armed(there: StagedHost, way: tuple[str, str]) -> None:
    """By each way of each server, with sites that take part in some phases only."""
    there.stage(planned(way))
    there.sign("alice", "bob")
    assert told(there) == []


@pytest.mark.parametrize("way", WAYS, ids="-".join)
def test_a_site_of_the_day_after_is_armed_by_the_same_vote(there: StagedHost, way: tuple[str, str]) -> None:
    """The rule was decided, not the list: a name that nobody had served before, and long ones as patterns."""
    more = {f"{'long-' * 11}{number}.new.example.org": (1, 2, 3) for number in range(3)}
    there.stage(planned(way, {**EVERYTHING, "new.example.org": (1, 2, 3), **more}))
    there.sign("carol", "bob")
    assert told(there) == []


def test_nobody_is_asked_where_nobody_is_pinned(tmp_path: Path, keys: dict[str, Path]) -> None:
    """The mandate is a record there."""
    host = StagedHost(tmp_path, keys)
    host.stage(planned(NGINX))
    assert told(host) == []


def test_too_few_a_stranger_another_namespace_and_other_words_are_told_apart(there: StagedHost) -> None:
    """One role is not met, with every reason at once."""
    there.stage(planned(NGINX))
    there.sign("alice", "mallory")
    assert told(there) == ["not-decided: assembly: assembly has not decided this: 1 of 2 missing."]
    assert [f.message for f in there.refusals() if f.severity == "warning"] == [
        "A signature does not count: its key is none of the signers'."
    ]
    there.sign("alice", "bob", namespace=STOP_NAMESPACE)
    assert "2 of 2 missing" in told(there)[0]
    there.sign("alice", "bob", message=b"another decision\n")
    assert "2 of 2 missing" in told(there)[0]
    there.paths.signatures.unlink()
    assert "2 of 2 missing" in told(there)[0]


def test_right_signatures_over_another_decision(there: StagedHost) -> None:
    """Both are signed as they should be; what was staged carries out the other one."""
    later = replace(DECIDED, phases=(DECIDED.phases[0], *(_later(p) for p in DECIDED.phases[1:])))
    there.stage(planned(NGINX), decision=decision_document(later, PAGES))
    there.sign("alice", "bob")
    found = told(there)
    assert "not-as-decided: phase 2: Its hours or mode are not those decided." in found
    assert any("A window in its configuration was not decided." in line for line in found)
    assert any("Visitors would get other bytes than were decided." in line for line in found)
    named = decision_digest(decision_document(DECIDED, PAGES))
    there.stage(planned(NGINX), decision=decision_document(later, PAGES), named=named)
    there.sign("alice", "bob")
    assert "not-as-decided: plan.json: The plan carries out another decision." in told(there)


def _later(phase: Any) -> Any:
    hour = timedelta(hours=1)
    return replace(phase, start_at=phase.start_at + hour, end_at=phase.end_at + hour)


@pytest.mark.parametrize("way", WAYS, ids="-".join)
def test_a_site_that_was_not_decided(there: StagedHost, way: tuple[str, str]) -> None:
    """One that is out, one that agreed to a message, and one below a wildcard that is not spared."""
    there.stage(planned(way, {**EVERYTHING, "out.example.org": (1, 2, 3), "only.example.org": (1, 2, 3)}))
    there.sign("alice", "bob")
    sentence = "This site was not decided to take part so."
    assert [line for line in told(there) if sentence in line] == [
        f"not-as-decided: only.example.org: {sentence}", f"not-as-decided: out.example.org: {sentence}",
    ]  # fmt: skip


@pytest.mark.parametrize("way", WAYS, ids="-".join)
def test_a_name_below_a_wildcard_that_is_not_spared(there: StagedHost, way: tuple[str, str]) -> None:
    """The decision spares it; the configuration, of a campaign that does not, would take it with the others."""
    spared = replace(DECIDED, sites=Selection(("*",), ("x.blogs.example.org",), dict(DECIDED.sites.consent)))
    there.stage(planned(way), decision=decision_document(spared, PAGES))
    there.sign("alice", "bob")
    assert told(there) == [
        f"not-as-decided: {way[0]}: Its configuration shows other sites or hours than the plan."
    ]
    known = replace(planned(way), known=(*planned(way).known, "x.blogs.example.org"))
    there.stage(known, campaign=spared)
    there.sign("alice", "bob")
    assert told(there) == []


@pytest.mark.parametrize("way", WAYS, ids="-".join)
@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("1797465[6-9]", "1797465[5-9]", "A window in its configuration was not decided."),
        (
            "1797465[6-9][0-9]{2}",
            "17974[0-9]+",
            "Its configuration shows other sites or hours than the plan.",
        ),
        ("Fermer", "Firmer", "A banner in its configuration was not decided."),
    ],
    ids=["window", "form", "banner"],
)
def test_a_configuration_that_says_something_else(
    there: StagedHost, way: tuple[str, str], old: str, new: str, reason: str
) -> None:
    """Read back from the files that the servers read, whatever manifest and plan say."""
    bundle = there.stage(planned(way))
    there.sign("alice", "bob")
    changed = 0
    for file in bundle.files:
        text = file.content.decode("utf-8", "replace")
        if file.path.endswith(".conf") and old in text:
            there.paths.at(file.path).write_text(text.replace(old, new), "utf-8")
            changed += 1
    assert changed
    assert any(reason in line for line in told(there))


def test_a_table_of_names_that_says_something_else(there: StagedHost) -> None:
    """Somebody's name by the flag of a site that was decided, and a share that is shown more than it agreed to."""
    bundle = there.stage(planned(NGINX))
    there.sign("alice", "bob")
    (table,) = (file for file in bundle.files if b"$piquet_entry {" in file.content)
    text = table.content.decode()
    for old, new in (
        (
            '"a.example.org" "a.example.org";',
            '"a.example.org" "a.example.org";\n    "evil.example" "a.example.org";',
        ),
        ('"only.example.org" a;', '"only.example.org" b;'),
        ("1:a 1;", "2:a 2;"),
    ):
        assert old in text
        there.paths.at(table.path).write_text(text.replace(old, new))
        assert told(there) == [
            "not-as-decided: nginx: Its configuration shows other sites or hours than the plan."
        ]


def test_a_mark_of_a_site_that_takes_no_part(there: StagedHost) -> None:
    """Apache is told by files who takes part in a phase."""
    there.stage(planned(("apache", "rules")))
    there.sign("alice", "bob")
    there.edit(lambda m: _mark(m).update(path=_mark(m)["path"].replace("a.example.org", "only.example.org")))
    for file in there.paths.lib.glob("www-*/with/2/a.example.org"):
        file.rename(file.with_name("only.example.org"))
    assert any("This site takes no part in that phase." in line for line in told(there))


def _mark(document: Any) -> Any:
    return next(record for record in document["files"] if record["path"].endswith("/with/2/a.example.org"))


def test_hours_of_one_phase_for_another(there: StagedHost) -> None:
    """Each window was decided, and not for what it would show."""
    for way in WAYS:
        bundle = there.stage(planned(way))
        there.sign("alice", "bob")
        for file in bundle.files:
            text = file.content.decode("utf-8", "replace")
            if file.path.endswith(".conf"):
                swapped = text.replace(_lease(1), "@").replace(_lease(2), _lease(1)).replace("@", _lease(2))
                there.paths.at(file.path).write_text(swapped, "utf-8")
        assert any("A window in its configuration was not decided." in line for line in told(there)), way


def _lease(number: int) -> str:
    from piquet.servers.lease import window_pattern

    phase = DECIDED.phases[number - 1]
    return window_pattern(phase.start_at, phase.end_at)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda m: m["phases"][1].update(end=m["phases"][1]["end"] + 1), "phase 2: Its hours or mode"),
        (lambda m: m["phases"][0].update(mode="block"), "phase 1: Its hours or mode"),
        (lambda m: m.update(campaign="other"), "manifest.json: It is of another campaign."),
        (lambda m: m["entries"][0].update(key="b.example.org"), "Its flag has another name."),
        (lambda m: m.update(providers=["unheard"]), "unheard: Which names it shows the strike for cannot be read"),
        (lambda m: m["files"].append({"path": "/var/lib/piquet/x", "kind": "link", "target": "/"}), "not decided."),
        (lambda m: _page(m).update(sha256="0" * 64), "Visitors would get other bytes than were decided."),
        (lambda m: m["files"].remove(_page(m)), "Visitors would get other bytes than were decided."),
    ],
)  # fmt: skip
def test_a_manifest_that_says_something_else(
    there: StagedHost, change: Callable[[Any], None], line: str
) -> None:
    """Hours, mode, campaign, flags, servers and pages."""
    there.stage(planned(NGINX))
    there.sign("alice", "bob")
    there.edit(change)
    assert any(line in found for found in told(there)), told(there)


def _page(document: Any) -> Any:
    return next(record for record in document["files"] if record["path"].endswith("page/2/fr.html"))


def test_an_earlier_revision_does_not_come_back(there: StagedHost) -> None:
    """What was armed last stays the last: its own again, or a later one, and no other of the same number."""
    from piquet.host import decided

    first, second = DECIDED, replace(DECIDED, revision=2)
    other = replace(second, limits=replace(second.limits, max_share_percent=50))
    there.stage(planned(NGINX), campaign=second)
    there.sign("alice", "bob")
    assert told(there) == []
    decided.note_armed(there.machine)
    assert told(there) == []
    for campaign in (first, other):
        there.stage(planned(NGINX), campaign=campaign)
        there.sign("alice", "bob")
        assert [line.partition(": ")[0] for line in told(there)] == ["decision-superseded"]
    there.stage(planned(NGINX), campaign=replace(DECIDED, revision=3))
    there.sign("alice", "bob")
    assert told(there) == []


@pytest.mark.parametrize("damage", [b"", b"{}", b'{"piquet_trust":1,"roles":{}}\n', b"\xff"])
def test_a_list_of_signers_that_cannot_be_read_lets_nobody_decide(there: StagedHost, damage: bytes) -> None:
    """Not the same as no list."""
    there.stage(planned(NGINX))
    there.sign("alice", "bob")
    there.paths.signers.write_bytes(damage)
    assert [line.partition(": ")[0] for line in told(there)] == ["not-decided"]


def test_the_list_says_the_same_people_in_one_form(there: StagedHost) -> None:
    """However their lines are written, and in whatever order."""
    (role,) = there.roles()
    turned = replace(role, signers=tuple(reversed(role.signers)))
    assert trust_document([role]) == trust_document([turned])
