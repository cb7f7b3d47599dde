# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the files beside the code are: templates, the example, the collection; in a checkout or in the wheel."""

from __future__ import annotations

from pathlib import Path

_COLLECTION = "ansible_collections/piquet/fleet"


def root() -> Path:
    """The folder that holds `templates/`, `deploys/` and `inventory.example/`: the checkout, or what the wheel brought.

    Raises:
        FileNotFoundError: neither a checkout nor a complete installation surrounds this package.
    """
    package = Path(__file__).resolve().parent
    for candidate in (package / "_data", package.parents[1]):
        if (candidate / "templates").is_dir():
            return candidate
    raise FileNotFoundError(f"piquet's templates are missing beside {package}: reinstall the package")


def templates() -> Path:
    """The folder of Jinja templates."""
    return root() / "templates"


def example_campaign() -> Path:
    """The folder of the example's `campaign.yml` and pages."""
    return root() / "inventory.example" / "campaign"


def collection() -> Path:
    """The collection with `roles/`, `playbooks/`, `plugins/`; beside an installed package, where Ansible finds it."""
    found = root()
    return found if (found / "galaxy.yml").is_file() else found.parents[1] / _COLLECTION
