# SPDX-License-Identifier: GPL-3.0-or-later
"""What the campaign's modes need of an Apache that shows them. No file, no network, no clock."""

from __future__ import annotations

from collections.abc import Iterator, Set

from piquet.campaign.model import Campaign
from piquet.pages.theme_files import ICON, TEXTS
from piquet.plan.model import HostPlan
from piquet.protocol.findings import Finding
from piquet.servers.apache.facts import LUA_INLINE, ApacheFacts
from piquet.servers.apache.modules import lacking_modules, loaded_modules
from piquet.servers.apache.site_gates import shown_of


def apache_mode_findings(
    campaign: Campaign, host_plan: HostPlan, shown: Set[int], server: ApacheFacts
) -> Iterator[Finding]:
    """What it lacks for the phases that are shown, and what stands in their way."""
    host, modes = host_plan.host, {phase.mode for phase in campaign.phases if phase.number in shown}
    if server.is_by_lua:
        yield from _lua(host_plan, server)
    else:
        yield from _text_only(campaign, host, shown)
    yield from _loads(campaign, host, server)
    yield from _keeps(host_plan, server)
    if "occupy" in modes and not server.is_by_lua:
        message = "without mod_lua Apache cannot put a page in the place of another"
        hint = _how_to_occupy(host_plan, server)
        yield Finding("error", "occupy-needs-lua", host, message, "lua", server.variant, hint)
    if "banner" in modes:
        yield from _banner(campaign, host, server)


def _lua(host_plan: HostPlan, server: ApacheFacts) -> Iterator[Finding]:
    host = host_plan.host
    if "setenvif_module" not in server.modules:
        message, hint = (
            "Apache runs without mod_setenvif, by which Lua is told what to do",
            "a2enmod setenvif",
        )
        yield Finding("error", "lua-needs-setenvif", host, message, "setenvif_module", hint=hint)
    if (server.has_lua or "lua_module" in server.loadable) and not _can_run(host_plan, server):
        message = "this mod_lua runs our code from a file only, and by cron nobody would notice in time that it is gone"
        hint = "set piquet_apache to rules; to occupy a page there leave the host out, or that phase"
        expected, got = f"systemd, or Lua {' or '.join(LUA_INLINE)}", f"Lua {server.lua_version or '?'}, cron"
        yield Finding("error", "lua-unwatched", host, message, expected, got, hint)
    if server.has_lua:
        return
    if "lua_module" not in server.loadable:
        message, hint = "Apache's mod_lua is not there", "install it, or set piquet_apache to rules"
        yield Finding("error", "lua-missing", host, message, "mod_lua.so", "piquet_apache: lua", hint)
    elif "lua_module" in server.conditional:
        message = "some section of Apache's configuration waits for mod_lua, and loading it would wake that"
        hint = "have its owner load mod_lua, or set piquet_apache to rules"
        yield Finding("error", "lua-awaited", host, message, hint=hint)


def _loads(campaign: Campaign, host: str, server: ApacheFacts) -> Iterator[Finding]:
    """Modules that our own file loads: the configuration does not wait for them, but an `.htaccess` may."""
    if loads := loaded_modules(campaign, server):
        message = "our own file loads modules; some .htaccess may hold an <IfModule> that waits for one"
        got = ", ".join(name for name, _ in loads)
        yield Finding("info", "modules-loaded", host, message, got=got)


def _keeps(host_plan: HostPlan, server: ApacheFacts) -> Iterator[Finding]:
    """What a site says of caches, in the way in which it reaches our answers."""
    host, is_lua = host_plan.host, server.is_by_lua
    if is_lua and (names := shown_of(host_plan, server.provider, server.stores_no_store)):
        message = "mod_cache stores what it is asked not to store, and would show our answers beyond the end"
        hint = "have its owner switch it off, or leave these sites out; piquet_apache: rules will do, but not to occupy"
        got = f"On for {', '.join(names)}"
        yield Finding(
            "error", "stores-no-store", host, message, "CacheStoreNoStore Off", got, hint, tuple(names)
        )
    if not is_lua and (names := shown_of(host_plan, server.provider, server.recached)):
        message = "what a site says of caches in an <If> within others stands on our answers too"
        hint = "set piquet_apache to lua, have its owner say it in a single <If>, or leave these sites out"
        got = ", ".join(names)
        yield Finding("error", "answers-kept", host, message, got=got, hint=hint, sites=tuple(names))


def _text_only(campaign: Campaign, host: str, shown: Set[int]) -> Iterator[Finding]:
    """The rules send files as text, which holds no picture and no font."""
    blocks = {phase.number for phase in campaign.phases if phase.mode == "block"} & shown
    has_own = bool(campaign.theme.files.keys() - {*TEXTS, ICON})
    lacking = sorted(blocks if has_own else blocks & campaign.illustrated)
    if lacking:
        message = "Apache by rules sends text only: in the place of the pictures of a block stand their words"
        got = f"pictures or fonts in phase {', '.join(map(str, lacking))}"
        hint = "set piquet_apache to lua for it, or see to it that the page is whole without them"
        yield Finding("warning", "block-without-pictures", host, message, "text", got, hint)


def _banner(campaign: Campaign, host: str, server: ApacheFacts) -> Iterator[Finding]:
    if lacks := lacking_modules(campaign, server):
        enable = " ".join(name.removesuffix("_module") for name in lacks)
        message = "Apache runs without modules that put the banner into pages, and ours to load they are not"
        hint = f"a2enmod {enable} and a reload"
        yield Finding("error", "banner-needs-module", host, message, ", ".join(lacks), hint=hint)


def _how_to_occupy(host_plan: HostPlan, server: ApacheFacts) -> str:
    if server.lua_version and not _can_run(host_plan, server):
        return "its mod_lua runs our code from a file only, which nobody watches by cron: leave the phase out"
    return "set piquet_apache to lua for it: our own file then loads mod_lua where it is not loaded"


def _can_run(host_plan: HostPlan, server: ApacheFacts) -> bool:
    """Our code stands in the configuration, or in a file after which systemd looks."""
    return server.takes_lua_inline or host_plan.scheduler == "systemd"
