# SPDX-License-Identifier: GPL-3.0-or-later
"""Apache's configuration as files in memory, included as a server would include them, for judges of its tree."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping

from piquet.host.servers.apache import text as apache_text
from piquet.host.servers.apache.tree import Statement

ROOT = "/etc/apache2"
MAIN = f"{ROOT}/apache2.conf"


def tree(texts: Mapping[str, str]) -> Statement:
    """The tree of files by their names below the root; what is not there is empty."""
    named = {f"{ROOT}/{name}.conf": text for name, text in texts.items()}

    def follow(pattern: str) -> list[str]:
        return sorted(fnmatch.filter(named, f"{ROOT}/{pattern}"))

    return apache_text.read_texts(MAIN, lambda name: named.get(name, ""), follow)
