# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole campaign on a host with a tiny server, by a package that knows one. Run by `test_third_server`.

Usage: course.py ROOT
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from piquet.bundle import build_bundles
from piquet.campaign.model import Selection
from piquet.controller.prepare import Prepared
from piquet.controller.survey import survey_text
from piquet.decision.document import decision_document
from piquet.decision.mandate import MandateState
from piquet.decision.signed_folder import SignedDecision
from piquet.fleet.read import read_fleet
from piquet.host.system.platforms import Packaged
from piquet.plan import make_plan, plan_digest, plan_document, raise_if_unsafe
from piquet.protocol.decision import read_decision
from piquet.servers.registry import SERVERS
from tests.host.folder_host import FolderHost
from tests.ports import free_ports
from tests.render.samples import CAMPAIGN, KEY, PHASE, pages
from tests.running import running

STRUCK, SPARED = "www.tiny.example", "urgences.tiny.example"


class TinyBox(FolderHost):
    """A host whose only running server is a tiny one; its clock is the real one."""

    def __init__(self, root: Path) -> None:
        """Lay the server out."""
        super().__init__(root)
        (self.tiny_port,) = free_ports(1)
        for folder in ("etc/tiny/conf.d", "run"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        sites = "".join(f'{{"site": "{name}", "page": "{name}"}}\n' for name in (STRUCK, SPARED))
        (root / "etc/tiny/tiny.conf").write_text(f'{{"listen": {self.tiny_port}}}\n{sites}')
        self.program = (sys.executable, str(Path(__file__).with_name("tinyd.py")), str(root))
        as_packaged = Packaged(
            self.program,
            (*self.program, "reload"),
            "/etc/tiny/tiny.conf",
            "/run/tiny.pid",
            "/etc/tiny/conf.d",
        )
        self.platform = replace(self.platform, packaged={**self.platform.packaged, "tiny": as_packaged})

    @contextmanager
    def serving(self) -> Iterator[None]:
        """The server at work."""
        with running([*self.program, "serve"]) as server:
            while not (self.root / "run/tiny.pid").exists():
                assert server.poll() is None, "it ended by itself"
                time.sleep(0.02)
            yield

    def at_once(self, verb: str, members: dict[str, bytes] | None = None, **document: Any) -> Any:
        """A verb, now; it must succeed."""
        self.now = time.time()
        return self.good(verb, members, **document)

    def status(self, name: str) -> tuple[int, str | None]:
        """Of an answer, with our header."""
        connection = HTTPConnection("127.0.0.1", self.tiny_port, timeout=5)
        connection.request("GET", "/", headers={"Host": name})
        answer = connection.getresponse()
        connection.close()
        return answer.status, answer.getheader("X-Piquet")


def prepared(survey: dict[str, Any], pace: timedelta) -> Prepared:
    """Plan and bundle, as every command makes them: a window as long as the time until it begins."""
    start_at = datetime.now(UTC).replace(microsecond=0) + pace
    phase = replace(PHASE, start_at=start_at, end_at=start_at + pace)
    sites = Selection((STRUCK,), (), {})
    campaign = replace(CAMPAIGN, phases=(phase,), sites=sites, doors=replace(CAMPAIGN.doors, bypass=False))
    variables = {"ansible_host": "192.0.2.1", "piquet_scheduler": "cron"}
    fleet = read_fleet({"host": variables}, {"host": {**survey, "skew_s": 0.0}}, SERVERS)
    plan = make_plan(campaign, fleet, datetime.now(UTC), SERVERS)
    raise_if_unsafe(plan)
    bundles = build_bundles(plan, pages(), None, KEY)
    decided = decision_document(campaign, pages())
    signed = SignedDecision(read_decision(decided), decided, {})
    manifests = {bundle.host: bundle.manifest_sha256 for bundle in bundles}
    document = plan_document(plan, manifests, signed.decision.digest)
    mandate = MandateState(campaign, signed.decision.digest)
    return Prepared(plan, document, plan_digest(document), bundles, signed, mandate)


def main(root: Path) -> None:
    """From survey to remove."""
    host = TinyBox(root)
    usual = {STRUCK: (200, None), SPARED: (200, None)}
    with host.serving(), host.cron():
        asked_at = time.monotonic()
        survey = host.at_once("survey").survey
        pace = timedelta(seconds=3 + int(20 * (time.monotonic() - asked_at)))  # a slow machine needs longer
        assert "tiny 1, running, test passes, 2 virtual hosts, 2 names, by lines" in survey_text(
            "host", survey
        )
        before = host.tree()
        made = prepared(survey, pace)
        (phase,), (bundle,) = made.plan.campaign.phases, made.bundles
        host.at_once("stage", made.members(bundle), plan_digest=made.digest)
        assert usual == {name: host.status(name) for name in usual}
        host.at_once("arm", plan_digest=made.digest)
        assert usual == {name: host.status(name) for name in usual}, "seen before its hour"
        time.sleep(max(0.0, phase.start_at.timestamp() + 0.5 - time.time()))
        assert {STRUCK: (503, "greve/1/block"), SPARED: (200, None)} == {n: host.status(n) for n in usual}
        time.sleep(max(0.0, phase.end_at.timestamp() + 0.2 - time.time()))
        assert usual == {name: host.status(name) for name in usual}, "it ends by itself"
        host.at_once("remove")
        assert before == host.tree()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
