# SPDX-License-Identifier: GPL-3.0-or-later
"""A host on which `/usr/local`, or another folder of ours, is mounted read-only, as atomic systems have it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.host.codes import codes
from tests.host.folder_host import FolderHost


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Mounted over itself, without write access for anybody."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("name", ["usr/local", "etc/systemd", "etc/nginx/conf.d", "var/lib"])
def test_stage_refuses_before_the_first_write(host: FolderHost, name: str) -> None:
    """The folder is named, check mode says the same, and nothing is there that has to be put back."""
    host.hook()
    digest, members = host.bundle()
    (host.root / name).mkdir(parents=True, exist_ok=True)
    before = host.tree()
    with read_only(host.root / name):
        for options in ({"check": True}, {}):
            outcome = host.ask("stage", members, plan_digest=digest, **options)
            assert codes(outcome) == {"not-writable"}, [f.to_json() for f in outcome.findings]
            assert not outcome.is_changed
    assert host.tree() == before


def test_hook_refuses_before_the_first_write(host: FolderHost) -> None:
    """No vhost is touched where one cannot be."""
    survey = host.good("survey").survey
    assert survey is not None
    before = host.tree()
    with read_only(host.conf.parent / "sites-available"):
        outcome = host.ask("hook", files=survey["nginx"]["files"])
    assert "not-writable" in codes(outcome)
    assert host.tree() == before


def test_remove_tells_what_it_could_not_take_away(host: FolderHost) -> None:
    """The strike is over all the same; a second remove takes the rest."""
    host.arm()
    assert host.is_ours()
    with read_only(host.root / "usr/local"):
        outcome = host.ask("remove")
        assert not host.is_ours()
        left = {finding.subject: finding.got for finding in outcome.findings if finding.code == "left"}
        assert left == {str(host.paths.agent): "Read-only file system"}
    assert host.good("remove").is_changed
    assert not host.paths.agent.exists()
