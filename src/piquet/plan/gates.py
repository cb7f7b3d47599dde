# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in a plan's way, and what somebody should know before it is carried out.

Each gate looks at one thing and yields findings with a stable code; `error` refuses the plan. Only hosts
that show something are judged, but everything that a survey found is passed on. No file, no network, no
clock.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from piquet.campaign.matching import match_pattern, match_site
from piquet.campaign.model import Campaign, Phase
from piquet.campaign.windows import duration_text, local_text, overlaps
from piquet.errors import PlanError, Problem
from piquet.findings import Finding, errors
from piquet.fleet.model import Fleet, Host, Provider, ServerFacts
from piquet.fleet.read import NOT_SERVED
from piquet.plan.model import HostPlan, Plan
from piquet.plan.selection import Selector

NEEDED_MODULES: Mapping[Provider, tuple[str, ...]] = {
    "nginx": ("http_geo", "http_map", "http_rewrite"),
    "apache": ("alias_module", "headers_module"),
}
"""What our configuration cannot do without."""

MAX_SKEW_S = 2.0
MAX_SURVEY_AGE = timedelta(hours=24)
_SHOWN = 5
_SURVEY_AGAIN = "piquet survey -i INVENTORY --limit {host} (or the playbook piquet.fleet.survey)"
_HOOK = "piquet hook -i INVENTORY --limit {host} (or the playbook piquet.fleet.hook)"


def raise_if_unsafe(plan: Plan) -> None:
    """Refuse a plan that has errors.

    Raises:
        PlanError: with every error of the plan.
    """
    found = errors(plan.findings)
    if found:
        count = "1 error" if len(found) == 1 else f"{len(found)} errors"
        raise PlanError(f"this plan is not safe: {count}, nothing was written", map(_as_problem, found))


def campaign_findings(campaign: Campaign, at: datetime) -> Iterator[Finding]:
    """What the campaign alone tells, seen from the instant `at`."""
    last_end = max(phase.end_at for phase in campaign.phases)
    for phase in campaign.phases:
        subject = f"phase {phase.number}"
        if phase.mode != "block":
            message = (
                f"{phase.mode} belongs to the campaign file's language, but this version cannot show it yet"
            )
            yield Finding(
                "error", "mode-not-built", subject, message, "block", phase.mode, "take this phase out"
            )
        yield from _window_findings(campaign, phase, subject, at, last_end)
    for first, second in overlaps(campaign.phases):
        message = f"it begins before phase {first.number} has ended"
        yield Finding("error", "phases-overlap", f"phase {second.number}", message)
    if campaign.mandate:
        message = "the mandate is a record: nobody's signature has been checked"
        yield Finding("info", "mandate-record-only", campaign.name, message)


def selection_findings(selector: Selector, fleet: Fleet, hosts: tuple[HostPlan, ...]) -> Iterator[Finding]:
    """Names that nobody serves, consent that is missing, and how much of the fleet is meant."""
    if any(host.surveyed_at is None for host in fleet.hosts):
        return  # nobody knows all names yet, and that is an error of its own
    served = {name for host in hosts for name in host.known}
    for pattern in sorted(selector.include):
        if not _means_something(pattern, served):
            yield _nobody_serves("error", pattern, "include", "chosen", served)
    for pattern in sorted(selector.exclude):
        if not _means_something(pattern, served):
            yield _nobody_serves("warning", pattern, "exclude", "left out", served)
    yield from _consent_findings(selector, served)
    yield from _share_findings(selector.campaign, hosts)


def host_findings(host: Host, host_plan: HostPlan, at: datetime) -> Iterator[Finding]:
    """What one host tells: the gates if it shows something, and what else its survey found."""
    own = tuple(_gate_findings(host, host_plan, at))
    yield from own
    spoken = {finding.code for finding in own}
    yield from (_weighed(f, host, host_plan) for f in host.findings if f.code not in spoken)


