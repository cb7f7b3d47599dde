# SPDX-License-Identifier: GPL-3.0-or-later
"""What the campaign's modes need of a server that shows them. No file, no network, no clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set

from piquet.campaign.model import Campaign, Mode
from piquet.fleet.choices import altering, is_taken, keeping
from piquet.fleet.model import ServerFacts
from piquet.pages.theme_files import ICON, TEXTS
from piquet.plan.capabilities import Capabilities, capabilities
from piquet.plan.gates.apache import apache_findings, shown_of
from piquet.plan.model import HostPlan
from piquet.protocol.findings import Finding

_BY_INCLUDE = "set piquet_nginx to include for it, and hook it"
_FILTERS = ("header_filter_by_lua", "body_filter_by_lua")


def answer_findings(campaign: Campaign, host_plan: HostPlan, server: ServerFacts) -> Iterator[Finding]:
    """What a server lacks for its own sites' phases, and what stands in their way."""
    shown = {n for entry in host_plan.entries if entry.provider == server.provider for n in entry.phases}
    modes = {phase.mode for phase in campaign.phases if phase.number in shown}
    means = capabilities(campaign, server)
    if server.variant == "lua":
        yield from (_nginx_lua if server.provider == "nginx" else _apache_lua)(host_plan.host, server)
    if server.provider == "apache":
        yield from _apache_loads(host_plan.host, means)
        yield from _apache_keeps(host_plan, server)
        yield from apache_findings(host_plan, server)
        if server.variant != "lua":
            yield from _text_only(campaign, host_plan.host, shown)
    for mode in sorted(modes & _GATES.keys()):
        yield from _GATES[mode](host_plan.host, server)
    if "banner" in modes and server.provider == "apache":
        yield from _apache_banner(host_plan.host, means)


def _nginx_lua(host: str, server: ServerFacts) -> Iterator[Finding]:
    if not server.has_lua:
        message = "nginx has no Lua module loaded that knows server_rewrite_by_lua"
        hint = "have its owner install it (Debian: libnginx-mod-http-lua), or set piquet_nginx to auto"
        yield Finding("error", "lua-missing", host, message, "lua loaded", "piquet_nginx: lua", hint)
    if is_taken(server):
        message = "server_rewrite_by_lua is the owner's here, so that ours cannot act or must not stand"
        yield Finding("error", "lua-taken", host, message, hint=_BY_INCLUDE)
    if names := sorted(altering(server)):
        message = "what the owner has set would change our answers too, since by Lua these have no place of their own"
        yield Finding("warning", "lua-filtered", host, message, got=", ".join(names), hint=_BY_INCLUDE)


def _apache_lua(host: str, server: ServerFacts) -> Iterator[Finding]:
    if "setenvif_module" not in server.modules:
        message, hint = (
            "Apache runs without mod_setenvif, by which Lua is told what to do",
            "a2enmod setenvif",
        )
        yield Finding("error", "lua-needs-setenvif", host, message, "setenvif_module", hint=hint)
    if server.has_lua:
        return
    if "lua_module" not in server.loadable:
        message, hint = "Apache's mod_lua is not there", "install it, or set piquet_apache to rules"
        yield Finding("error", "lua-missing", host, message, "mod_lua.so", "piquet_apache: lua", hint)
    elif "lua_module" in server.conditional:
        message = "some section of Apache's configuration waits for mod_lua, and loading it would wake that"
        hint = "have its owner load mod_lua, or set piquet_apache to rules"
        yield Finding("error", "lua-awaited", host, message, hint=hint)


def _apache_loads(host: str, means: Capabilities) -> Iterator[Finding]:
    """Modules that our own file loads: the configuration does not wait for them, but an `.htaccess` may."""
    if means.loads:
        message = "our own file loads modules; some .htaccess may hold an <IfModule> that waits for one"
        got = ", ".join(name for name, _ in means.loads)
        yield Finding("info", "modules-loaded", host, message, got=got)


