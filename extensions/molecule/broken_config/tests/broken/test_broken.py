# SPDX-License-Identifier: GPL-3.0-or-later
"""The owner's mistake is there, the servers run on with what they had."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from testinfra.host import Host


def test_the_configuration_fails_its_own_test(
    host: Host, files: dict[str, str], kept: Callable[[str], Path]
) -> None:
    """Otherwise nothing that follows would mean anything; the files are kept, to be compared."""
    provider = "nginx" if host.service("nginx").is_running else "apache"
    assert host.run({"nginx": "nginx -t", "apache": "apache2ctl configtest"}[provider]).failed
    kept("broken").write_text(json.dumps(files), "utf-8")
