# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to the agent that no code of the controller has judged: refused each, and nothing is changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from piquet.host.outcome import Outcome
from piquet.protocol.canonical import canonical
from piquet.protocol.decision import INSTANT_FORM
from piquet.protocol.lease import number_pattern
from piquet.protocol.signatures import SigningRole
from piquet.protocol.signers import DECISION_NAMESPACE, STOP_NAMESPACE, read_signers
from piquet.protocol.stopping import StoppedDecision, stop_document
from piquet.protocol.trust import trust_document
from tests.host.folder_host import HOUR_S, PAGE, SITES, FolderHost

from .keys import public_line, sign_raw


class Raw:
    """Somebody with the agent and ssh alone."""

    def __init__(self, host: FolderHost, keys: Mapping[str, Path]) -> None:
        self.host, self.keys = host, keys

    def signers(self, *names: str, threshold: int = 2) -> bytes:
        """A list with one role."""
        lines = [f"{name}@example.org {public_line(self.keys[name])}" for name in names]
        return trust_document([SigningRole("assembly", threshold, read_signers("\n".join(lines))[0])])

    def trust(self, document: bytes, *by: str, namespace: str = DECISION_NAMESPACE) -> Outcome:
        """The verb, with signatures over that list."""
        signed = {f"signatures/{name}": sign_raw(self.keys[name], namespace, document) for name in by}
        return self.host.ask("trust", {"trust.json": document, **signed})

    def stage(self, *by: str, over: bytes | None = None, **changes: Any) -> str:
        """Stage a bundle with its decision and signatures over it, or over something else."""
        digest, members = self.bundle(**changes)
        message = over or members["decision.json"]
        members |= {
            f"signatures/{name}": sign_raw(self.keys[name], DECISION_NAMESPACE, message) for name in by
        }
        self.host.good("stage", members, plan_digest=digest, allow_unloaded=True)
        return digest

    def bundle(
        self, start: int = -60, decided: Mapping[str, Any] | None = None, **changes: Any
    ) -> tuple[str, dict[str, bytes]]:
        """The host's bundle with a lease and a table of names, and the decision that says the same."""
        first, last = int(self.host.now) + start, int(self.host.now) + HOUR_S - 1
        pattern = number_pattern(first, last)
        rows = "".join(f'    "{site}" "{site}";\n' for site in SITES)
        maps = (
            f'map $msec $piquet_real {{\n    default "";\n    "~^{pattern}\\\\." 1;\n}}\n'
            f'map $host $piquet_entry {{\n    default "";\n{rows}}}\n'
        )
        _, members = self.host.bundle(start=start, dropin=maps, **changes)
        manifest = json.loads(members["manifest.json"])
        page = next(record for record in manifest["files"] if record["path"] == PAGE)
        members["decision.json"] = canonical({**decision(first, last + 1, page["sha256"]), **(decided or {})})
        plan = json.loads(members["plan.json"])
        plan["decision"] = hashlib.sha256(members["decision.json"]).hexdigest()
        members["plan.json"] = canonical(plan)
        return hashlib.sha256(members["plan.json"]).hexdigest(), members

    def stop(self, name: str, namespace: str = STOP_NAMESPACE, check: bool = False, **of: Any) -> Outcome:
        """Somebody's stop of what is staged, or of something else."""
        document = json.loads(self.host.paths.decision.read_bytes())
        about = {"campaign": document["campaign"], "revision": document["revision"]}
        about["digest"] = hashlib.sha256(self.host.paths.decision.read_bytes()).hexdigest()
        message = stop_document(StoppedDecision(**{**about, **of}))
        signed = {f"signatures/{name}": sign_raw(self.keys[name], namespace, message)}
        return self.host.ask("stop", {"stop.json": message, **signed}, check=check)

    def refused(self, digest: str, *codes: str) -> None:
        """Arm says these codes and nothing is changed on the host."""
        before = self.host.tree()
        outcome = self.host.ask("arm", plan_digest=digest)
        assert [f.code for f in outcome.findings if f.severity == "error"] == list(codes)
        assert not outcome.is_changed and before == self.host.tree()
        assert not self.host.is_ours()


def decision(start: int, end: int, page: str) -> dict[str, Any]:
    """What the host's bundle shows."""
    instants = {
        key: f"{datetime.fromtimestamp(at, UTC):{INSTANT_FORM}}"
        for key, at in (("start", start), ("end", end))
    }
    phase = {
        "number": 1,
        "mode": "block",
        "paths": [],
        "bodies": {"page.html": page},
        "assets": {},
        **instants,
    }
    return {
        "piquet_decision": 1, "campaign": "test", "revision": 1, "timezone": "UTC", "languages": ["fr"],
        "phases": [phase], "sites": {"*": "in"}, "doors": {"paths": [], "networks": [], "bypass": False},
        "limits": {"max_block_s": 86400, "max_share_percent": 100},
    }  # fmt: skip


