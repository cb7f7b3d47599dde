# SPDX-License-Identifier: GPL-3.0-or-later
"""What an nginx tells by itself. No file, no network, no clock."""

from __future__ import annotations

from collections.abc import Iterator

from piquet.plan.gates.words import some
from piquet.protocol.findings import Finding
from piquet.servers.nginx.facts import NginxFacts

MAX_LATE_MS = 100
"""All hosts of a fleet begin and end within so much of each other."""


def timer_resolution(host: str, server: NginxFacts) -> Iterator[Finding]:
    """The lease is asked of nginx's own clock, which then moves at ticks only."""
    if not server.timer_resolution_ms:
        return
    message = (
        "timer_resolution is set: nginx's clock stands still meanwhile, so starts and ends come that late"
    )
    expected, got = f"at most {MAX_LATE_MS} ms", f"{server.timer_resolution_ms} ms"
    hint = f"have its owner take it out of nginx.conf, or set {MAX_LATE_MS}ms, and reload; then survey again"
    if server.timer_resolution_ms > MAX_LATE_MS:
        yield Finding("error", "timer-resolution", host, message, expected, got, hint)
    else:
        yield Finding("warning", "timer-resolution", host, message, got=got)


def own_early_lua(host: str, server: NginxFacts) -> Iterator[Finding]:
    """What acts before the hook, wherever that stands."""
    if server.is_lua_taken:
        message = "server_rewrite_by_lua is the owner's: it acts before the hook, and what it answers wins over a block"
        yield Finding("warning", "own-server-rewrite", host, message)


def panel_rebuilds(host: str, server: NginxFacts) -> Iterator[Finding]:
    """By the hook line, what a hosting panel takes out again when it writes its server blocks anew."""
    for panel in server.panels if server.needs_hook else ():
        if not panel.is_used:
            message = (
                f"{panel.title} writes its server blocks anew, and a hook line in them is gone with that"
            )
            hint = (
                f"have its owner put the line of `piquet hook --print` into {panel.place}, before anything that "
                f"redirects; else nobody may run this between hook and the end: {panel.rebuild}"
            )
            yield Finding("warning", "panel-rebuilds", host, message, hint=hint)
        elif panel.apart:
            message = (
                f"in server blocks of {panel.title} the hook line cannot come from {panel.place}: that is not in them, "
                "or something answers before it; it goes into the blocks themselves"
            )
            got = some([f"{block} ({', '.join(before) or 'no place'})" for block, before in panel.apart])
            hint = f"once this was run, these answer by themselves until hook and arm: {panel.rebuild}"
            yield Finding("warning", "panel-place", host, message, got=got, hint=hint)


def flag_cache(host: str, server: NginxFacts) -> Iterator[Finding]:
    """What it may go on seeing after a release."""
    if server.flag_lag_s:
        message = "open_file_cache hides from nginx that a flag is gone, so every release also reloads"
        yield Finding("warning", "open-file-cache", host, message, got=f"{server.flag_lag_s} s")
