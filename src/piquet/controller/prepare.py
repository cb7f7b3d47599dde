# SPDX-License-Identifier: GPL-3.0-or-later
"""From campaign file and inventory to plan, digest and bundles, on the controller: the edge around the pure core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from piquet.bundle import Bundle, build_bundles
from piquet.campaign.spoken import window_lines
from piquet.controller.check import judge_campaign
from piquet.controller.store import write_members
from piquet.decision.document import decision_document
from piquet.decision.mandate import MandateState
from piquet.decision.signed_folder import SignedDecision, read_signed
from piquet.decision.signing import mandate_state
from piquet.errors import PiquetError, PlanError, kind_of
from piquet.findings import as_text, as_texts, by_weight
from piquet.fleet.read import read_fleet
from piquet.fleet.sites import counted, sites_on_hosts
from piquet.fleet.workdir import Workdir
from piquet.load import LoadedCampaign, bypass_secret, load_campaign, pages_key
from piquet.plan import HostPlan, Plan, make_plan, plan_digest, plan_document, raise_if_unsafe
from piquet.protocol.findings import Finding, errors
from piquet.protocol.places import DECISION_FILE, SIGNATURES
from piquet.servers.registry import SERVERS

PLAN_ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "campaign": {"type": "path", "required": True},
    "workdir": {"type": "path", "required": True},
    "hosts": {"type": "str", "default": "all"},
    "digest": {"type": "str", "default": ""},
    "canary": {"type": "list", "elements": "str", "default": []},
    "whole": {"type": "bool", "default": False},
    "bundles": {"type": "bool", "default": False},
    "only_campaign": {"type": "bool", "default": False},
    "afterwards": {"type": "str", "default": ""},
}
"""What an engine may pass, in the form of Ansible's argument specs."""


@dataclass(frozen=True)
class Prepared:
    """A plan with all that stage needs.

    Attributes:
        plan: who shows what, when.
        document: the canonical `plan.json`.
        digest: its sha256, hex.
        bundles: one per host that shows something, sorted as in the plan.
        signed: the decision that it carries out, and whatever signatures lie beside it.
        mandate: who decided.
    """

    plan: Plan
    document: bytes
    digest: str
    bundles: tuple[Bundle, ...]
    signed: SignedDecision
    mandate: MandateState

    def members(self, bundle: Bundle) -> dict[str, bytes]:
        """What the payload of `stage` holds for one host besides agent and request."""
        files = {f"files/{file.sha256}": file.content for file in bundle.files if file.kind == "file"}
        signatures = {f"{SIGNATURES}{name}": text for name, text in self.signed.signatures.items()}
        decided = {DECISION_FILE: self.signed.document, **signatures}
        return {"plan.json": self.document, "manifest.json": bundle.manifest, **decided, **files}


def prepare(
    campaign_file: Path, hosts: Mapping[str, Mapping[str, Any]], workdir: Workdir, at: datetime
) -> Prepared:
    """Read the campaign and the kept surveys, make plan, bundles and digest.

    Args:
        campaign_file: `campaign.yml`; its secrets are made beside it at first need.
        hosts: inventory name → host variables.
        workdir: where the surveys are.
        at: now, aware, UTC.

    Raises:
        PiquetError: the campaign, the fleet or a page cannot be used, or the plan is unsafe.
    """
    loaded = load_campaign(campaign_file)
    plan = make_plan(loaded.campaign, read_fleet(hosts, workdir.surveys(), SERVERS), at, SERVERS)
    raise_if_unsafe(plan)
    return build(plan, loaded, at)


def build(plan: Plan, loaded: LoadedCampaign, at: datetime) -> Prepared:
    """Bundles, document and digest of a plan that was judged safe.

    Args:
        plan: who shows what.
        loaded: the campaign that it is of.
        at: now, aware; signers' keys must be valid then.

    Raises:
        BundleError: a page or a value cannot be written.
        CampaignError: a secret cannot be made or read.
        MandateError: signatures cannot be counted here.
    """
    secret = bypass_secret(loaded.path) if plan.campaign.doors.bypass else None
    bundles = build_bundles(plan, loaded.pages, secret, pages_key(loaded.path))
    signed = read_signed(loaded.path, decision_document(loaded.campaign, loaded.pages))
    manifests = {bundle.host: bundle.manifest_sha256 for bundle in bundles}
    document = plan_document(plan, manifests, signed.decision.digest)
    mandate = mandate_state(loaded, signed, at.timestamp())
    return Prepared(plan, document, plan_digest(document), bundles, signed, mandate)


def keep_plan(prepared: Prepared, workdir: Workdir) -> None:
    """Write plan and bundles down for `stage`, under the digest."""
    workdir.write_plan(prepared.digest, prepared.document)
    for bundle in prepared.bundles:
        write_members(workdir, prepared.digest, bundle.host, prepared.members(bundle))