def _apache_keeps(host_plan: HostPlan, server: ServerFacts) -> Iterator[Finding]:
    """What a site says of caches, in the way in which it reaches our answers."""
    host, is_lua = host_plan.host, server.variant == "lua"
    if is_lua and (names := shown_of(host_plan, server.stores_no_store)):
        message = "mod_cache stores what it is asked not to store, and would show our answers beyond the end"
        hint = "have its owner switch it off, or leave these sites out; piquet_apache: rules will do, but not to occupy"
        got = f"On for {', '.join(names)}"
        yield Finding(
            "error", "stores-no-store", host, message, "CacheStoreNoStore Off", got, hint, tuple(names)
        )
    if not is_lua and (names := shown_of(host_plan, server.recached)):
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


def _occupy(host: str, server: ServerFacts) -> Iterator[Finding]:
    if server.provider == "apache" and server.variant != "lua":
        message = "without mod_lua Apache cannot put a page in the place of another"
        hint = "set piquet_apache to lua for it: our own file then loads mod_lua where it is not loaded"
        yield Finding("error", "occupy-needs-lua", host, message, "lua", server.variant, hint)
    if server.provider == "nginx" and server.variant == "lua" and (names := sorted(keeping(server))):
        message = "what the owner tells caches would let them keep the occupied page beyond its end"
        yield Finding("error", "occupy-expires", host, message, got=", ".join(names), hint=_BY_INCLUDE)


def _block(host: str, server: ServerFacts) -> Iterator[Finding]:
    """A 503 knows no `expires`, but every header by which a cache in front is told to keep it."""
    names = sorted(keeping(server) - {"expires"})
    if server.provider == "nginx" and server.variant == "lua" and names:
        message = "what the owner tells caches would let them keep the strike page beyond its end"
        yield Finding("error", "block-kept", host, message, got=", ".join(names), hint=_BY_INCLUDE)


def _banner(host: str, server: ServerFacts) -> Iterator[Finding]:
    if server.provider != "nginx":
        return
    is_lua = server.variant == "lua"
    names = _FILTERS if is_lua else ("sub_filter",)
    if is_lua and server.own & _of(*names, levels=("http",)):
        message = "the owner's own Lua filter stands at http level, where ours would have to"
        yield Finding("error", "banner-taken", host, message, ", ".join(names), hint=_BY_INCLUDE)
    if not is_lua and "http_sub" not in server.modules:
        message = "nginx was built without http_sub, which puts the banner into pages"
        yield Finding(
            "error", "banner-needs-module", host, message, "http_sub", hint="use a build that has it"
        )
    if not is_lua and server.own & _of("sub_filter_last_modified", levels=("http", "server", "location")):
        message = (
            "`sub_filter_last_modified` is on, so that browsers would keep pages with a banner beyond its end"
        )
        yield Finding("error", "banner-kept", host, message, "off", "on", "have its owner switch it off")
    if partial := sorted(server.own & _of(*names, levels=("server", "location"))):
        message = f"where the owner's own {' or '.join(names)} stands, pages show no banner"
        hint = (
            f"nginx -T | grep -nE '{'|'.join(names)}' shows where; piquet verify --during counts these pages"
        )
        yield Finding("warning", "banner-partial", host, message, "none of them", ", ".join(partial), hint)


def _apache_banner(host: str, means: Capabilities) -> Iterator[Finding]:
    if means.lacks:
        enable = " ".join(name.removesuffix("_module") for name in means.lacks)
        message = "Apache runs without modules that put the banner into pages, and ours to load they are not"
        hint = f"a2enmod {enable} and a reload"
        yield Finding("error", "banner-needs-module", host, message, ", ".join(means.lacks), hint=hint)


def _of(*names: str, levels: tuple[str, ...] = ("http", "server")) -> frozenset[str]:
    return frozenset(f"{level} {name}" for level in levels for name in names)


_GATES: Mapping[Mode, Callable[[str, ServerFacts], Iterator[Finding]]] = {
    "block": _block,
    "occupy": _occupy,
    "banner": _banner,
}
