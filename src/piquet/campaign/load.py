# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge where a campaign comes from disk: its file, its consent list, its pages, its secret."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from piquet.campaign.document import Document, read_document
from piquet.campaign.document import Path as Place
from piquet.campaign.model import Campaign
from piquet.campaign.page_text import page_problems
from piquet.campaign.pages import MAX_PAGE_BYTES, SUFFIXES, PageSource
from piquet.campaign.parse import judge, not_usable
from piquet.errors import CampaignError, Problem

MAX_CONSENT_BYTES = 4 * 1024 * 1024
_MISSING = "give its path (to a playbook: -e piquet_campaign=PATH); `piquet init` writes an example"
_ANY_CONSENT = "site,answer\n*,in\n"
"""In the place of a list that is there and was refused already, so that nobody is told that it is missing."""
SECRET_FILE = "bypass.key"  # noqa: S105 - the name of the file
_SECRET = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class LoadedCampaign:
    """A campaign with everything that lies beside its file.

    Attributes:
        campaign: what the file says.
        pages: in the order of phases and languages.
        path: of the campaign file.
    """

    campaign: Campaign
    pages: tuple[PageSource, ...]
    path: Path


def load_campaign(path: Path) -> LoadedCampaign:
    """Read a campaign file, its consent list and its pages.

    Raises:
        CampaignError: with every problem of all of them at once.
    """
    document = read_document(_text(path, str(path), 1024 * 1024), str(path))
    folder = path.parent
    problems: list[Problem] = []
    campaign, found = judge(document, _consent(document, folder, problems))
    pages = tuple(_pages(document, folder, problems))
    if campaign is None or problems:
        raise not_usable(str(path), [*found, *problems])
    return LoadedCampaign(campaign, pages, path)


def bypass_secret(path: Path) -> str:
    """The secret of the testers' link: 32 hex digits beside the campaign file, made when first needed.

    Args:
        path: of the campaign file.

    Raises:
        CampaignError: if the key file cannot be made or read, is open to others, or holds something else.
    """
    file = path.parent / SECRET_FILE
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _kept_secret(file)
    except OSError as err:
        raise CampaignError(f"the bypass key cannot be written: {err}") from err
    with os.fdopen(handle, "w", encoding="ascii") as stream:
        secret = secrets.token_hex(16)
        stream.write(f"{secret}\n")
    return secret


def made_secret(loaded: LoadedCampaign) -> str | None:
    """The secret if the campaign has a bypass and the key was made already; looking makes no key.

    Raises:
        CampaignError: if the key file cannot be read, is open to others, or holds something else.
    """
    is_made = (loaded.path.parent / SECRET_FILE).is_file()
    return bypass_secret(loaded.path) if loaded.campaign.doors.bypass and is_made else None


def _kept_secret(file: Path) -> str:
    text = _text(file, str(file), 1024).strip()
    if not _SECRET.fullmatch(text):
        problem = Problem(
            str(file), 1, 0, "this is not a bypass key", "32 hex digits", hint="delete the file"
        )
        raise CampaignError("the bypass key cannot be used", [problem])
    if file.stat().st_mode & 0o077:
        hint = f"chmod 600 {file}; if others may have read it, delete it and plan again"
        raise CampaignError(
            "the bypass key is open to others", [Problem(str(file), 0, 0, "not private", hint=hint)]
        )
    return text


def _text(file: Path, name: str, max_bytes: int) -> str:
    """The text of a file in UTF-8.

    Raises:
        CampaignError: if it cannot be read, is too long or is not UTF-8.
    """
    try:
        with file.open("rb") as stream:
            raw = stream.read(max_bytes + 1)
        if len(raw) > max_bytes:
            raise CampaignError(
                "too long", [Problem(name, 0, 0, "the file is too long", f"at most {max_bytes} bytes")]
            )
        return raw.decode("utf-8")
    except OSError as err:
        hint = _MISSING if isinstance(err, FileNotFoundError) else ""
        reason = f"this file cannot be read: {err.strerror}"
        raise CampaignError("a file is missing", [Problem(name, 0, 0, reason, hint=hint)]) from err
    except UnicodeDecodeError as err:
        line = raw[: err.start].count(b"\n") + 1
        raise CampaignError(
            "not UTF-8", [Problem(name, line, 0, "this is not UTF-8", hint="save it as UTF-8")]
        ) from err


def _consent(document: Document, folder: Path, problems: list[Problem]) -> str | None:
    """The consent list's text; None if none is named or it is not there (reported elsewhere)."""
    sites = document.data.get("sites") if isinstance(document.data, dict) else None
    name = sites.get("consent") if isinstance(sites, dict) else None
    if not isinstance(name, str) or ".." in name or name.startswith("/") or not (folder / name).is_file():
        return None
    if not _is_below(folder, name):
        problems.append(_outside(document, ("sites", "consent"), name))
        return _ANY_CONSENT
    try:
        return _text(folder / name, name, MAX_CONSENT_BYTES)
    except CampaignError as err:
        problems += err.problems
        return _ANY_CONSENT


def _pages(document: Document, folder: Path, problems: list[Problem]) -> Iterator[PageSource]:
    """Every page of every phase; a phase or language list that is not sound is somebody else's problem."""
    data = document.data if isinstance(document.data, dict) else {}
    phases, languages = data.get("phases"), data.get("languages")
    if not isinstance(phases, list) or not isinstance(languages, list):
        return
    for index, phase in enumerate(phases):
        name = phase.get("page") if isinstance(phase, dict) else None
        if not isinstance(name, str) or ".." in name or name.startswith("/"):
            continue
        for language in languages:
            if isinstance(language, str) and re.fullmatch(r"[A-Za-z-]{2,16}", language):
                place: Place = ("phases", index, "page")
                try:
                    yield _page(document, place, folder, name, index + 1, language)
                except CampaignError as err:
                    problems += err.problems


def _page(document: Document, place: Place, folder: Path, name: str, phase: int, language: str) -> PageSource:
    candidates = {f"{name}/{language}{suffix}": kind for suffix, kind in SUFFIXES.items()}
    found = [candidate for candidate in candidates if (folder / candidate).is_file()]
    if len(found) != 1:
        message = f"there is no page in {language}" if not found else f"there are two pages in {language}"
        missing = f"write {name}/{language}.md, or take {language} out of `languages`"
        hint = "keep one of them" if found else missing
        problem = document.problem(place, message, expected=" or ".join(candidates), hint=hint)
        raise CampaignError(message, [problem])
    file = found[0]
    if not _is_below(folder, file):
        raise CampaignError("outside", [_outside(document, place, file)])
    text = _text(folder / file, file, MAX_PAGE_BYTES)
    if not text.strip():
        raise CampaignError(
            "empty", [Problem(file, 0, 0, "this page is empty", hint="say why you are on strike")]
        )
    source = PageSource(phase, language, file, candidates[file], text)
    if problems := list(page_problems(source)):
        raise CampaignError("active", problems)
    return source


def _outside(document: Document, place: Place, file: str) -> Problem:
    """A symbolic link in the campaign's folder that leads elsewhere."""
    message, hint = f"{file} leads out of the campaign's folder", "put a copy in the place of the link"
    return document.problem(
        place, message, expected="a file in the campaign's folder", got="a link", hint=hint
    )


def _is_below(folder: Path, name: str) -> bool:
    """Whether a file lies below the folder, symbolic links followed."""
    return (folder / name).resolve().is_relative_to(folder.resolve())