def _weighed(finding: Finding, host: Host, host_plan: HostPlan) -> Finding:
    """A survey's error is a warning where the plan touches nothing: on an idle host, in an idle server."""
    shown = {entry.provider for entry in host_plan.entries}
    idle = {f"{host.name}:{server.provider}" for server in host.servers if server.provider not in shown}
    is_idle = finding.subject in idle or (not shown and finding.code != NOT_SERVED)
    return replace(finding, severity="warning") if is_idle and finding.severity == "error" else finding


def _gate_findings(host: Host, host_plan: HostPlan, at: datetime) -> Iterator[Finding]:
    if host.surveyed_at is None:
        message = "this host has not been surveyed, so nobody knows what it serves"
        yield Finding("error", "no-survey", host.name, message, hint=_SURVEY_AGAIN.format(host=host.name))
    if not host_plan.entries:
        return
    yield from _survey_findings(host, at)
    yield from _scheduler_findings(host)
    yield from _hook_findings(host, host_plan)
    shown = {entry.provider for entry in host_plan.entries}
    for server in host.servers:
        if server.provider in shown:
            for gate in _SERVER_GATES:
                yield from gate(host.name, server)


def _window_findings(
    campaign: Campaign, phase: Phase, subject: str, at: datetime, last_end: datetime
) -> Iterator[Finding]:
    start, end = (local_text(when, campaign.timezone) for when in (phase.start_at, phase.end_at))
    now = local_text(at, campaign.timezone)
    if phase.end_at <= at:
        if last_end <= at:
            hint = "give it new dates, and let people agree to them again"
            yield Finding(
                "error", "window-past", subject, "its window is over", f"an end after {now}", end, hint
            )
        else:
            yield Finding("warning", "window-past", subject, "it is over and shows nothing any more", got=end)
    elif phase.start_at <= at:
        message = f"its window began at {start}: once armed, it shows at once"
        yield Finding("warning", "window-begun", subject, message, f"a start after {now}", start)
    length, limit = phase.end_at - phase.start_at, campaign.limits.max_block
    if phase.mode == "block" and length > limit:
        hint = "shorten the window, or raise limits.max_block if that was agreed"
        expected, got = f"at most {duration_text(limit)}", duration_text(length)
        yield Finding("error", "window-too-long", subject, "it blocks too long", expected, got, hint)


def _means_something(pattern: str, served: set[str]) -> bool:
    """Whether a pattern means one of the names that are served, those below a wildcard included."""
    if pattern in served:
        return True
    return any(match_pattern(name, {pattern}) for name in served) if "*" in pattern else False


def _nobody_serves(severity: str, pattern: str, where: str, effect: str, served: set[str]) -> Finding:
    message = f"no host of the fleet serves a site that `{where}` means by it, so nothing is {effect}"
    hint = "correct the name, survey the host that serves it, or take it out"
    if close := difflib.get_close_matches(pattern, sorted(served), 1, 0.8):
        hint = f"did you mean {close[0]}? Else survey the host that serves it, or take it out"
    code = "site-unknown" if severity == "error" else "exclude-unknown"
    return Finding("error" if severity == "error" else "warning", code, pattern, message, hint=hint)


def _consent_findings(selector: Selector, served: set[str]) -> Iterator[Finding]:
    chosen = sorted(name for name in served if selector.is_chosen(name))
    silent = [name for name in chosen if selector.answer(name) is None]
    if silent:
        message = f"{_sites(silent)} gave no answer, so they stay as usual"
        yield Finding("warning", "consent-missing", "consent", message, "in, out or message", _some(silent))
    strangers = [name for name in selector.consent if not _means_something(name, served)]
    if strangers:
        message = f"{_sites(strangers)} of the consent list are not served by the fleet"
        yield Finding("warning", "consent-unknown", "consent", message, got=_some(sorted(strangers)))
    only_message = [name for name in chosen if selector.answer(name) == "message"]
    if only_message:
        message = f"{_sites(only_message)} agreed to a message only, and stay as usual in other phases"
        yield Finding("info", "consent-message-only", "consent", message, got=_some(only_message))


