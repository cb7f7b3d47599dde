# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server tells that shows something, whatever the campaign asks of it. No file, no network, no clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from piquet.fleet.model import ServerFacts
from piquet.protocol.findings import Finding
from piquet.protocol.modules import NEEDED

MAX_LATE_MS = 100
"""All hosts of a fleet begin and end within so much of each other."""


def _config(host: str, server: ServerFacts) -> Iterator[Finding]:
    if not server.test_ok:
        message = f"the configuration of {server.provider} fails its own test, before anything of ours"
        got = " ".join(server.test_output.split())[-300:]
        yield Finding(
            "error", "config-broken", host, message, got=got, hint="have the owner mend it, then survey again"
        )


def _dropin(host: str, server: ServerFacts) -> Iterator[Finding]:
    if not server.dropin_dir:
        message = f"{server.provider} includes no folder of drop-in files at its top level"
        folder = "/etc/nginx/conf.d" if server.provider == "nginx" else "/etc/apache2/conf-enabled"
        yield Finding("error", "no-dropin-folder", host, message, f"such as {folder}/*.conf")


def _modules(host: str, server: ServerFacts) -> Iterator[Finding]:
    missing = [name for name in NEEDED[server.provider] if name not in server.modules]
    if missing:
        enable = " ".join(name.removesuffix("_module") for name in missing)
        hint = "use a build that has them"
        if server.provider == "apache":
            hint = f"a2enmod {enable} and a reload; never done by us, as <IfModule> sections would wake up"
        message = f"{server.provider} runs without modules that the configuration needs"
        yield Finding("error", "module-missing", host, message, ", ".join(missing), hint=hint)


def _canonical_name(host: str, server: ServerFacts) -> Iterator[Finding]:
    if server.use_canonical_name:
        message = "UseCanonicalName is on: an alias shows what its vhost's main name shows"
        yield Finding("warning", "use-canonical-name", host, message, "UseCanonicalName Off", "On")


def _timer_resolution(host: str, server: ServerFacts) -> Iterator[Finding]:
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


def _quick_handler(host: str, server: ServerFacts) -> Iterator[Finding]:
    if server.quick_handler_cache:
        message = "mod_cache answers before everything else: pages that it holds are not blocked"
        yield Finding("warning", "quick-handler-cache", host, message, "CacheQuickHandler off", "on")


SERVER_GATES: tuple[Callable[[str, ServerFacts], Iterator[Finding]], ...] = (
    _config,
    _dropin,
    _modules,
    _canonical_name,
    _timer_resolution,
    _quick_handler,
)
