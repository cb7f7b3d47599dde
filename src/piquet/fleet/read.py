# SPDX-License-Identifier: GPL-3.0-or-later
"""Host variables and surveys → Fleet.

A survey comes from a machine that may be broken or worse: every field is checked for its type, every name
for its letters. No file, no network, no clock.
"""

from __future__ import annotations

import difflib
import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from piquet.campaign.document import shown
from piquet.campaign.matching import match_site
from piquet.campaign.names import Refusal, health_path, site_name
from piquet.errors import FleetError, Problem
from piquet.findings import by_weight
from piquet.fleet import choices
from piquet.fleet.model import (
    Believed,
    Fleet,
    HealthCheck,
    Host,
    Inherited,
    Listen,
    Pass,
    Provider,
    ServerFacts,
    Site,
)
from piquet.fleet.nginx_inherited import is_known
from piquet.printable import printable_line
from piquet.protocol.findings import Finding

SURVEY_VERSION = 1
KNOWN_VARIABLES = (
    "piquet_addresses", "piquet_allow_unloaded", "piquet_apache", "piquet_arm_partial", "piquet_baseline",
    "piquet_become",
    "piquet_campaign", "piquet_canary", "piquet_health_paths", "piquet_hosts", "piquet_install_python",
    "piquet_late_release", "piquet_max_skew_s", "piquet_nginx", "piquet_nginx_harmless",
    "piquet_plan_digest", "piquet_python",
    "piquet_rehearse_end", "piquet_rehearse_phase", "piquet_scheduler", "piquet_sites",
    "piquet_verify_baseline", "piquet_verify_ca", "piquet_verify_moment", "piquet_workdir",
)  # fmt: skip
"""What an inventory may say of us: the variables of the roles, and `piquet_addresses`, `piquet_nginx_harmless` and
`piquet_sites`."""
NOT_SERVED = "site-not-served"
"""Code of the finding that a declared site is served by nobody."""

TypedT = TypeVar("TypedT")
_CATCH_ALL = frozenset({"", "_", "*"})
_MAX_NAMED = 5
_VHOSTS = (("nginx", "blocks"), ("apache", "vhosts"))


def read_fleet(hosts: Mapping[str, Mapping[str, Any]], surveys: Mapping[str, Mapping[str, Any]]) -> Fleet:
    """Put the inventory and the surveys together.

    Args:
        hosts: inventory name → host variables; `ansible_host`, `piquet_addresses`, `piquet_sites`,
            `piquet_scheduler`, `piquet_nginx`, `piquet_apache` and `piquet_late_release` are used.
        surveys: inventory name → survey document with `skew_s`; of other hosts only the names are read.

    Raises:
        FleetError: with every host whose variables or survey are not in the agreed form.
    """
    found: list[Host] = []
    problems: list[Problem] = []
    for name in sorted(hosts):
        try:
            problems += choices.problems(name, hosts[name])
            found.append(_host(name, hosts[name], surveys.get(name)))
        except _FormError as err:
            problems.append(Problem(name, 0, 0, err.message, err.expected, err.got, err.hint))
    if problems:
        raise FleetError("the fleet cannot be used as it is", problems)
    others = (surveys[name] for name in sorted(surveys.keys() - hosts.keys()))
    return Fleet(tuple(found), frozenset(name for survey in others for name in _names_elsewhere(survey)))


def _names_elsewhere(survey: Mapping[str, Any]) -> set[str]:
    """What a host outside of this plan serves; nothing of one whose survey cannot be read."""
    try:
        servers = [(key, survey.get(name)) for name, key in _VHOSTS]
        vhosts = [vhost for key, server in servers if server for vhost in server[key]]
        return {name for vhost in vhosts for name in _names(vhost["names"], set())}
    except (KeyError, TypeError, AttributeError):
        return set()


