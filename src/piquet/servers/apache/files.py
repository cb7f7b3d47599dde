# SPDX-License-Identifier: GPL-3.0-or-later
"""Apache 2.4 by one file at server level: no virtual host is touched.

Two variants, one decision (`conditions`). *Rules*: a condition opens one `<If>` for all hosts that mod_alias
serves, and the same condition stands before rewrite rules that virtual hosts inherit, unless others have rules at
server level, which would be inherited with ours. *Lua*: the quick handler answers before any of that. Banners are put
in by filters in both (`apache_banner`). Of modules only those are loaded that lie beside the server's others and that
no section of the configuration waits for. Nothing is kept in a `Define`: every `.htaccess` can read those.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from piquet import answers
from piquet.plan import HostPlan
from piquet.protocol.http import ABOUT_PATH, ASSET_PREFIX, NONCE_HEADER, REHEARSAL_PREFIX
from piquet.protocol.places import CODE_DIR, DROPIN
from piquet.protocol.server_names import suffix_of
from piquet.servers.apache import banner as apache_banner
from piquet.servers.apache.conditions import (
    ASKED_FIRST,
    REQUEST_LINE,
    Conditions,
    gets,
    nonce,
    proof,
    speaks,
    wants_json,
)
from piquet.servers.apache.facts import ApacheFacts
from piquet.servers.apache.modules import loaded_modules
from piquet.servers.environment import render
from piquet.servers.view import CampaignView, PhaseView, has_keys, is_open_to_some

_TEXTS = ("html", "css", "js", "json")
"""Extensions of assets that an ErrorDocument can carry; the quick handler carries all."""


def apache_files(view: CampaignView, host: HostPlan, server: ApacheFacts) -> Mapping[str, tuple[str, str]]:
    """Path → (mode, text) of the Apache side of one host."""
    conditions = Conditions(view, host, server.barred, server.provider)
    folder = conditions.folder
    texts = {
        f"{server.dropin_dir}/{DROPIN}": (
            "0600",
            _text("dropin", "What Apache reads first.", {**view.values(), "folder": folder}),
        )
    }
    if loads := loaded_modules(view.campaign, server):
        values = {**view.values(), "modules": loads}
        texts[f"{folder}/10-load.conf"] = ("0600", _text("load", "Loads what ours needs.", values))
    if server.is_by_lua:
        texts |= _by_lua(_values(conditions, server), server, folder)
    else:
        values = _values(conditions, server)
        texts[f"{folder}/20-decide.conf"] = ("0600", _text("decide", "Decides who is shown what.", values))
    if view.of_mode("banner"):
        values = {**view.values(), **_banner_values(conditions, server)}
        texts[f"{folder}/15-insert.conf"] = ("0600", _text("insert", "Puts the banner into pages.", values))
    if has_keys(view):
        values = {**view.values(), **_apart_values(conditions, server)}
        texts[f"{folder}/17-apart.conf"] = (
            "0600",
            _text("apart", "Keeps what few may see from caches.", values),
        )
    return {**texts, **dict(_markers(conditions))}


def _text(template: str, purpose: str, values: Mapping[str, Any]) -> str:
    return render(f"apache/{template}.conf.j2", **{**values, "purpose": purpose})


def _by_lua(values: Mapping[str, Any], server: ApacheFacts, folder: str) -> dict[str, tuple[str, str]]:
    """The code inside of the configuration; where that does not run, in a file that is called by what is in it."""
    code, files = render("apache/answer.lua.j2", **values), {}
    if suffix_of(server.provider):
        # No two servers share a file of code, so that one can forget it without the other.
        code = f"-- {server.provider}\n{code}"
    path = ""
    if not server.takes_lua_inline:
        path = f"{CODE_DIR}/{hashlib.sha256(code.encode()).hexdigest()}.lua"
        files[path] = ("0644", code)
    text = _text("lua", "Answers in the place of sites.", {**values, "code": code, "code_path": path})
    return {**files, f"{folder}/20-lua.conf": ("0600", text)}


def _markers(conditions: Conditions) -> Iterator[tuple[str, tuple[str, str]]]:
    """Files whose name or content the expressions ask for, as a worker: they lie among the pages."""
    www = conditions.markers
    for name in conditions.known_below() if conditions.has_known_files() else ():
        yield f"{www}/known/{name}", ("0644", "")
    for phase in conditions.view.phases:
        for key in conditions.of_phase(phase.number) if conditions.without(phase.number) else ():
            yield f"{www}/with/{phase.number}/{key}", ("0644", "")
        yield f"{www}/sites/{phase.number}", ("0644", f" {' '.join(conditions.of_phase(phase.number))} \n")


def _banner_values(conditions: Conditions, server: ApacheFacts) -> dict[str, Any]:
    is_lua = server.is_by_lua
    return apache_banner.values(
        conditions,
        has_own_clock=is_lua,
        has_own_note=not is_lua,
        headers_first=server.headers_first and "setenvif_module" in server.modules,
    )


def _apart_values(conditions: Conditions, server: ApacheFacts) -> dict[str, Any]:
    view = conditions.view
    phases = [*view.of_mode("occupy"), *(view.of_mode("block") if is_open_to_some(view) else ())]
    return {
        "apart": " || ".join(f"({conditions.apart(phase)})" for phase in phases),
        "keyed": conditions.keyed(phases),
        "has_own_note": not server.is_by_lua and not view.of_mode("banner"),
        "apart_store": answers.APART_STORE,
    }


def _values(conditions: Conditions, server: ApacheFacts) -> dict[str, Any]:
    own = _lua_values(conditions, server) if server.is_by_lua else _rule_values(conditions, server)
    proving = {
        "proof": proof(),
        "proof_sign": answers.proof_sign(conditions.view.campaign),
        "nonce_header": NONCE_HEADER,
    }
    return {**conditions.view.values(), **proving, **own}


def _lua_values(conditions: Conditions, server: ApacheFacts) -> dict[str, Any]:
    view = conditions.view
    before, after = answers.rehearsal_cookie("\n").split("\n")
    return {
        "nonce": nonce(view.seal),
        "bypass_link": conditions.bypass_link(),
        "phases": [_lua_phase(conditions, phase) for phase in view.phases],
        "keeps_state": not server.has_own_lua,
        "spoken_pattern": answers.language_pattern(view.campaign.languages).replace("(?P<language>", "("),
        "about_path": ABOUT_PATH,
        "about_file": answers.ABOUT_FILE,
        "asset_prefix": ASSET_PREFIX,
        "usual_query": answers.USUAL_QUERY,
        "rehearsal_prefix": REHEARSAL_PREFIX,
        "rehearsal_cookie": (before, after),
    }


def _lua_phase(conditions: Conditions, phase: PhaseView) -> dict[str, Any]:
    return {
        **vars(phase),
        "asked": f"{ASKED_FIRST} && {conditions.phase(phase, 'note')}",
        "rehearsal_link": conditions.rehearsal_link(phase, "note"),
        "opened": f"{phase.cookie_name}=usual",
        "asset_kinds": [(name, answers.content_type(name)) for name in phase.assets],
    }


def _rule_values(conditions: Conditions, server: ApacheFacts) -> dict[str, Any]:
    view = conditions.view
    phases = [_rule_phase(conditions, phase) for phase in view.phases]
    return {
        "phases": phases,
        "json": wants_json(),
        "speaks": {name: speaks(view, name) for name in view.campaign.languages},
        "bypass_link": conditions.bypass_link(),
        "hands_rules_down": not server.server_rules,
        "nonce": nonce(view.seal),
        "rehearsal_line": f"{REQUEST_LINE}{answers.pcre_literal(REHEARSAL_PREFIX)}([^ ]+) .*$",
        "rehearsal_cookie": answers.rehearsal_cookie("$1"),
    }


def _rule_phase(conditions: Conditions, phase: PhaseView) -> dict[str, Any]:
    """A block phase takes every request, any other only those for our own addresses."""
    own = list(_own_addresses(phase))
    reads = [address["condition"] for address in own]
    links = reads + ([conditions.bypass_link()] if conditions.view.secret else [])
    ours = "" if phase.mode == "block" else f" && ({_any(links)})"
    return {
        **vars(phase),
        "condition": f"{ASKED_FIRST} && {conditions.phase(phase, 'header')}{ours}",
        "own_addresses": own,
        "reads_own": _any(reads),
        "rehearsal_link": conditions.rehearsal_link(phase, "header"),
    }


def _own_addresses(phase: PhaseView) -> Iterator[dict[str, str]]:
    named = [(ASSET_PREFIX + name, name) for name in phase.assets if name.rpartition(".")[2] in _TEXTS]
    for path, name in [(ABOUT_PATH, answers.ABOUT_FILE), *named]:
        condition = gets(answers.pcre_literal(path))
        yield {"name": name, "condition": condition, "content_type": answers.content_type(name)}


def _any(conditions: list[str]) -> str:
    return " || ".join(f"({condition})" for condition in conditions)