@pytest.fixture
def raw(host: FolderHost, keys: dict[str, Path]) -> Raw:
    """A hooked host where two of three of the assembly are pinned."""
    made = Raw(host, keys)
    host.hook()
    assert made.trust(made.signers("alice", "bob", "carol")).is_changed
    return made


def codes(outcome: Outcome) -> list[str]:
    """Of what refuses."""
    return [finding.code for finding in outcome.findings if finding.severity == "error"]


def test_what_two_of_three_decided_is_armed_shown_stopped_and_armed_again(raw: Raw) -> None:
    """Rollback asks for no signature, and after it arm is enough."""
    digest = raw.stage("alice", "bob")
    assert raw.host.good("arm", plan_digest=digest).is_changed and raw.host.is_ours()
    assert raw.host.good("rollback").is_changed and not raw.host.is_ours()
    assert raw.host.good("arm", plan_digest=digest).is_changed and raw.host.is_ours()
    raw.host.good("rollback")


def test_what_nobody_decided_is_refused(raw: Raw) -> None:
    """No decision, no signature, one of two, a stranger's, and two over another decision."""
    digest, members = raw.host.bundle()
    raw.host.good("stage", members, plan_digest=digest)
    raw.refused(digest, "not-decided")
    for by in ((), ("alice",), ("mallory", "alice")):
        raw.refused(raw.stage(*by), "not-decided")
    raw.refused(raw.stage("alice", "bob", over=b"something else\n"), "not-decided")


def test_own_signers_in_the_payload_count_for_nothing(raw: Raw) -> None:
    """Neither a list that comes along with stage, nor a pin of one's own without those who are pinned."""
    mine = raw.signers("mallory", threshold=1)
    before = raw.host.tree()
    for by in ((), ("mallory",), ("alice",), ("alice", "mallory")):
        assert codes(raw.trust(mine, *by)) == ["not-agreed"]
    assert codes(raw.trust(mine, "alice", "bob", namespace=STOP_NAMESPACE)) == ["not-agreed"]
    assert before == raw.host.tree()
    raw.refused(raw.stage("mallory"), "not-decided")


def test_signers_are_changed_by_those_who_are_pinned_or_by_root(raw: Raw) -> None:
    """Two of three agree to others, who then decide; and root deletes one file."""
    other = raw.signers("carol", "director")
    assert raw.trust(other, "alice", "bob").is_changed
    raw.refused(raw.stage("alice", "bob"), "not-decided")
    digest = raw.stage("carol", "director")
    assert raw.host.good("arm", plan_digest=digest, only_check=True).is_ok
    raw.host.paths.signers.unlink()
    assert raw.trust(raw.signers("mallory", threshold=1)).is_changed
    assert raw.host.journal()[-2:] == ["signers-deleted", "signers-pinned"]


def test_a_bad_list_is_refused_and_check_changes_nothing(raw: Raw) -> None:
    """Names of many, an empty role, other bytes of the same meaning."""
    before = raw.host.tree()
    good = raw.signers("alice", "bob", "carol")
    line = f"a@x,b@x {public_line(raw.keys['mallory'])}"
    bad = {"piquet_trust": 1, "roles": {"assembly": {"threshold": 1, "signers": [line]}}}
    for document in (b"", good + b"\n", canonical(bad), canonical({"piquet_trust": 1, "roles": {}})):
        assert codes(raw.host.ask("trust", {"trust.json": document})) == ["bad-signers"]
    assert not raw.trust(good).is_changed
    assert raw.host.ask("trust", {"trust.json": raw.signers("alice", "bob")}, check=True).is_changed is False
    assert before == raw.host.tree()


def test_staged_bytes_that_say_something_else(raw: Raw) -> None:
    """Right signatures over the decision, and a page, an hour or a site that it does not know."""
    raw.refused(raw.stage("alice", "bob", decided={"sites": {"www.a.test": "in"}}), "not-as-decided")
    raw.refused(raw.stage("alice", "bob", decided={"campaign": "other"}), "not-as-decided")
    _, members = raw.bundle()
    phase = json.loads(members["decision.json"])["phases"][0]
    other_page = {"phases": [{**phase, "bodies": {"page.html": "0" * 64}}]}
    raw.refused(raw.stage("alice", "bob", decided=other_page), "not-as-decided")
    other_hour = {"phases": [{**phase, "start": "2026-12-16T00:00:00Z"}]}
    raw.refused(raw.stage("alice", "bob", decided=other_hour), *["not-as-decided"] * 4)


