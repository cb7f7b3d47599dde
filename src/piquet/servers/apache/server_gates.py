# SPDX-License-Identifier: GPL-3.0-or-later
"""What an Apache tells by itself. No file, no network, no clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from piquet.protocol.findings import Finding
from piquet.servers.apache.facts import ApacheFacts


def apache_server_findings(host: str, server: ApacheFacts) -> Iterator[Finding]:
    """All of them, whatever a campaign asks of it."""
    yield from _canonical_name(host, server)
    yield from _quick_handler(host, server)
    yield from _trace(host, server)
    yield from _own_rules(host, server)
    yield from _without_banner(host, server)


def _canonical_name(host: str, server: ApacheFacts) -> Iterator[Finding]:
    if server.use_canonical_name:
        message = "UseCanonicalName is on: an alias shows what its vhost's main name shows"
        yield Finding("warning", "use-canonical-name", host, message, "UseCanonicalName Off", "On")


def _quick_handler(host: str, server: ApacheFacts) -> Iterator[Finding]:
    if server.quick_handler_cache:
        message = "mod_cache answers before everything else: pages that it holds are not blocked"
        yield Finding("warning", "quick-handler-cache", host, message, "CacheQuickHandler off", "on")


def _trace(host: str, server: ApacheFacts) -> Iterator[Finding]:
    if server.trace:
        message = "TraceEnable is on: the echo of a TRACE request shows a header of ours"
        yield Finding("warning", "trace-enabled", host, message, "TraceEnable Off", "On")


def _own_rules(host: str, server: ApacheFacts) -> Iterator[Finding]:
    """By rules; the quick handler of Lua comes before all of them."""
    if server.is_by_lua:
        return
    if server.own_rules_first:
        message = (
            "by RewriteOptions own rules come first, and those that answer ([R], [G], [F]) win over a block"
        )
        hint = "set piquet_apache to lua, or have their owner take IgnoreInherit, Inherit or InheritDown out"
        got = ", ".join(sorted(server.own_rules_first))
        yield Finding("warning", "ignore-inherit", host, message, got=got, hint=hint)
    if server.server_rules:
        message = "rewrite rules or maps stand outside of every virtual host; with ours, these would inherit them too"
        hint = "move them into the virtual host that they are for; until then own rules that answer win over a block"
        yield Finding("warning", "server-level-rules", host, message, hint=hint)


def before_and_behind_ours(host: str, server: ApacheFacts) -> Iterator[Finding]:
    """Modules that answer before anything of ours, or judge what we answer; a plan says it of its own sites."""
    if server.https_first:
        message = "mod_md sends plain requests to https before anything of ours: their http is not on strike"
        hint = "MDRequireHttps off for as long as the campaign lasts; https shows what it must"
        got = ", ".join(sorted(server.https_first))
        yield Finding("warning", "https-first", host, message, "MDRequireHttps off", got, hint)
    if server.filtered:
        message = "mod_security2 judges answers by its own rules: it may make a 403 of our 503, unless that is by Lua"
        hint = "set piquet_apache to lua; only verify --during can see it"
        got = ", ".join(sorted(server.filtered))
        yield Finding("info", "answers-filtered", host, message, "SecRuleEngine Off", got, hint)


_BARRING: Mapping[str, tuple[str, str]] = {
    "substitutes": ("own-substitute", "mod_substitute is used by a site itself and would act twice"),
    "recached": (
        "own-lifetime",
        "an <If> within others of a site itself says how long pages are kept, after our no-store",
    ),
    "retyped": (
        "own-type",
        "a Header of a site itself makes another type of a page, after the banner is in it",
    ),
    "stores_no_store": ("own-store", "mod_cache stores for a site what it is asked not to store"),
}
"""Fact → the finding for the virtual hosts that it names."""


def _without_banner(host: str, server: ApacheFacts) -> Iterator[Finding]:
    hint = "its owner can take it out for as long as the banner is on; a block needs no change"
    for fact, (code, message) in _BARRING.items():
        if names := sorted(getattr(server, fact)):
            told = f"{message}, so no banner is shown there"
            yield Finding("warning", code, host, told, got=", ".join(names), hint=hint)
