# SPDX-License-Identifier: GPL-3.0-or-later
"""The page on packaged applications keeps up with what is installed and asked."""

from __future__ import annotations

import re
from pathlib import Path

from testbed import packaged

from .applications import APPLICATIONS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "packaged.md"


def rows(server: str) -> list[str]:
    """The packages in the table of one server."""
    section = PAGE.read_text("utf-8").partition(f"\n## {server}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| ([a-z0-9.-]+) \| (?!what its)", section, re.MULTILINE)


def test_every_configuration_has_its_row() -> None:
    """Each server's table names exactly the packages whose configuration is asked there."""
    for server in ("nginx", "Apache"):
        asked = [a.package for a in APPLICATIONS if a.provider == server.lower()]
        assert sorted(asked) == sorted(row for row in rows(server) if row != "package")


def test_every_installed_package_is_named() -> None:
    """No package of the image's list is without a word."""
    text = PAGE.read_text("utf-8")
    assert [] == [name for name in packaged.APPLICATIONS if not re.search(rf"(?<![a-z0-9-]){name}\b", text)]
