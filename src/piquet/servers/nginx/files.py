# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx, by the one include line or by Lua at http level.

At http level, maps decide (site, lease, door, language, mode). By the include line, one `if` in the server block asks
for the flag and one location, whose name no client can send, answers. By Lua, a few lines at http level do both, and no
server block is touched. What the host's nginx lacks is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from piquet import answers
from piquet.plan import HostPlan
from piquet.protocol.http import SIGN_HEADER, TARGETED
from piquet.protocol.places import ETC, FIRST_DROPIN, HOOK_DIR
from piquet.servers.environment import render
from piquet.servers.nginx import inherited
from piquet.servers.nginx.banner import banner_values
from piquet.servers.nginx.decision import decision_values, header_rows
from piquet.servers.nginx.facts import NginxFacts
from piquet.servers.nginx.sites import site_values
from piquet.servers.view import CampaignView

_HTTP_DIR = f"{ETC}/nginx/http"


def nginx_files(view: CampaignView, host: HostPlan, server: NginxFacts) -> Mapping[str, tuple[str, str]]:
    """Path → (mode, text) of the nginx side of one host."""
    values = _values(view, host, server)
    texts = {
        f"{server.dropin_dir}/{FIRST_DROPIN}": ("0600", _text("dropin", "What nginx reads first.", values)),
        f"{_HTTP_DIR}/20-decide.conf": ("0600", _text("http", "Decides who is shown what.", values)),
    }
    if server.variant == "lua":
        texts[f"{_HTTP_DIR}/50-answer.conf"] = (
            "0600",
            _text("lua", "Answers in the place of a site.", values),
        )
    else:
        texts[f"{HOOK_DIR}/piquet.conf"] = ("0600", _server_text(values))
    if view.of_mode("banner"):
        texts.update(_banner_texts(view, server, values))
    if view.secret:
        texts[f"{_HTTP_DIR}/30-bypass.conf"] = ("0600", _text("bypass", "The testers' way in.", values))
    return texts


def _banner_texts(
    view: CampaignView, server: NginxFacts, values: Mapping[str, Any]
) -> dict[str, tuple[str, str]]:
    banner = _text("banner", "Puts the banner into pages.", values)
    texts = {f"{_HTTP_DIR}/40-banner.conf": ("0600", banner)}
    if view.secret and server.asks_whole:
        whole = _text("whole", "Has pages sent whole and readable.", values)
        texts[f"{_HTTP_DIR}/45-whole.conf"] = ("0600", whole)
    return texts


def _text(template: str, purpose: str, values: Mapping[str, Any]) -> str:
    return render(f"nginx/{template}.conf.j2", purpose=purpose, **values)


def _values(view: CampaignView, host: HostPlan, server: NginxFacts) -> dict[str, Any]:
    sites = site_values(view, host, server)
    decision = decision_values(view, sites["shares"])
    return {
        **view.values(),
        **sites,
        **decision,
        **banner_values(view, host, server),
        "is_lua": server.variant == "lua",
        "shown": "$piquet_target" if server.variant == "lua" else "$uri",
        "modules": server.modules,
        "limits": server.inherited & {"limit_req", "limit_conn"},
        "requests_zone": inherited.REQUESTS,
        "connections_zone": inherited.CONNECTIONS,
        "has_dry_run": _has_dry_run(server.version),
        "names": (),
        "cleared": _cleared_headers(server),
        "retyped": bool({"http more_headers:content-type", "server more_headers:content-type"} & server.own),
        "switched_off": inherited.switched_off(server.inherited),
        "headers": header_rows(view, server.variant == "lua"),
        "types": [*answers.CONTENT_TYPES.items(), ("problem", answers.PROBLEM_TYPE)],
        "proof_sign": answers.proof_sign(view.campaign),
    }


def _server_text(values: Mapping[str, Any]) -> str:
    """What each hooked block reads, with the names of all variables in it, so that it stands without the other half."""
    text = _text("server", "Answers in the place of a site.", values)
    names = sorted(set(re.findall(r"\$(piquet_\w+)", text)))
    return _text("server", "Answers in the place of a site.", {**values, "names": names})


def _has_dry_run(version: str) -> bool:
    """Whether limits that a site is given after the survey can be kept from our answers, which then count.

    Source: ngx_http_limit_req_module and ngx_http_limit_conn_module, `limit_…_dry_run` (1.17.1 and 1.17.6).
    """
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3]) >= (1, 17, 6)


def _cleared_headers(server: NginxFacts) -> tuple[str, ...]:
    """Headers that our location would inherit from the owner's headers-more, and sets itself, or not at all."""
    validators = ("ETag", "Last-Modified")
    ours = (SIGN_HEADER, "X-Robots-Tag", "Retry-After", "Content-Language", *validators)
    return ("Vary", *TARGETED, *ours) if _has_headers_more(server) else ()


def _has_headers_more(server: NginxFacts) -> bool:
    told = server.keeping | server.varying
    is_told = any(word.startswith("more_set_headers ") for word in told)
    return is_told or not inherited.HEADERS.isdisjoint(server.inherited)
