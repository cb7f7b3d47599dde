# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the campaign is if nobody says: the one rule, the roles' own, for every command."""

from __future__ import annotations

from pathlib import Path

import click

from piquet.fleet.inventory import default_workdir

DEFAULT = Path("campaign") / "campaign.yml"
CAMPAIGN_ARGUMENT = click.argument(
    "campaign", type=click.Path(path_type=Path, dir_okay=False), required=False
)


def campaign_file(given: Path | None, inventory: str | None = None) -> Path:
    """What was given, else `campaign/campaign.yml` beside the inventory, or in this folder where there is none."""
    if given is not None:
        return given
    return (default_workdir(inventory).parent if inventory else Path()) / DEFAULT
