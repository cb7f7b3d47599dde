# SPDX-License-Identifier: GPL-3.0-or-later
"""What the wheel holds besides the package: templates, the example, the collection, as `pyproject.toml` lists them.

An editable install gets none of it: a copy there would hide the checkout's own files, and grow old.
"""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class BesideThePackage(BuildHookInterface):
    """Adds files to a standard wheel; hatchling finds it by its base class."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before each build; `version` is `standard` or `editable`."""
        if version == "standard":
            build_data["force_include"].update(self.config["beside"])
