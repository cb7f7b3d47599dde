# SPDX-License-Identifier: GPL-3.0-or-later
"""What a survey would say of a server that nobody surveyed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from piquet.fleet.model import Provider, ServerFacts
from piquet.servers.apache.facts import ApacheFacts
from piquet.servers.nginx.facts import NginxFacts
from piquet.servers.registry import SERVERS

_FACTS: Mapping[Provider, type[ServerFacts]] = {"nginx": NginxFacts, "apache": ApacheFacts}


def made_facts(
    provider: Provider, modules: frozenset[str] = frozenset(), version: str = "1", **more: Any
) -> ServerFacts:
    """A server that runs, is well, and goes the way that is always there."""
    kind = SERVERS[provider]
    usual = {"lua_version": "5.3"} if provider == "apache" else {}
    common = {"variant": kind.plain, **usual, **more}
    return _FACTS[provider](provider, version, kind.dropin_example, modules, True, "", True, **common)
