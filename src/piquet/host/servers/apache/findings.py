# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in the way on an Apache: what a survey says of what it found. Values in, values out."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

from piquet.protocol.findings import Finding
from piquet.protocol.modules import NEEDED

_BARRING = {
    "substitutes": ("own-substitute", "mod_substitute is used by a site itself and would act twice."),
    "recached": (
        "own-lifetime",
        "An <If> within others of a site itself says how long pages are kept, after our no-store.",
    ),
    "retyped": (
        "own-type",
        "A Header of a site itself makes another type of a page, after the banner is in it.",
    ),
    "stores_no_store": ("own-store", "mod_cache stores for a site what it is asked not to store."),
}
"""Part of the survey → the finding for the virtual hosts that it names."""


def findings(document: Dict[str, Any], strange: List[Tuple[str, str]], untold: str) -> List[Finding]:
    """All of them.

    Args:
        document: the survey's `apache` part.
        strange: names that no campaign can select, with their place.
        untold: why the server did not tell its configuration; "" if it did.
    """
    found = []
    if document["dropin_dir"] is None:
        message = "The main configuration includes no folder of *.conf files in which ours could lie."
        found.append(
            Finding("error", "no-dropin-folder", "apache", message, "IncludeOptional conf-enabled/*.conf")
        )
    for name in NEEDED["apache"]:  # under a broken configuration Apache names no module at all
        if document["test"]["ok"] and name not in document["modules"]:
            hint = "we load no module ourselves: that would wake other people's <IfModule> sections"
            found.append(
                Finding("error", "module-missing", "apache", f"Apache runs without {name}.", hint=hint)
            )
    if document["use_canonical_name"]:
        message = "UseCanonicalName On: an alias follows the flag of its vhost's ServerName."
        found.append(Finding("warning", "use-canonical-name", "apache", message))
    if document["quick_handler_cache"]:
        message = "mod_cache answers before anything else: what it holds is shown during a block."
        found.append(Finding("warning", "quick-handler-cache", "apache", message, "CacheQuickHandler off"))
    if document["trace"]:
        message = "TraceEnable On: the echo of a TRACE request shows a header of ours."
        found.append(Finding("warning", "trace-enabled", "apache", message, "TraceEnable Off", "On"))
    if document["own_rules_first"]:
        message = (
            "By RewriteOptions own rules come first here: those that answer ([R], [G], [F]) win over a block."
        )
        hint = "set piquet_apache to lua, or have their owner take IgnoreInherit, Inherit or InheritDown out"
        got = ", ".join(document["own_rules_first"])
        found.append(Finding("warning", "ignore-inherit", "apache", message, got=got, hint=hint))
    if document["server_rules"]:
        message = "Rewrite rules or maps stand outside of every virtual host; with ours, these would inherit them too."
        hint = "move them into the virtual host that they are for; until then own rules that answer win over a block"
        found.append(Finding("warning", "server-level-rules", "apache", message, hint=hint))
    found += _before_and_behind_ours(document)
    if untold:
        message = (
            "The server did not tell its configuration; what its texts say may lack names that macros make."
        )
        hint = "its own test must pass, and mod_info.so lie beside its other modules; it need not be loaded"
        found.append(
            Finding("warning", "configuration-untold", "apache", message, "DUMP_CONFIG", untold, hint)
        )
    found += [
        Finding(
            "warning",
            code,
            "apache",
            f"{message} No banner is shown there.",
            got=", ".join(document[part]),
            hint="its owner can take it out for as long as the banner is on; a block needs no change",
        )
        for part, (code, message) in _BARRING.items()
        if document[part]
    ]
    found += [
        Finding("info", "name-not-selectable", place, "A name that no campaign can select.", got=name)
        for place, name in strange
    ]
    return found


def _before_and_behind_ours(document: Dict[str, Any]) -> List[Finding]:
    """Modules that answer before anything of ours, or judge what we answer."""
    found = []
    if document["https_first"]:
        message = "mod_md sends plain requests to https before anything of ours is asked: http is not on strike there."
        hint = "MDRequireHttps off for as long as the campaign lasts; https shows what it must"
        got = ", ".join(document["https_first"])
        found.append(Finding("warning", "https-first", "apache", message, "MDRequireHttps off", got, hint))
    if document["filtered"]:
        message = "mod_security2 judges answers by its own rules: it may make a 403 of our 503, unless that is by Lua."
        hint = "set piquet_apache to lua; only verify --during can see it"
        got = ", ".join(document["filtered"])
        found.append(Finding("info", "answers-filtered", "apache", message, "SecRuleEngine Off", got, hint))
    return found
