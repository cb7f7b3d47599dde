# SPDX-License-Identifier: GPL-3.0-or-later
"""Before anything was done, or after check mode only."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from testinfra.host import Host

from extensions.molecule.conftest import LEFT_OUT, OURS, SITES, Answer


def test_nothing_of_ours_is_there(host: Host, files: dict[str, str], kept: Callable[[str], Path]) -> None:
    """Neither a file nor a line; what is there is kept, to be compared with the end."""
    assert [path for path in OURS if host.file(path).exists] == []
    assert [path for path in files if "piquet" in path] == []
    assert host.run("grep -rl piquet /etc/nginx /etc/apache2").stdout == ""
    kept("files").write_text(json.dumps(files), "utf-8")


@pytest.mark.parametrize("site", [*SITES, LEFT_OUT])
def test_every_site_is_as_its_owner_made_it(visit: Callable[[str], Answer], site: str) -> None:
    """What no step must change before the start, and after the end."""
    answer = visit(site)
    assert (answer.status, answer.body) == (200, f"the usual page of {site}\n")
