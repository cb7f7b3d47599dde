# SPDX-License-Identifier: GPL-3.0-or-later
"""Armed, inside the window."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from extensions.molecule.conftest import LEFT_OUT, SITES, Answer


@pytest.mark.parametrize("site", SITES)
def test_a_selected_site_is_on_strike(visit: Callable[[str], Answer], site: str) -> None:
    """A 503 that is ours, in the first language, not to be kept by anybody, and with an end."""
    answer = visit(site)
    assert (answer.status, answer.headers.get("x-piquet")) == (503, "molecule/1/block")
    assert (answer.headers["content-language"], answer.headers["cache-control"]) == ("fr", "no-store")
    assert "en grève" in answer.body and answer.headers["retry-after"].endswith(" GMT")


def test_another_site_is_as_usual(visit: Callable[[str], Answer]) -> None:
    """What the campaign leaves out is not touched."""
    answer = visit(LEFT_OUT)
    assert (answer.status, answer.body) == (200, f"the usual page of {LEFT_OUT}\n") and not answer.is_ours


def test_the_agent_says_so(status: Callable[[], dict[str, Any]]) -> None:
    """Armed, live, and inside the window by the host's own clock."""
    now = status()
    (phase,) = now["phases"]
    assert (now["state"], now["live"]) == ("armed", True)
    assert phase["start"] <= now["now"] < phase["end"]
