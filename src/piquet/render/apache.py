# SPDX-License-Identifier: GPL-3.0-or-later
"""Apache 2.4 by one file at server level: no virtual host is touched.

A condition (lease, flag, doors) opens one `<If>` for all hosts that mod_alias serves, and the same
condition stands before rewrite rules that virtual hosts inherit, unless others have rules at server level, which would
be inherited with ours. Needs mod_headers; never loads a module, since that would wake `<IfModule>` sections of the
sites. Nothing is kept in a `Define`: every `.htaccess` can read those.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from piquet import answers
from piquet.fleet.model import ServerFacts
from piquet.plan import HostPlan, match_site
from piquet.render.environment import render
from piquet.render.quoting import apache_regex
from piquet.render.view import CampaignView, PhaseView

_DIR = "/etc/piquet/apache"
_REQUEST_LINE = r"^[A-Z]+ (?:(?i:https?)://[^/? ]*)?"
_END_OF_PATH = r"[? ]"
_ASKED_FIRST = "-z reqenv('REDIRECT_STATUS')"
"""Not on the way to an error page of the site, after the server itself has refused the request."""


def files(view: CampaignView, host: HostPlan, server: ServerFacts) -> Mapping[str, tuple[str, str]]:
    """Path → (mode, text) of the Apache side of one host."""
    values = {**view.values(), **_conditions(view, host), "hands_rules_down": not server.server_rules}
    mode = "0600" if view.secret else "0644"
    texts = {
        f"{server.dropin_dir}/piquet.conf": ("0644", _text("dropin", "What Apache reads first.", values)),
        f"{_DIR}/20-decide.conf": (mode, _text("decide", "Decides who is shown what.", values)),
    }
    for name in _known_below(host):
        texts[f"{_DIR}/known/{name}"] = ("0644", "")
    return texts


def _text(template: str, purpose: str, values: Mapping[str, Any]) -> str:
    return render(f"apache/{template}.conf.j2", purpose=purpose, **values)


def _wildcards(host: HostPlan) -> tuple[str, ...]:
    """Every wildcard name that the host serves, selected or not: the longest one must win."""
    return tuple(name for name in host.known if name.startswith("*."))


def _known_below(host: HostPlan) -> tuple[str, ...]:
    """Exact names below a wildcard: a file of their name says that they follow their own flag only."""
    exact = (name for name in host.known if not name.startswith("*."))
    return tuple(name for name in exact if match_site(name, _wildcards(host)))


def _flag(host: HostPlan) -> str:
    """The flag of the requested host: its own, or that of the longest wildcard above it."""
    own = "-f '/run/piquet/live/%{SERVER_NAME}'"
    suffixes = "|".join(answers.pcre_literal(name[2:]) for name in sorted(_wildcards(host)))
    if not suffixes:
        return own
    below = rf"%{{SERVER_NAME}} =~ m#^[^.]+(?:\.[^.]+)*?\.({suffixes})$#"
    return f"({own} || ({below} && -f '/run/piquet/live/_.$1' && ! -f '{_DIR}/known/%{{SERVER_NAME}}'))"


def _open_conditions(view: CampaignView) -> list[str]:
    """Conditions that must all hold for the site to be closed to this request."""
    door = answers.door_pattern(view.campaign.doors, end=" |$")
    conditions = [
        f"(%{{THE_REQUEST}} !~ m#{_REQUEST_LINE}{door}# || %{{THE_REQUEST}} =~ m#{answers.NOT_A_DOOR}#i)"
    ]
    if view.secret:
        conditions.append(
            rf"req_novary('Cookie') !~ m#(?:^|; *){answers.BYPASS_COOKIE}={view.secret}(?:;|$)#"
        )
    return conditions + [f"! (-R '{network}')" for network in view.campaign.doors.networks]


def _conditions(view: CampaignView, host: HostPlan) -> dict[str, Any]:
    rest = " && ".join([_flag(host), *_open_conditions(view)])
    phases = [
        {**vars(phase), "condition": f"{_ASKED_FIRST} && {_lease(phase)} && {rest}"}
        | {"own_addresses": _own_addresses(phase.assets)}
        for phase in view.of_mode("block")
    ]
    return {
        "phases": phases,
        "json": f"req_novary('Accept') =~ m#{apache_regex(answers.WANTS_JSON)}#i",
        "speaks": {name: _speaks(view, name) for name in view.campaign.languages},
        "own_addresses": _own_addresses(sorted({n for p in view.of_mode("block") for n in p.assets})),
        "bypass_link": _gets(answers.pcre_literal(f"{answers.BYPASS_PREFIX}{view.secret}"), end=" "),
    }


def _lease(phase: PhaseView) -> str:
    """The server's own clock in microseconds of UTC, which an early RequestHeader put behind a client's own."""
    return f"req_novary('X-Piquet-At') =~ m#(?:^|, )t={phase.lease}[0-9]{{6}}$#"


def _speaks(view: CampaignView, language: str) -> str:
    pattern = answers.language_pattern(view.campaign.languages)
    unnamed = pattern.replace("(?P<language>", "(")
    return f"req_novary('Accept-Language') =~ m#{apache_regex(unnamed)}#i && $1 =~ m#^{language}$#i"


def _own_addresses(names: Iterable[str]) -> list[dict[str, str]]:
    named = [(answers.ASSET_PREFIX + name, name) for name in names]
    return [
        {
            "name": name,
            "condition": _gets(answers.pcre_literal(path)),
            "content_type": answers.content_type(name),
        }
        for path, name in [(answers.ABOUT_PATH, "piquet.json"), *named]
    ]


def _gets(path_pattern: str, end: str = _END_OF_PATH) -> str:
    line = _REQUEST_LINE.replace("[A-Z]+", "(?:GET|HEAD)")
    return f"%{{THE_REQUEST}} =~ m#{line}{path_pattern}{end}#"