def test_what_was_decided_last_month_does_not_come_back(raw: Raw) -> None:
    """Revision 1 was armed, then 2; a payload of the first, signatures and all, is refused. So is one that is over."""
    first = raw.bundle()
    raw.host.good("arm", plan_digest=raw.stage("alice", "bob"))
    raw.host.good("rollback")
    raw.host.good("arm", plan_digest=raw.stage("alice", "bob", decided={"revision": 2}))
    raw.host.good("rollback")
    assert first[0] == raw.stage("alice", "bob")
    raw.refused(first[0], "decision-superseded")
    again = raw.stage("alice", "bob", decided={"revision": 2})
    raw.host.now += 31 * 24 * HOUR_S
    raw.refused(again, "past")


def test_remove_leaves_who_may_decide(raw: Raw) -> None:
    """It asks for no signature, says so, and what is pinned still holds for whoever stages next."""
    raw.host.good("arm", plan_digest=raw.stage("alice", "bob"))
    outcome = raw.host.good("remove")
    assert [finding.code for finding in outcome.findings if finding.code == "signers-kept"] == [
        "signers-kept"
    ]
    assert not raw.host.is_ours() and raw.host.paths.signers.stat().st_mode & 0o777 == 0o600
    raw.host.hook()
    raw.refused(raw.stage("mallory"), "not-decided")
    assert codes(raw.trust(raw.signers("mallory", threshold=1))) == ["not-agreed"]


def test_one_signer_stops_what_is_armed_for_good(raw: Raw) -> None:
    """It is released at once; the same revision is not armed again, whatever is in it; the next one is, signed anew."""
    digest = raw.stage("alice", "bob")
    raw.host.good("arm", plan_digest=digest)
    assert raw.stop("carol", check=True).is_changed and raw.host.is_ours()
    assert raw.stop("carol").is_changed and not raw.host.is_ours()
    assert not raw.stop("alice").is_changed
    assert raw.host.journal()[-1] == "decision-stopped"
    raw.refused(digest, "decision-stopped")
    same_revision = raw.stage("alice", "bob", decided={"timezone": "Europe/Paris"})
    raw.refused(same_revision, "decision-superseded", "decision-stopped")
    raw.refused(raw.stage(decided={"revision": 2}), "not-decided")
    assert raw.host.good("arm", plan_digest=raw.stage("alice", "bob", decided={"revision": 2})).is_changed
    raw.host.good("rollback")


def test_a_stop_outlives_remove_and_reaches_a_host_before_arm(raw: Raw) -> None:
    """Kept by every host that it reaches, armed or not."""
    digest = raw.stage("alice", "bob")
    assert "not armed here" in raw.stop("bob").message
    raw.refused(digest, "decision-stopped")
    raw.host.good("remove")
    raw.host.hook()
    raw.refused(raw.stage("alice", "bob"), "decision-stopped")


def test_a_stop_of_something_else_stops_nothing_here(raw: Raw) -> None:
    """An old one again, one of another campaign: what is armed goes on."""
    raw.stage("alice", "bob")
    old = raw.stop("carol")
    assert old.is_changed
    raw.host.good("arm", plan_digest=raw.stage("alice", "bob", decided={"revision": 2}))
    for of in ({"revision": 1, "digest": "0" * 64}, {"campaign": "other", "digest": "1" * 64}):
        assert raw.stop("carol", **of).is_ok and raw.host.is_ours()
    raw.host.good("rollback")


def test_nobody_else_stops_a_decision(raw: Raw) -> None:
    """A stranger, a signer in the wrong namespace, words that are no stop, a host where nobody is pinned."""
    raw.host.good("arm", plan_digest=raw.stage("alice", "bob"))
    before = raw.host.tree()
    assert codes(raw.stop("mallory")) == ["stop-not-signed"]
    assert codes(raw.stop("alice", namespace=DECISION_NAMESPACE)) == ["stop-not-signed"]
    for document in (b"", b"{}\n", raw.host.paths.decision.read_bytes()):
        assert codes(raw.host.ask("stop", {"stop.json": document})) == ["not-stopped"]
    assert before == raw.host.tree() and raw.host.is_ours()
    raw.host.paths.signers.unlink()
    assert codes(raw.stop("alice")) == ["not-pinned"]
    raw.host.good("rollback")
