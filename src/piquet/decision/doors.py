# SPDX-License-Identifier: GPL-3.0-or-later
"""What stays open, each door once: a door inside a wider one opens nothing more. No file, no network, no clock."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from typing import Any

from piquet import answers
from piquet.campaign.model import Doors


def decided_doors(doors: Doors) -> dict[str, Any]:
    """Paths and networks without those that others hold, sorted; and whether there is a link for testers."""
    return {
        "paths": sorted(_widest_paths(doors.paths)),
        "networks": sorted(_collapsed_networks(doors.networks)),
        "bypass": doors.bypass,
    }


def _widest_paths(paths: Iterable[str]) -> Iterator[str]:
    own = set(paths)
    for path in own:
        others = Doors(tuple(own - {path}))
        if not re.match(answers.door_pattern(others), path):
            yield path


def _collapsed_networks(networks: Iterable[str]) -> Iterator[str]:
    found = [ipaddress.ip_network(network) for network in networks]
    v4 = [network for network in found if isinstance(network, ipaddress.IPv4Network)]
    v6 = [network for network in found if isinstance(network, ipaddress.IPv6Network)]
    yield from map(str, ipaddress.collapse_addresses(v4))
    yield from map(str, ipaddress.collapse_addresses(v6))
