# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a strike has to end: both servers, each way."""

from __future__ import annotations

from piquet.fleet.model import Variant

from .cases import Case
from .kinds import Provider

CASES = (Case("GET", "/"), Case("POST", "/deep/er/missing"), Case("GET", "/.well-known/piquet.json"))


STATELESS = {
    "nginx": (
        "static",
        "proxy",
        "redirect-https",
        "auth-basic",
        "deny",
        "maintenance",
        "return-server",
        "error-pages",
        "wildcard",
        "well-known",
    ),
    "apache": (
        "static",
        "proxy-pass",
        "redirect-alias",
        "redirect-rewrite",
        "auth-basic",
        "denied",
        "front-controller",
        "error-document",
        "wildcard",
    ),
}


VARIANTS: list[tuple[Provider, Variant]] = [
    ("nginx", "include"),
    ("nginx", "lua"),
    ("apache", "rules"),
    ("apache", "lua"),
]
