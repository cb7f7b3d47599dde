# SPDX-License-Identifier: GPL-3.0-or-later
"""What the wheel holds besides the package: templates, the example, the collection, as `pyproject.toml` lists them.

An editable install gets none of it: a copy there would hide the checkout's own files, and grow old.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

LEFT_OUT = frozenset({"__pycache__", "bypass.key", "pages.key"})
"""Like everything hidden (`.piquet` holds surveys and bundles): traces of use, and the testers' secret."""


class BesideThePackage(BuildHookInterface):
    """Adds files to a standard wheel; hatchling finds it by its base class."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before each build; `version` is `standard` or `editable`."""
        if version != "standard":
            return
        for source, target in self.config["beside"].items():
            for file in chosen(Path(self.root), source):
                place = file.relative_to(Path(self.root, source))
                build_data["force_include"][str(file)] = str(Path(target) / place)


def chosen(root: Path, source: str) -> Iterator[Path]:
    """The files of one entry, sorted; what is hidden or left out stays where it is."""
    start = root / source
    files = sorted(path for path in start.rglob("*") if path.is_file()) if start.is_dir() else [start]
    for file in files:
        parts = file.relative_to(root).parts
        if not any(part.startswith(".") or part in LEFT_OUT for part in parts):
            yield file
