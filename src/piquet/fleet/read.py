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
from typing import Any

from piquet.campaign.document import shown
from piquet.campaign.names import Refusal, health_path, site_name
from piquet.errors import FleetError, Problem
from piquet.findings import by_weight
from piquet.fleet import choices
from piquet.fleet.form import FormError, typed
from piquet.fleet.model import (
    Believed,
    Fleet,
    HealthCheck,
    Host,
    Inherited,
    Listen,
    Pass,
    ServerFacts,
    Site,
)
from piquet.fleet.surveyed_server import Kinds, Part, SurveyedServer, kind_named, parts_of
from piquet.printable import printable_line
from piquet.protocol.entries import match_site
from piquet.protocol.findings import Finding

SURVEY_VERSION = 1
_VARIABLES = (
    "piquet_addresses", "piquet_allow_unloaded", "piquet_arm_partial", "piquet_baseline", "piquet_become",
    "piquet_campaign", "piquet_canary", "piquet_health_paths", "piquet_hosts", "piquet_install_python",
    "piquet_late_release", "piquet_max_skew_s", "piquet_plan_digest", "piquet_python",
    "piquet_eve_stage", "piquet_rehearse_end", "piquet_rehearse_phase", "piquet_scheduler", "piquet_sites",
    "piquet_stop_decision", "piquet_stop_site", "piquet_stop_withdrawn",
    "piquet_verify_baseline", "piquet_verify_ca", "piquet_verify_moment",
    "piquet_verify_public", "piquet_verify_resolver", "piquet_workdir",
)  # fmt: skip
"""What an inventory may say of us whatever its hosts' servers are: the variables of the roles, `piquet_addresses` and
`piquet_sites`."""
NOT_SERVED = "site-not-served"
"""Code of the finding that a declared site is served by nobody."""

_CATCH_ALL = frozenset({"", "_", "*"})
_MAX_NAMED = 5


def read_fleet(
    hosts: Mapping[str, Mapping[str, Any]], surveys: Mapping[str, Mapping[str, Any]], kinds: Kinds
) -> Fleet:
    """Put the inventory and the surveys together.

    Args:
        hosts: inventory name → host variables; `ansible_host`, `piquet_addresses`, `piquet_sites`, `piquet_scheduler`,
            `piquet_late_release` and what speaks of a server are used.
        surveys: inventory name → survey document with `skew_s`; of other hosts only the names are read.
        kinds: of web servers, by their names in a survey.

    Raises:
        FleetError: with every host whose variables or survey are not in the agreed form.
    """
    found: list[Host] = []
    problems: list[Problem] = []
    for name in sorted(hosts):
        try:
            problems += choices.problems(name, hosts[name], kinds)
            found.append(_host(name, hosts[name], surveys.get(name), kinds))
        except FormError as err:
            problems.append(Problem(name, 0, 0, err.message, err.expected, err.got, err.hint))
    if problems:
        raise FleetError("the fleet cannot be used as it is", problems)
    others = (surveys[name] for name in sorted(surveys.keys() - hosts.keys()))
    return Fleet(
        tuple(found), frozenset(name for survey in others for name in _names_elsewhere(survey, kinds))
    )


def _names_elsewhere(survey: Mapping[str, Any], kinds: Kinds) -> set[str]:
    """What a host outside of this plan serves; nothing of one whose survey cannot be read."""
    try:
        vhosts = [v for kind, part in parts_of(survey, kinds) if part for v in kind.virtual_hosts(part)]
        return {name for vhost in vhosts for name in _names(vhost["names"], set())}
    except (KeyError, TypeError, AttributeError):
        return set()