class _FormError(Exception):
    """A host's data is not in the agreed form."""

    def __init__(self, message: str, expected: str = "", got: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message, self.expected, self.got, self.hint = message, expected, got, hint


def _host(name: str, variables: Mapping[str, Any], survey: Mapping[str, Any] | None) -> Host:
    address = str(variables.get("ansible_host") or name)
    if "{{" in address:
        raise _FormError(
            "`ansible_host` holds a template", "an address or a name", address, "write the value itself"
        )
    _check_names(variables)
    declared = _declared(variables.get("piquet_sites"))
    addresses = _addresses(variables.get("piquet_addresses"))
    health_paths = _health_paths(variables.get("piquet_health_paths"))
    harmless = _harmless(variables.get("piquet_nginx_harmless"))
    if survey is None:
        return Host(name, address, (), (), None, None)
    try:
        host = _surveyed(name, address, declared, survey)
        scheduler, is_there = choices.scheduler(variables, survey)
        servers = tuple(replace(s, variant=choices.variant(variables, s)) for s in host.servers)
        host = replace(host, scheduler=scheduler, is_scheduler_there=is_there, servers=servers)
        host = replace(host, accepts_late_release=choices.accepts_late_release(variables))
        sites = tuple(_without(site, harmless) for site in host.sites)
        return replace(host, sites=sites, addresses=addresses, health_paths=health_paths)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as err:
        reason = f"{type(err).__name__}: {err}"
        hint = "run the survey verb again with this version of piquet"
        raise _FormError("its survey is not in the agreed form", "", shown(reason), hint) from err


def _check_names(variables: Mapping[str, Any]) -> None:
    """A misspelt `piquet_sites` would choose every site of the host, so nothing unknown is passed over."""
    for name in sorted(variables):
        if name.startswith("piquet_") and name not in KNOWN_VARIABLES:
            close = difflib.get_close_matches(name, KNOWN_VARIABLES, 1)
            hint = f"did you mean {close[0]}?" if close else "names that begin with piquet_ are ours"
            raise _FormError(f"there is no variable {shown(name)}", ", ".join(KNOWN_VARIABLES), hint=hint)


def _declared(value: Any) -> tuple[str, ...] | None:
    """The names that the inventory narrows a host to; None for no narrowing."""
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _FormError("`piquet_sites` is not a list of names", "[www.example.org, …]", shown(value))
    try:
        return tuple(sorted({site_name(item) for item in value}))
    except Refusal as err:
        raise _FormError(f"`piquet_sites`: {err.message}", err.expected, shown(value), err.hint) from err


def _health_paths(value: Any) -> tuple[str, ...]:
    """What a load balancer in front of a host asks, to know whether it is well."""
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _FormError("`piquet_health_paths` is not a list of paths", "[/health, …]", shown(value))
    try:
        return tuple(sorted({health_path(item) for item in value}))
    except Refusal as err:
        raise _FormError(
            f"`piquet_health_paths`: {err.message}", err.expected, shown(value), err.hint
        ) from err


def _harmless(value: Any) -> frozenset[str]:
    """Directives of which somebody has found out that they answer nothing and change nothing."""
    found = [] if value is None else value
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        expected = "[vhost_traffic_status_zone, …]"
        raise _FormError("`piquet_nginx_harmless` is not a list of directives", expected, shown(value))
    return frozenset(found)


def _without(site: Site, harmless: frozenset[str]) -> Site:
    """A site without the directives that nobody here can judge and somebody there has."""
    kept = tuple(one for one in site.inherited if one.name not in harmless or is_known(one.name))
    return site if kept == site.inherited else replace(site, inherited=kept)


def _addresses(value: Any) -> tuple[str, ...]:
    """The addresses that the inventory names for a host besides the one to log in at."""
    if value is None:
        return ()
    try:
        if not isinstance(value, list):
            raise ValueError("no list")
        return tuple(str(ipaddress.ip_address(_typed(item, str))) for item in value)
    except (ValueError, TypeError):
        expected = '[192.0.2.7, "2001:db8::7"]'
        raise _FormError("`piquet_addresses` is not a list of IP addresses", expected, shown(value)) from None


def _surveyed(name: str, address: str, declared: tuple[str, ...] | None, survey: Mapping[str, Any]) -> Host:
    if survey["piquet_survey"] != SURVEY_VERSION:
        message, got = "its survey was written by another version of piquet", str(survey["piquet_survey"])
        raise _FormError(message, f"form {SURVEY_VERSION}", f"form {got}", "survey this host again")
    servers: list[ServerFacts] = []
    sites: list[Site] = []
    unusable: set[str] = set()
    idle: list[Finding] = []
    idle_names: set[str] = set()
    for provider, vhosts_key in _VHOSTS:
        server = survey.get(provider)
        if server is None:
            continue
        servers.append(server_facts(provider, server))  # type: ignore[arg-type]
        vhosts = [_handed_down(vhost, server) for vhost in server[vhosts_key]]
        found = _sites(provider, vhosts, unusable)  # type: ignore[arg-type]
        if servers[-1].running:
            sites += found
        elif found:
            idle.append(_idle(name, provider, len(found)))
            idle_names |= {site.name for site in found}
    findings = [*idle, *(_finding(name, record) for record in survey.get("findings") or ())]
    served = sorted({site.name for site in sites})
    chosen, missing = _narrow(sites, declared)
    findings += _unusable(name, unusable) + [_not_served(name, site) for site in missing]
    skew_s = survey.get("skew_s")
    return Host(
        name=name,
        address=address,
        sites=tuple(sorted(chosen, key=lambda site: (site.provider, site.name))),
        servers=tuple(sorted(servers, key=lambda server: server.provider)),
        surveyed_at=datetime.fromtimestamp(float(survey["at"]), UTC),
        clock_skew_s=None if skew_s is None else float(skew_s),
        findings=by_weight(findings),
        served=tuple(served),
        idle=tuple(sorted(idle_names - set(served))),
        health_checks=tuple(map(_health_check, survey.get("health_checks") or ())),
    )


def _health_check(record: Mapping[str, Any]) -> HealthCheck:
    return HealthCheck(
        _typed(record["path"], str), _typed(record["agent"], str), _typed(record["count"], int)
    )


def server_facts(provider: Provider, server: Mapping[str, Any]) -> ServerFacts:
    """What one server's part of a survey says; its way is the plain one until somebody chooses.

    Raises:
        KeyError, TypeError: it is not in the agreed form.
    """
    http, lua = server.get("http") or {}, server.get("lua") or {}
    return ServerFacts(
        provider=provider,
        version=_typed(server["version"], str),
        dropin_dir=_optional(server["dropin_dir"], str),
        modules=frozenset(_typed(module, str) for module in server["modules"]),
        test_ok=_typed(server["test"]["ok"], bool),
        test_output=_typed(server["test"].get("output", ""), str),
        running=_typed(server["running"], bool),
        map_hash_max_size=_optional(http.get("map_hash_max_size"), int),
        map_hash_bucket_size=_optional(http.get("map_hash_bucket_size"), int),
        timer_resolution_ms=_optional(http.get("timer_resolution_ms"), int),
        flag_lag_s=_typed(http.get("flag_lag_s", 0), int),
        use_canonical_name=_typed(server.get("use_canonical_name", False), bool),
        quick_handler_cache=_typed(server.get("quick_handler_cache", False), bool),
        trace=_typed(server.get("trace", False), bool),
        server_rules=_typed(server.get("server_rules", False), bool),
        variant=choices.PLAIN[provider],
        has_lua=_typed(lua.get("usable", False), bool),
        own=_words(server, "own"),
        inherited=frozenset(
            one.name
            for vhost in server.get("blocks") or ()
            for one in _inherited(_handed_down(vhost, server))
        ),
        loadable={_typed(k, str): _typed(v, str) for k, v in (server.get("loadable") or {}).items()},
        substitutes=_words(server, "substitutes"),
        recached=_words(server, "recached"),
        retyped=_words(server, "retyped"),
        stores_no_store=_words(server, "stores_no_store"),
        headers_first=_typed(server.get("headers_first", False), bool),
        own_rules_first=_words(server, "own_rules_first"),
        https_first=_words(server, "https_first"),
        filtered=_words(server, "filtered"),
        filtered_strictly=_typed(server.get("filtered_strictly", False), bool),
        encoded_slashes=_words(server, "encoded_slashes"),
        told=_typed(server.get("told", True), bool),
        has_own_lua=_typed(lua.get("own", False), bool),
        conditional=_words(server, "conditional"),
    )


def _words(server: Mapping[str, Any], key: str) -> frozenset[str]:
    return frozenset(_typed(word, str) for word in server.get(key) or ())


def _sites(provider: Provider, vhosts: Iterable[Mapping[str, Any]], unusable: set[str]) -> list[Site]:
    """One site per name; names that cannot be a site are added to `unusable`."""
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for vhost in vhosts:
        for name in _names(vhost["names"], unusable):
            by_name.setdefault(name, []).append(vhost)
    return [_site(provider, name, group) for name, group in by_name.items()]


def _site(provider: Provider, name: str, vhosts: list[Mapping[str, Any]]) -> Site:
    listens = [listen for vhost in vhosts for listen in vhost["listens"]]
    return Site(
        name=name,
        provider=provider,
        listens=tuple(sorted({_listen(listen) for listen in listens})),
        hooked=provider == "apache" or all(vhost["hooked"] in ("ours", "owner") for vhost in vhosts),
        is_default=any(_typed(listen.get("default", False), bool) for listen in listens),
        inherited=tuple(sorted({one for vhost in vhosts for one in _inherited(vhost)})),
        passes=tuple(sorted({_pass(record) for vhost in vhosts for record in vhost.get("passes") or ()})),
        believed=tuple(sorted({one for vhost in vhosts for one in _believed(vhost)})),
        flag_lag_s=max(_typed(vhost.get("flag_lag_s", 0), int) for vhost in vhosts),
    )


def _handed_down(vhost: Mapping[str, Any], server: Mapping[str, Any]) -> Mapping[str, Any]:
    """A virtual host with what http hands down to it, unless it says otherwise itself."""
    own = vhost.get("inherited") or ()
    said = {record["name"] for record in own}
    above = (record for record in server.get("inherited") or () if record["name"] not in said)
    return {**vhost, "inherited": [*own, *above]}


def _inherited(vhost: Mapping[str, Any]) -> Iterator[Inherited]:
    for record in vhost["inherited"]:
        if not _typed(record["off"], bool):
            name, place = (printable_line(_typed(record[key], str)) for key in ("name", "place"))
            yield Inherited(name, place)


def _pass(record: Mapping[str, Any]) -> Pass:
    address, host = (_typed(record[key], str) for key in ("address", "host"))
    return Pass(address, _typed(record["port"], int), host, _typed(record["cached"], bool))


def _believed(vhost: Mapping[str, Any]) -> Iterator[Believed]:
    for network in vhost.get("realip") or ():
        for listen in vhost["listens"]:
            yield Believed(_typed(listen["port"] or 0, int), _typed(network, str))


def _listen(record: Mapping[str, Any]) -> Listen:
    return Listen(
        _typed(record["address"], str),
        _typed(record["port"] or 0, int),
        _typed(record["tls"], bool),
        _typed(record.get("proxy_protocol", False), bool),
    )


def _names(raw: Iterable[Any], unusable: set[str]) -> Iterator[str]:
    """The sites that a vhost's names stand for."""
    for text in dict.fromkeys(_typed(name, str) for name in raw):
        if text in _CATCH_ALL:
            continue
        bare = text.rpartition("://")[2].partition(":")[0].removesuffix(".")
        try:
            if text.startswith("~"):
                raise Refusal("a regular expression", "a name")
            spread = (bare[1:], f"*{bare}") if bare.startswith(".") else (bare,)
            yield from (site_name(name) for name in spread)
        except Refusal:
            unusable.add(text)


def _narrow(sites: list[Site], declared: tuple[str, ...] | None) -> tuple[list[Site], list[str]]:
    """The declared sites, and the declared names that nobody serves; a wildcard serves what is below it."""
    if declared is None:
        return sites, []
    chosen: list[Site] = []
    served: set[str] = set()
    for provider in sorted({site.provider for site in sites}):
        own = {site.name: site for site in sites if site.provider == provider}
        for name in declared:
            fits = match_site(name, own.keys())
            if fits:
                chosen.append(replace(own[fits], name=name))
                served.add(name)
    return chosen, [name for name in declared if name not in served]


def _finding(host: str, record: Mapping[str, Any]) -> Finding:
    """A host's finding, told apart from the same one of another host."""
    finding = Finding.from_json(record)
    if finding.severity not in ("error", "warning", "info"):
        raise ValueError(f"severity {finding.severity!r}")
    return finding if finding.subject == host else replace(finding, subject=f"{host}:{finding.subject}")


def _unusable(host: str, names: set[str]) -> list[Finding]:
    if not names:
        return []
    some = ", ".join(shown(name) for name in sorted(names)[:_MAX_NAMED])
    more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
    message = "names that are no host name cannot be chosen; requests for them stay as usual"
    hint = "where such a site matters, add its host name to the vhost"
    return [Finding("warning", "name-not-a-site", host, message, "host names or *.suffix", some + more, hint)]


def _idle(host: str, provider: str, count: int) -> Finding:
    message = (
        f"{provider} is installed but does not run, so the {count} names of its configuration are left out"
    )
    hint = "if it should run: have its owner start it, then survey again"
    return Finding("warning", "server-not-running", host, message, hint=hint)


def _not_served(host: str, site: str) -> Finding:
    message = f"{site} is declared in the inventory, but no server of this host serves it"
    hint = "correct `piquet_sites`, or run the survey verb again if the site is new"
    return Finding("error", NOT_SERVED, host, message, hint=hint)


def _typed(value: Any, kind: type[TypedT]) -> TypedT:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise TypeError(f"{kind.__name__} expected, got {value!r}")
    return value


def _optional(value: Any, kind: type[TypedT]) -> TypedT | None:
    return None if value is None else _typed(value, kind)