def attempt(
    arguments: Mapping[str, Any], hosts: Mapping[str, Mapping[str, Any]], in_play: Sequence[str]
) -> dict[str, Any]:
    """Plan for an engine.

    Args:
        arguments: as in `ARGUMENTS`.
        hosts: inventory name → host variables, of the whole fleet.
        in_play: hosts that the engine runs on.

    Returns:
        An Ansible result with `digest`, `involved`, `canary`, `rest` and `findings`; `show` is for people.
        A failed one has `kind`, the word for where the fault lies: campaign, fleet, plan or bundle.
    """
    workdir, now = Workdir(Path(arguments["workdir"])), datetime.now(UTC)
    try:
        if arguments["only_campaign"]:
            return _check_result(*judge_campaign(Path(arguments["campaign"]), now))
        prepared = prepare(Path(arguments["campaign"]), hosts, workdir, now)
        _check_digest(prepared.digest, arguments["digest"])
        involved = _involved_hosts(prepared.plan, in_play, arguments["whole"])
        canary = _canary(prepared.plan, involved, arguments["canary"])
    except PiquetError as err:
        return {"failed": True, "changed": False, "kind": kind_of(err), "msg": str(err)}
    if arguments["bundles"]:
        keep_plan(prepared, workdir)
    is_told = workdir.is_told(prepared.digest, notes_text(prepared.plan))
    return {
        "changed": False,
        "digest": prepared.digest,
        "involved": list(involved),
        "canary": list(canary),
        "rest": [host for host in involved if host not in canary],
        "findings": [finding.to_json() for finding in prepared.plan.findings],
        "show": "\n\n".join(
            filter(None, [plan_text(prepared, now, is_told=is_told), arguments["afterwards"]])
        ),
    }


def _check_result(summary: str, found: Sequence[Finding]) -> dict[str, Any]:
    """What `piquet check` says, for an engine."""
    text = "\n\n".join([summary, *as_texts(found)])
    if errors(found):
        return {"failed": True, "changed": False, "kind": "campaign", "msg": text}
    return {"changed": False, "findings": [finding.to_json() for finding in found], "show": text}


def notes_text(plan: Plan) -> str:
    """What there is to say of a plan that is no warning."""
    return "\n".join(as_texts(finding for finding in plan.findings if finding.severity == "info"))


def plan_text(prepared: Prepared, at: datetime, *, is_told: bool = False) -> str:
    """Findings, what is shown when on how many sites, and the digest to pin.

    Args:
        prepared: the plan.
        at: now, aware, UTC.
        is_told: its notes were shown before.
    """
    campaign, hosts, found = prepared.plan.campaign, prepared.plan.hosts, by_weight(prepared.plan.findings)
    notes = [finding for finding in found if finding.severity == "info"] if is_told else []
    lines = as_texts([finding for finding in found if finding not in notes])
    if notes:
        lines.append(f"{counted(len(notes), 'note')} as told before; again: piquet plan -i INVENTORY")
    what = sites_on_hosts((host.host, entry.name) for host in hosts for entry in host.entries)
    lines.append(f"plan of {campaign.name}: {what}")
    lines += window_lines(campaign, at)
    return "\n".join(
        [*lines, *(f"  {line}" for line in prepared.mandate.lines()), f"  digest {prepared.digest}"]
    )


def _check_digest(digest: str, wanted: str) -> None:
    begun = wanted.rstrip("….")
    if begun and begun != digest and digest.startswith(begun):
        raise PlanError(
            f"this is only the beginning of a digest: {wanted}\n\n  hint: give all {len(digest)} characters"
        )
    if wanted and wanted != digest:
        finding = Finding(
            "error", "plan-changed", "plan", "this is not the plan that was reviewed", wanted, digest,
            "review the new plan (piquet plan), then give its digest, or leave piquet_plan_digest empty",
        )  # fmt: skip
        raise PlanError(as_text(finding))


def _involved_hosts(plan: Plan, in_play: Sequence[str], is_whole: bool) -> tuple[str, ...]:
    """Hosts of this run that have something to show.

    Raises:
        PlanError: `is_whole`, and a host of the plan is not in this run.
    """
    planned = [host.host for host in plan.hosts if host.entries]
    missing = [host for host in planned if host not in in_play]
    if is_whole and missing:
        finding = Finding(
            "error", "host-left-out", ", ".join(missing), "in the plan but not in this run",
            "every host of the plan", "a limit, a batch (serial), or a host lost earlier in this play",
            "run without --limit and serial, or with piquet_arm_partial=true",
        )  # fmt: skip
        raise PlanError(as_text(finding))
    return tuple(host for host in planned if host in in_play)


def _canary(plan: Plan, involved: Sequence[str], chosen: Sequence[str]) -> tuple[str, ...]:
    """The hosts to stage first: those named, else for each web server the host with the fewest sites.

    Raises:
        PlanError: a host is named that is not in the plan.
    """
    planned = {host.host: host for host in plan.hosts if host.entries}
    if unknown := sorted(set(chosen) - planned.keys()):
        raise PlanError(f"piquet_canary names hosts without any site of the plan: {', '.join(unknown)}")
    if chosen:
        return tuple(host for host in involved if host in chosen)
    hosts = sorted((planned[name] for name in involved), key=lambda host: (len(host.entries), host.host))
    first: dict[str, str] = {}
    for host in hosts:
        for provider in sorted(_providers(host)):
            first.setdefault(provider, host.host)
    return tuple(sorted(set(first.values())))


def _providers(host: HostPlan) -> set[str]:
    return {entry.provider for entry in host.entries}