def _host(name: str, variables: Mapping[str, Any], survey: Mapping[str, Any] | None, kinds: Kinds) -> Host:
    address = str(variables.get("ansible_host") or name)
    if "{{" in address:
        raise FormError(
            "`ansible_host` holds a template", "an address or a name", address, "write the value itself"
        )
    _check_names(variables, kinds)
    declared = _declared_names(variables.get("piquet_sites"))
    addresses = _addresses(variables.get("piquet_addresses"))
    health_paths = _health_paths(variables.get("piquet_health_paths"))
    for kind in kinds.values():
        kind.narrowed(variables, ())
    if survey is None:
        return Host(name, address, (), (), None, None)
    try:
        host = _surveyed_host(name, address, declared, survey, kinds)
        scheduler, is_there = choices.scheduler(variables, survey)
        servers = tuple(
            replace(facts, variant=kind_named(kinds, facts.provider).variant(variables, facts))
            for facts in host.servers
        )
        host = replace(host, scheduler=scheduler, is_scheduler_there=is_there, servers=servers)
        is_accepted, python = choices.accepts_late_release(variables), choices.python(variables)
        host = replace(host, accepts_late_release=is_accepted, python=python)
        sites = host.sites
        for kind in kinds.values():
            sites = kind.narrowed(variables, sites)
        return replace(host, sites=sites, addresses=addresses, health_paths=health_paths)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as err:
        reason = f"{type(err).__name__}: {err}"
        hint = "run the survey verb again with this version of piquet"
        raise FormError("its survey is not in the agreed form", "", shown(reason), hint) from err


def known_variables(kinds: Kinds) -> tuple[str, ...]:
    """Every variable of ours that an inventory may have, sorted."""
    of_servers = (
        variable for kind in kinds.values() for variable in (f"piquet_{kind.name}", *kind.variables)
    )
    return tuple(sorted((*_VARIABLES, *of_servers)))


def _check_names(variables: Mapping[str, Any], kinds: Kinds) -> None:
    """A misspelt `piquet_sites` would choose every site of the host, so nothing unknown is passed over."""
    known = known_variables(kinds)
    for name in sorted(variables):
        if name.startswith("piquet_") and name not in known:
            close = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {close[0]}?" if close else "names that begin with piquet_ are ours"
            raise FormError(f"there is no variable {shown(name)}", ", ".join(known), hint=hint)


def _declared_names(value: Any) -> tuple[str, ...] | None:
    """The names that the inventory narrows a host to; None for no narrowing."""
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise FormError("`piquet_sites` is not a list of names", "[www.example.org, …]", shown(value))
    try:
        return tuple(sorted({site_name(item) for item in value}))
    except Refusal as err:
        raise FormError(f"`piquet_sites`: {err.message}", err.expected, shown(value), err.hint) from err


def _health_paths(value: Any) -> tuple[str, ...]:
    """What a load balancer in front of a host asks, to know whether it is well."""
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise FormError("`piquet_health_paths` is not a list of paths", "[/health, …]", shown(value))
    try:
        return tuple(sorted({health_path(item) for item in value}))
    except Refusal as err:
        raise FormError(
            f"`piquet_health_paths`: {err.message}", err.expected, shown(value), err.hint
        ) from err


def _addresses(value: Any) -> tuple[str, ...]:
    """The addresses that the inventory names for a host besides the one to log in at."""
    if value is None:
        return ()
    try:
        if not isinstance(value, list):
            raise ValueError("no list")
        return tuple(str(ipaddress.ip_address(typed(item, str))) for item in value)
    except (ValueError, TypeError):
        expected = '[192.0.2.7, "2001:db8::7"]'
        raise FormError("`piquet_addresses` is not a list of IP addresses", expected, shown(value)) from None


def _surveyed_host(
    name: str, address: str, declared: tuple[str, ...] | None, survey: Mapping[str, Any], kinds: Kinds
) -> Host:
    if survey["piquet_survey"] != SURVEY_VERSION:
        message, got = "its survey was written by another version of piquet", str(survey["piquet_survey"])
        raise FormError(message, f"form {SURVEY_VERSION}", f"form {got}", "survey this host again")
    servers: list[ServerFacts] = []
    sites: list[Site] = []
    unusable: set[str] = set()
    idle: list[Finding] = []
    idle_names: set[str] = set()
    for kind, part in parts_of(survey, kinds):
        servers.append(kind.facts(part))
        found = _sites(kind, kind.virtual_hosts(part), unusable)
        if servers[-1].running:
            sites += found
        elif found:
            idle.append(_idle_server_finding(name, kind.name, len(found)))
            idle_names |= {site.name for site in found}
    findings = [*idle, *(_finding(name, record) for record in survey.get("findings") or ())]
    served = sorted({site.name for site in sites})
    chosen, missing = _narrowed_sites(sites, declared)
    findings += _unusable_name_findings(name, unusable) + [_not_served(name, site) for site in missing]
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
    return HealthCheck(typed(record["path"], str), typed(record["agent"], str), typed(record["count"], int))


