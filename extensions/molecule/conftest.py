# SPDX-License-Identifier: GPL-3.0-or-later
"""What the verifier's tests share: a visitor, the host's files, the agent's word, and what the steps before reported.

molecule runs them with pytest, one run per `verify` of a sequence, a host at a time over its own inventory. They are
no part of `script/test`'s own collection: tests/molecule runs whole scenarios.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

from tests.conftest import pytest_make_collect_report, pytest_runtest_makereport

__all__ = ["pytest_make_collect_report", "pytest_runtest_makereport"]  # here, too, a skip is a failure

RUN = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
SCENARIO = RUN / "piquet" / os.environ["MOLECULE_SCENARIO_NAME"]
SITES = ("shop", "blog")
LEFT_OUT = "hotline"
OURS = ("/etc/piquet", "/var/lib/piquet", "/var/spool/piquet", "/run/piquet", "/usr/local/sbin/piquet-host")
_TREES = "/etc /srv /usr/local /var/www /var/lib/piquet /var/spool/piquet /run/piquet"
_FILES = (
    f"find {_TREES} -not -type d -printf '%p\\t%y\\t%m\\t%u\\t%g\\t%l\\n' 2>/dev/null | sort; "
    f"find {_TREES} -type f -exec sha256sum {{}} + 2>/dev/null | sort -k 2"
)


@dataclass(frozen=True)
class Answer:
    """What a visitor got."""

    status: int
    headers: Mapping[str, str]
    body: str

    @property
    def is_ours(self) -> bool:
        """Whether piquet answered; anybody can answer 503."""
        return "x-piquet" in self.headers


@dataclass(frozen=True)
class Step:
    """One run of ansible-playbook.

    Attributes:
        is_check: in check mode.
        changed: host → number of changes that it reported.
    """

    is_check: bool
    changed: Mapping[str, int]


@pytest.fixture
def visit(host: Host) -> Callable[[str], Answer]:
    """Ask this host for the front page of a site, from outside."""
    address = host.ansible.get_variables()["ansible_host"]

    def get(site: str) -> Answer:
        connection = http.client.HTTPConnection(address, timeout=20)
        try:
            connection.request("GET", "/", headers={"Host": f"{site}.molecule.example"})
            response = connection.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, headers, response.read().decode())
        finally:
            connection.close()

    return get


@pytest.fixture
def status(host: Host) -> Callable[[], dict[str, Any]]:
    """Ask the agent on this host what it is in."""
    return lambda: json.loads(host.check_output("/usr/local/sbin/piquet-host status --json"))


@pytest.fixture
def files(host: Host) -> dict[str, str]:
    """Path → type, mode, owner, target and digest of every file that piquet or an owner could have touched."""
    found: dict[str, str] = {}
    for line in host.check_output(_FILES).splitlines():
        path, _, rest = line.partition("\t") if "\t" in line else line.partition("  ")[::-1]
        found[path] = f"{found.get(path, '')}{rest} "
    assert len(found) > 100, "a host has more files than that"
    return found


@pytest.fixture
def kept(host: Host) -> Callable[[str], Path]:
    """A file of this scenario and host, in which one `verify` leaves something for a later one."""
    SCENARIO.mkdir(parents=True, exist_ok=True)
    return lambda name: SCENARIO / f"{name}-{host.backend.get_hostname()}.json"


@pytest.fixture(scope="session")
def steps() -> list[Step]:
    """Every run of Ansible so far, in order, as its log tells."""
    text = (RUN / "ansible.log").read_text("utf-8")
    runs = re.split(r"\| PLAY RECAP", text)
    return [_step(before, after) for before, after in itertools.pairwise(runs)]


def _step(before: str, after: str) -> Step:
    begin = before.rpartition("changed=")[2]
    recap = after.partition("| PLAY ")[0]
    rows = re.findall(r"\| (\S+) +: ok=\d+ +changed=(\d+)", recap)
    return Step("[CHECK MODE]" in begin, {host: int(count) for host, count in rows})
