# SPDX-License-Identifier: GPL-3.0-or-later
"""Removed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from testinfra.host import Host

from extensions.molecule.conftest import LEFT_OUT, OURS, SITES, Answer


def test_nothing_is_left(host: Host, files: dict[str, str], kept: Callable[[str], Path]) -> None:
    """No file of ours, and every foreign one with the bytes, mode and owner that it had."""
    assert [path for path in OURS if host.file(path).exists] == []
    assert json.loads(kept("files").read_text("utf-8")) == files


@pytest.mark.parametrize("site", [*SITES, LEFT_OUT])
def test_every_site_is_as_its_owner_made_it(visit: Callable[[str], Answer], site: str) -> None:
    """As before."""
    answer = visit(site)
    assert (answer.status, answer.body) == (200, f"the usual page of {site}\n")
    assert not answer.is_ours
