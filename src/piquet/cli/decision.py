# SPDX-License-Identifier: GPL-3.0-or-later
"""`piquet decision`: what people vote on, read aloud and sign."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from piquet.cli.campaign_file import CAMPAIGN_ARGUMENT, campaign_file
from piquet.cli.drive import drive_verb
from piquet.cli.exit_codes import FINDINGS, OK
from piquet.cli.hosts import ENGINE, INVENTORY
from piquet.decision.document import decision_document
from piquet.decision.mandate import MandateState
from piquet.decision.pdf import sheet_pdf
from piquet.decision.sheet import sheets
from piquet.decision.sheet_forms import sheets_html, sheets_text
from piquet.decision.signed_folder import keep_signature, read_others, read_signed
from piquet.decision.signing import mandate_state, raw_signature, sign_message
from piquet.engines import EngineRequest
from piquet.errors import MandateError
from piquet.load import LoadedCampaign, load_campaign
from piquet.printable import printable_line
from piquet.protocol.decision import decision_digest
from piquet.protocol.places import STOP_FILE, TRUST_FILE
from piquet.protocol.signers import DECISION_NAMESPACE, STOP_NAMESPACE, is_principal
from piquet.protocol.stopping import StoppedDecision, stop_document
from piquet.protocol.trust import trust_document

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group("decision")
def command() -> None:
    """Show what people vote on and sign, with its digest.

    Hours, modes, words, sites and what stays open; nothing of hosts and servers.
    """


@command.command("show")
@CAMPAIGN_ARGUMENT
@click.option("--html", type=_FILE, help="Write it as one HTML file, which prints a language to a page.")
@click.option("--pdf", type=_FILE, help="Write it as PDF; needs piquet[pdf].")
@click.option("--json", "json_file", type=_FILE, help="Write the canonical decision.json.")
def show_decision(campaign: Path | None, html: Path | None, pdf: Path | None, json_file: Path | None) -> None:
    """Print the decision in French, English and each language of CAMPAIGN, with its digest.

    CAMPAIGN is campaign/campaign.yml in this folder by default.
    """
    loaded = load_campaign(campaign_file(campaign))
    document = decision_document(loaded.campaign, loaded.pages)
    found = sheets(loaded.campaign, loaded.pages, decision_digest(document))
    written = sheets_html(found)
    if html:
        html.write_text(written, "utf-8")
    if pdf:
        pdf.write_bytes(sheet_pdf(written))
    if json_file:
        json_file.write_bytes(document)
    click.echo(sheets_text(found), nl=False)


@command.command("sign")
@CAMPAIGN_ARGUMENT
@click.option("--as", "name", required=True, help="Your name, as the signers' file has it.")
@click.option(
    "--key", type=_FILE, help="Your private key, or the public one of a key in the agent [the agent's]."
)
@click.option(
    "--trust", "of_signers", is_flag=True, help="Sign the campaign's list of signers instead; needs --key."
)
def sign_decision(campaign: Path | None, name: str, key: Path | None, of_signers: bool) -> int:
    """Sign the decision of CAMPAIGN with an ssh key, and keep the signature beside it.

    CAMPAIGN is campaign/campaign.yml in this folder by default. Read the digest aloud before. With --trust those who
    are pinned on the hosts agree to other signers, themselves among them or not.
    """
    loaded = load_campaign(campaign_file(campaign))
    if of_signers:
        return _sign_signers(loaded, name, key)
    document = decision_document(loaded.campaign, loaded.pages)
    click.echo(f"signing revision {loaded.campaign.revision}, digest {decision_digest(document)}", err=True)
    signature = sign_message(loaded, name, key, document, DECISION_NAMESPACE, time.time())
    file = keep_signature(loaded.path, document, name, signature)
    click.echo(f"kept in {file}", err=True)
    _print_state(loaded, document)
    return OK


def _sign_signers(loaded: LoadedCampaign, name: str, key: Path | None) -> int:
    """Sign the list of signers; only the hosts know who is pinned there."""
    if key is None or not is_principal(name):
        raise click.UsageError("--trust needs --key FILE, and in --as the name of a person")
    document = trust_document(loaded.roles)
    for role in loaded.roles:
        people = ", ".join(sorted({signer.name for signer in role.signers}))
        click.echo(f"signing {role.name}, {role.threshold} of: {people}", err=True)
    signature = raw_signature(key, document, DECISION_NAMESPACE)
    click.echo(f"kept in {keep_signature(loaded.path, document, name, signature, TRUST_FILE)}", err=True)
    return OK


@command.command("status")
@CAMPAIGN_ARGUMENT
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
def decision_status(campaign: Path | None, is_json: bool) -> int:
    """Tell which roles have signed the decision of CAMPAIGN, how many are missing, and what else was signed.

    CAMPAIGN is campaign/campaign.yml in this folder by default.
    """
    loaded = load_campaign(campaign_file(campaign))
    document = decision_document(loaded.campaign, loaded.pages)
    if is_json:
        state = mandate_state(loaded, read_signed(loaded.path, document), time.time())
        click.echo(json.dumps(state.to_json(), ensure_ascii=False, indent=2))
    else:
        state = _print_state(loaded, document)
    return FINDINGS if state.kind == "not signed yet" or state.refused else OK


def _print_state(loaded: LoadedCampaign, document: bytes) -> MandateState:
    """The mandate of the decision, then what was signed of another one."""
    at = time.time()
    state = mandate_state(loaded, read_signed(loaded.path, document), at)
    for line in state.lines():
        click.echo(printable_line(line) if not line.startswith(" ") else f"  {printable_line(line)}")
    for other in read_others(loaded.path, state.digest):
        signed = mandate_state(loaded, other, at)
        names = sorted({name for count in signed.counts for name in count.signed})
        if names:
            about = (
                f"revision {other.decision.revision} of {other.decision.campaign}, {other.decision.digest}"
            )
            click.echo(f"signed before, and not this: {about}: {', '.join(names)}")
    return state


@command.command("stop")
@CAMPAIGN_ARGUMENT
@INVENTORY
@ENGINE
@click.option("--as", "name", required=True, help="Your name, as the signers' file has it.")
@click.option(
    "--key", type=_FILE, help="Your private key, or the public one of a key in the agent [the agent's]."
)
@click.option("--digest", help="Of a decision that was signed before [the campaign's decision as it is now].")
def stop_decided(
    campaign: Path | None, inventory: str, engine: str, name: str, key: Path | None, digest: str | None
) -> int:
    """Stop the decision of CAMPAIGN for good on every host that it reaches: one signer is enough.

    CAMPAIGN is campaign/campaign.yml beside the inventory by default. What is armed by it is released; afterwards only
    the next revision, signed anew, can be armed there. Anybody can carry what is kept to further hosts.
    """
    loaded = load_campaign(campaign_file(campaign, inventory))
    stopped = _decision_to_stop(loaded, digest)
    message = stop_document(stopped)
    click.echo(
        f"stopping revision {stopped.revision} of {stopped.campaign}, digest {stopped.digest}", err=True
    )
    signature = sign_message(loaded, name, key, message, STOP_NAMESPACE, time.time())
    folder = keep_signature(loaded.path, message, name, signature, STOP_FILE).parent.absolute()
    click.echo(f"kept in {folder}; by playbook or deploy: stop with piquet_stop_decision={folder}", err=True)
    request = EngineRequest(inventory, None, {"piquet_stop_decision": str(folder)}, False)
    return drive_verb("stop", engine, request, is_json=False)


def _decision_to_stop(loaded: LoadedCampaign, digest: str | None) -> StoppedDecision:
    """The campaign's own decision, or one that was signed before."""
    document = decision_document(loaded.campaign, loaded.pages)
    own = read_signed(loaded.path, document).decision
    found = {one.decision.digest: one.decision for one in read_others(loaded.path, own.digest)} | {
        own.digest: own
    }
    if digest is not None and digest not in found:
        raise MandateError(
            f"no decision with this digest lies beside the campaign: {digest}\n\n  hint: {_LISTED}"
        )
    chosen = found[digest or own.digest]
    return StoppedDecision(chosen.campaign, chosen.revision, chosen.digest)


_LISTED = "piquet decision status tells all that was signed"
