# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server tells, whatever a campaign asks of it: the survey shows it too. No file, no network, no clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from piquet.fleet.choices import is_taken
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
    if missing and server.test_ok:  # under a broken configuration Apache names no module at all
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


def _flag_cache(host: str, server: ServerFacts) -> Iterator[Finding]:
    if server.flag_lag_s:
        message = "open_file_cache hides from nginx that a flag is gone, so every release also reloads"
        yield Finding("warning", "open-file-cache", host, message, got=f"{server.flag_lag_s} s")


def _early_lua(host: str, server: ServerFacts) -> Iterator[Finding]:
    if is_taken(server):
        message = "server_rewrite_by_lua is the owner's: it acts before the hook, and what it answers wins over a block"
        yield Finding("warning", "own-server-rewrite", host, message)


def _trace(host: str, server: ServerFacts) -> Iterator[Finding]:
    if server.trace:
        message = "TraceEnable is on: the echo of a TRACE request shows a header of ours"
        yield Finding("warning", "trace-enabled", host, message, "TraceEnable Off", "On")


def _own_rules(host: str, server: ServerFacts) -> Iterator[Finding]:
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


def _before_and_behind_ours(host: str, server: ServerFacts) -> Iterator[Finding]:
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


def _without_banner(host: str, server: ServerFacts) -> Iterator[Finding]:
    hint = "its owner can take it out for as long as the banner is on; a block needs no change"
    for fact, (code, message) in _BARRING.items():
        if names := sorted(getattr(server, fact)):
            told = f"{message}, so no banner is shown there"
            yield Finding("warning", code, host, told, got=", ".join(names), hint=hint)


_GATES: tuple[Callable[[str, ServerFacts], Iterator[Finding]], ...] = (
    _config,
    _dropin,
    _modules,
    _canonical_name,
    _timer_resolution,
    _quick_handler,
    _early_lua,
    _trace,
    _own_rules,
    _without_banner,
)
_OF_SITES = (_flag_cache, _before_and_behind_ours)
"""What a plan says more exactly, of its own sites alone."""


def server_findings(host: str, server: ServerFacts, *, is_planned: bool = True) -> Iterator[Finding]:
    """All that a server tells by itself, without what a plan says of its own sites where there is one."""
    for gate in _GATES if is_planned else (*_GATES, *_OF_SITES):
        yield from gate(host, server)
