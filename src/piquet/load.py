# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge where a campaign comes from disk: its file, all that lies beside it, its secret."""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass, replace
from pathlib import Path

from piquet.campaign.document import read_document
from piquet.campaign.folder import Folder, read_text
from piquet.campaign.model import Campaign
from piquet.campaign.parse import not_usable, parse_and_judge
from piquet.campaign.withdrawals import (
    MAX_WITHDRAWALS_BYTES,
    WITHDRAWALS_FILE,
    WithdrawalList,
    read_withdrawals,
)
from piquet.errors import CampaignError, Problem
from piquet.pages.campaign_folder import Beside
from piquet.pages.source import PageSource
from piquet.protocol.signatures import SigningRole

SECRET_FILE = "bypass.key"  # noqa: S105 - the name of the file
PAGES_FILE = "pages.key"
_SECRET = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class LoadedCampaign:
    """A campaign with everything that lies beside its file.

    Attributes:
        campaign: what the file says.
        pages: in the order of phases and languages.
        path: of the campaign file.
        roles: who may sign, sorted by name; empty where nobody is asked to.
    """

    campaign: Campaign
    pages: tuple[PageSource, ...]
    path: Path
    roles: tuple[SigningRole, ...] = ()


def load_campaign(path: Path) -> LoadedCampaign:
    """Read a campaign file, its consent list, its pages, messages and pictures, its theme, and who may sign.

    Raises:
        CampaignError: with every problem of all of them at once.
    """
    document = read_document(read_text(path, str(path), 1024 * 1024), str(path))
    beside = Beside(document, Folder(path.parent))
    campaign, found = parse_and_judge(document, beside.consent())
    pages, theme, roles = tuple(beside.pages()), beside.theme(), tuple(beside.roles())
    withdrawals = withdrawals_of(path)
    if campaign is None or beside.problems or withdrawals.problems:
        raise not_usable(str(path), dict.fromkeys([*found, *beside.problems, *withdrawals.problems]))
    sites = replace(campaign.sites, withdrawn=tuple(sorted(withdrawals.sites)))
    campaign = replace(campaign, sites=sites)
    illustrated = frozenset(page.phase for page in pages if page.pictures)
    return LoadedCampaign(replace(campaign, theme=theme, illustrated=illustrated), pages, path, roles)


def withdrawals_of(path: Path) -> WithdrawalList:
    """Who withdrew, by the list beside a campaign file; nobody, where there is none.

    Raises:
        CampaignError: there is one that cannot be read.
    """
    file = path.parent / WITHDRAWALS_FILE
    if not file.exists():
        return WithdrawalList()
    return read_withdrawals(read_text(file, WITHDRAWALS_FILE, MAX_WITHDRAWALS_BYTES), WITHDRAWALS_FILE)


def bypass_secret(path: Path) -> str:
    """The secret of the testers' link: 32 hex digits beside the campaign file, made when first needed.

    Args:
        path: of the campaign file.

    Raises:
        CampaignError: if the key file cannot be made or read, is open to others, or holds something else.
    """
    return _secret(path.parent / SECRET_FILE)


def pages_key(path: Path) -> str:
    """The secret that names the folder of pages on the hosts, kept as the other one is; every campaign has it.

    It is another secret, since testers and whoever reads a site's access log know that of the bypass.

    Args:
        path: of the campaign file.

    Raises:
        CampaignError: if the key file cannot be made or read, is open to others, or holds something else.
    """
    return _secret(path.parent / PAGES_FILE)


def made_secret(loaded: LoadedCampaign) -> str | None:
    """The secret if the campaign has a bypass and the key was made already; looking makes no key.

    Raises:
        CampaignError: if the key file cannot be read, is open to others, or holds something else.
    """
    is_made = (loaded.path.parent / SECRET_FILE).is_file()
    return bypass_secret(loaded.path) if loaded.campaign.doors.bypass and is_made else None


def _secret(file: Path) -> str:
    """What a key file holds; made when first needed."""
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _kept_secret(file)
    except OSError as err:
        raise CampaignError(f"the {_words(file)} cannot be written: {err}") from err
    with os.fdopen(handle, "w", encoding="ascii") as stream:
        secret = secrets.token_hex(16)
        stream.write(f"{secret}\n")
    return secret


def _words(file: Path) -> str:
    """The key as messages call it."""
    return f"{file.stem} key"


def _kept_secret(file: Path) -> str:
    text = read_text(file, str(file), 1024).strip()
    if not _SECRET.fullmatch(text):
        problem = Problem(
            str(file), 1, 0, f"this is not a {_words(file)}", "32 hex digits", hint="delete the file"
        )
        raise CampaignError(f"the {_words(file)} cannot be used", [problem])
    if file.stat().st_mode & 0o077:
        hint = f"chmod 600 {file}; if others may have read it, delete it and plan again"
        raise CampaignError(
            f"the {_words(file)} is open to others", [Problem(str(file), 0, 0, "not private", hint=hint)]
        )
    return text