def _share_findings(campaign: Campaign, hosts: tuple[HostPlan, ...]) -> Iterator[Finding]:
    meant = sum(len({entry.name for entry in host.entries}) for host in hosts)
    total = sum(len(host.known) for host in hosts)
    if not meant:
        hint = "look at `sites` in the campaign file, and at the surveys"
        yield Finding("error", "nothing-chosen", campaign.name, "no site would show anything", hint=hint)
    elif meant * 100 > campaign.limits.max_share_percent * total:
        hint = "choose fewer sites, or raise limits.max_share if that was agreed"
        expected, got = (
            f"at most {campaign.limits.max_share_percent}%",
            f"{meant} of {total} ({meant / total:.1%})",
        )
        yield Finding(
            "error", "share-too-large", campaign.name, "too many sites are meant", expected, got, hint
        )


def _survey_findings(host: Host, at: datetime) -> Iterator[Finding]:
    hint = _SURVEY_AGAIN.format(host=host.name)
    if host.surveyed_at is not None and at - host.surveyed_at > MAX_SURVEY_AGE:
        hours = (at - host.surveyed_at) // timedelta(hours=1)
        yield Finding("warning", "survey-old", host.name, f"its survey is {hours} hours old", hint=hint)
    if host.clock_skew_s is None:
        yield Finding("warning", "clock-unknown", host.name, "nobody compared its clock with ours", hint=hint)
    elif abs(host.clock_skew_s) > MAX_SKEW_S:
        expected, got = f"at most {MAX_SKEW_S:g} s", f"{host.clock_skew_s:+.1f} s"
        hint = "set its clock (timedatectl set-ntp true), or ours, then survey again"
        yield Finding("error", "clock-skew", host.name, "its clock and ours differ", expected, got, hint)


def _scheduler_findings(host: Host) -> Iterator[Finding]:
    """Without systemd as process 1 its timers cannot be staged; a cron that is stopped can be started until arm."""
    if host.is_scheduler_there is not False:
        return
    if host.scheduler == "systemd":
        message, hint = "this host was not booted with systemd", "set piquet_scheduler to auto or cron for it"
        yield Finding("error", "no-systemd", host.name, message, "cron", "piquet_scheduler: systemd", hint)
    else:
        message = "no cron that reads /etc/cron.d runs on this host, and arm refuses a host without one"
        hint = "have its owner start cron, also at boot"
        yield Finding("warning", "cron-not-running", host.name, message, "cron or crond running", hint=hint)


def _hook_findings(host: Host, host_plan: HostPlan) -> Iterator[Finding]:
    shown = {entry.name for entry in host_plan.entries if entry.provider == "nginx"}
    hooked = {site.name: site.hooked for site in host.sites if site.provider == "nginx"}
    missing = sorted(name for name in shown if not hooked[match_site(name, hooked.keys()) or name])
    if missing:
        message = f"the nginx server blocks of {_sites(missing)} have no hook line"
        hint = _HOOK.format(host=host.name)
        yield Finding(
            "error", "not-hooked", host.name, message, "the include line first", _some(missing), hint
        )


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
    missing = [name for name in NEEDED_MODULES[server.provider] if name not in server.modules]
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


def _open_file_cache(host: str, server: ServerFacts) -> Iterator[Finding]:
    if server.open_file_cache:
        message = "open_file_cache is on: a stop by hand can be seen seconds late, so rollback reloads"
        yield Finding("warning", "open-file-cache", host, message)


def _quick_handler(host: str, server: ServerFacts) -> Iterator[Finding]:
    if server.quick_handler_cache:
        message = "mod_cache answers before everything else: pages that it holds are not blocked"
        yield Finding("warning", "quick-handler-cache", host, message, "CacheQuickHandler off", "on")


_SERVER_GATES: tuple[Callable[[str, ServerFacts], Iterator[Finding]], ...] = (
    _config,
    _dropin,
    _modules,
    _canonical_name,
    _open_file_cache,
    _quick_handler,
)


def _sites(names: Iterable[str]) -> str:
    count = len(list(names))
    return "1 site" if count == 1 else f"{count} sites"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _as_problem(finding: Finding) -> Problem:
    message = f"{finding.message} [{finding.code}]"
    return Problem(finding.subject, 0, 0, message, finding.expected, finding.got, finding.hint)