def _sites(kind: SurveyedServer[Any], vhosts: Iterable[Part], unusable: set[str]) -> list[Site]:
    """One site per name; names that cannot be a site are added to `unusable`."""
    by_name: dict[str, list[Part]] = {}
    for vhost in vhosts:
        for name in _names(vhost["names"], unusable):
            by_name.setdefault(name, []).append(vhost)
    return [_site(kind, name, group) for name, group in by_name.items()]


def _site(kind: SurveyedServer[Any], name: str, vhosts: list[Part]) -> Site:
    listens = [listen for vhost in vhosts for listen in vhost["listens"]]
    return Site(
        name=name,
        provider=kind.name,
        listens=tuple(sorted({_listen(listen) for listen in listens})),
        hooked=all(kind.is_hooked(vhost) for vhost in vhosts),
        is_default=any(typed(listen.get("default", False), bool) for listen in listens),
        inherited=tuple(sorted({one for vhost in vhosts for one in inherited_directives(vhost)})),
        passes=tuple(sorted({_pass(record) for vhost in vhosts for record in vhost.get("passes") or ()})),
        believed=tuple(sorted({one for vhost in vhosts for one in _believed_networks(vhost)})),
        flag_lag_s=max(typed(vhost.get("flag_lag_s", 0), int) for vhost in vhosts),
        over_http3=any(typed(vhost.get("quic", []), list) for vhost in vhosts),
    )


def inherited_directives(vhost: Part) -> Iterator[Inherited]:
    """Directives of other people's modules that ours would take over there, but those that are switched off.

    Raises:
        KeyError, TypeError: they are not in the agreed form.
    """
    for record in vhost.get("inherited") or ():
        if not typed(record["off"], bool):
            name, place = (printable_line(typed(record[key], str)) for key in ("name", "place"))
            yield Inherited(name, place)


def _pass(record: Mapping[str, Any]) -> Pass:
    address, host = (typed(record[key], str) for key in ("address", "host"))
    return Pass(address, typed(record["port"], int), host, typed(record["cached"], bool))


def _believed_networks(vhost: Mapping[str, Any]) -> Iterator[Believed]:
    for network in vhost.get("realip") or ():
        for listen in vhost["listens"]:
            yield Believed(typed(listen["port"] or 0, int), typed(network, str))


def _listen(record: Mapping[str, Any]) -> Listen:
    return Listen(
        typed(record["address"], str),
        typed(record["port"] or 0, int),
        typed(record["tls"], bool),
        typed(record.get("proxy_protocol", False), bool),
    )


def _names(raw: Iterable[Any], unusable: set[str]) -> Iterator[str]:
    """The sites that a vhost's names stand for."""
    for text in dict.fromkeys(typed(name, str) for name in raw):
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


def _narrowed_sites(sites: list[Site], declared: tuple[str, ...] | None) -> tuple[list[Site], list[str]]:
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


def _unusable_name_findings(host: str, names: set[str]) -> list[Finding]:
    if not names:
        return []
    some = ", ".join(shown(name) for name in sorted(names)[:_MAX_NAMED])
    more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
    message = "names that are no host name cannot be chosen; requests for them stay as usual"
    hint = "where such a site matters, add its host name to the vhost"
    return [Finding("warning", "name-not-a-site", host, message, "host names or *.suffix", some + more, hint)]


def _idle_server_finding(host: str, provider: str, count: int) -> Finding:
    message = (
        f"{provider} is installed but does not run, so the {count} names of its configuration are left out"
    )
    hint = "if it should run: have its owner start it, then survey again"
    return Finding("warning", "server-not-running", host, message, hint=hint)


def _not_served(host: str, site: str) -> Finding:
    message = f"{site} is declared in the inventory, but no server of this host serves it"
    hint = "correct `piquet_sites`, or run the survey verb again if the site is new"
    return Finding("error", NOT_SERVED, host, message, hint=hint)
