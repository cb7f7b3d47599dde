# SPDX-License-Identifier: GPL-3.0-or-later
"""All that a campaign file names and that lies beside it: consent list, pages, messages, pictures, theme.

Whatever cannot be used becomes a problem with a place; the rest is read all the same, so that everything wrong is told
at once. A name that is not sound is the schema's problem. Files are opened by `Folder` only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from piquet.campaign.document import Document, Path
from piquet.campaign.folder import Folder, shown_size
from piquet.campaign.model import BUILT_IN_THEMES, Theme
from piquet.errors import CampaignError, Problem
from piquet.pages import pictures, theme_files
from piquet.pages.banner_sheets import reach_problems
from piquet.pages.page_text import message_problems, page_problems, unreadable_problem
from piquet.pages.selection_file import MAX_SELECTION_BYTES, SELECTION_FILE, read_picks
from piquet.pages.source import MAX_MARKDOWN_BYTES, MAX_PAGE_BYTES, SUFFIXES, PageSource, Pick
from piquet.pages.style_sheets import bounds_problem, style_problems
from piquet.protocol.signatures import SigningRole
from piquet.protocol.signers import MAX_SIGNERS_BYTES, Signer, read_signers

MAX_CONSENT_BYTES = 4 * 1024 * 1024
_ANY_CONSENT = "site,answer\n*,in\n"
"""In the place of a list that is there and was refused already, so that nobody is told that it is missing."""
_WORDS = {
    "page": ("page", "say why you are on strike"),
    "message": ("message", "say what readers should know"),
}


class Beside:
    """Reads what lies beside one campaign file.

    Attributes:
        problems: everything that could not be used, so far.
    """

    def __init__(self, document: Document, folder: Folder) -> None:
        """Nothing is read yet; the document may be anything."""
        self.problems: list[Problem] = []
        self._document = document
        self._folder = folder
        self._data: Mapping[str, Any] = document.data if isinstance(document.data, dict) else {}
        found = self._data.get("languages")
        tags = found if isinstance(found, list) else []
        self._languages = [
            tag for tag in tags if isinstance(tag, str) and re.fullmatch(r"[A-Za-z-]{2,16}", tag)
        ]

    def consent(self) -> str | None:
        """The consent list's text; None if none is named or it is not there (reported elsewhere)."""
        sites = self._data.get("sites")
        name = _name(sites, "consent")
        if name is None or not self._folder.has_file(name):
            return None
        if not self._folder.is_inside(name):
            self.problems.append(self._outside_problem(("sites", "consent"), name))
            return _ANY_CONSENT
        try:
            return self._folder.text(name, MAX_CONSENT_BYTES)
        except CampaignError as err:
            self.problems += err.problems
            return _ANY_CONSENT

    def theme(self) -> Theme:
        """The campaign's theme with its files, the default one if it names none or a wrong one."""
        name = _name(self._data, "theme")
        if name is None or name in BUILT_IN_THEMES:
            return Theme(name or Theme().name)
        if not self._folder.has_folder(name):
            expected = f"{' or '.join(BUILT_IN_THEMES)}, or a folder beside the campaign file"
            message = "there is no such theme"
            self.problems.append(self._document.problem(("theme",), message, expected=expected, got=name))
            return Theme()
        files = dict(self._theme_files(name))
        if not files and not self.problems:
            hint = "copy the folder of a theme that you like, and change it"
            self.problems.append(self._document.problem(("theme",), f"{name} is empty", hint=hint))
        words = self._theme_words(name, files)
        return Theme(name, files, words)

    def roles(self) -> Iterator[SigningRole]:
        """Every role of the mandate with its signers; those that are not sound are problems."""
        mandate = self._data.get("mandate")
        found = mandate.get("roles") if isinstance(mandate, dict) else None
        for name, role in sorted(found.items()) if isinstance(found, dict) else ():
            threshold = role.get("threshold") if isinstance(role, dict) else None
            if (file := _name(role, "signers")) and isinstance(threshold, int):
                place: Path = ("mandate", "roles", name)
                made = SigningRole(name, threshold, self._signers((*place, "signers"), file))
                if made.signers and made.persons < threshold:
                    self.problems.append(self._too_few(place, made))
                yield made

    def _signers(self, place: Path, file: str) -> tuple[Signer, ...]:
        if not self._folder.has_file(file):
            hint = f"make {file}: a line of a name and a public key for each person, as in their .pub file"
            self.problems.append(self._document.problem(place, "there is no such file of signers", hint=hint))
            return ()
        if not self._folder.is_inside(file):
            self.problems.append(self._outside_problem(place, file))
            return ()
        try:
            signers, faults = read_signers(self._folder.text(file, MAX_SIGNERS_BYTES))
        except CampaignError as err:
            self.problems += err.problems
            return ()
        self.problems += [
            Problem(file, fault.line, fault.column, fault.message, fault.expected, fault.got, fault.hint)
            for fault in faults
        ]
        return () if faults else signers

    def _too_few(self, place: Path, role: SigningRole) -> Problem:
        """So many signatures can never come together."""
        expected = f"at most {role.persons}: one key under two names, or two keys of one name, is one person"
        message = f"{role.name} has fewer signers than it takes"
        got, hint = str(role.threshold), "lower the threshold, or name more people"
        return self._document.problem((*place, "threshold"), message, expected=expected, got=got, hint=hint)

    def pages(self) -> Iterator[PageSource]:
        """The text of every phase and language, in this order."""
        phases = self._data.get("phases")
        for index, phase in enumerate(phases if isinstance(phases, list) else ()):
            mode = phase.get("mode") if isinstance(phase, dict) else None
            key = "message" if mode == "banner" else "page"
            if name := _name(phase, key):
                yield from self._phase(("phases", index, key), name, is_occupied=mode == "occupy")

    def _phase(self, place: Path, name: str, is_occupied: bool) -> Iterator[PageSource]:
        size_bytes: dict[str, int] = {}
        picks = self._picks(name) if is_occupied else {}
        for language in self._languages:
            try:
                source = self._source(place, name, language)
                shown = self._pictures(name, source, size_bytes) if place[-1] == "page" else {}
            except CampaignError as err:
                self.problems += err.problems
                continue
            yield PageSource(
                source.phase, language, source.file, source.kind, source.text, shown, picks.get(language, ())
            )

    def _source(self, place: Path, name: str, language: str) -> PageSource:
        what, way = _WORDS[str(place[-1])]
        file = self._file(place, name, language, what)
        limit = MAX_MARKDOWN_BYTES if file.endswith(".md") else MAX_PAGE_BYTES
        text = self._folder.text(file, limit, "shorten it, or put the rest where `contact` leads")
        if not text.strip():
            raise CampaignError("empty", [Problem(file, 0, 0, f"this {what} is empty", hint=way)])
        kind = SUFFIXES[file[file.rindex(".") :]]
        source = PageSource(int(place[1]) + 1, language, file, kind, text)
        if kind == "html" and (problem := unreadable_problem(source, text)):
            raise CampaignError("unreadable", [problem])
        self.problems += page_problems(source)
        self.problems += message_problems(source) if what == "message" else ()
        return source

    def _file(self, place: Path, name: str, language: str, what: str) -> str:
        """The one text in a language."""
        candidates = [f"{name}/{language}{suffix}" for suffix in SUFFIXES]
        found = [candidate for candidate in candidates if self._folder.has_file(candidate)]
        if len(found) != 1:
            count = "two" if found else "no"
            message = f"there {'are' if found else 'is'} {count} {what}{'s' if found else ''} in {language}"
            missing = f"write {name}/{language}.md, or take {language} out of `languages`"
            hint = "keep one of them" if found else missing
            expected = " or ".join(candidates)
            raise CampaignError(
                message, [self._document.problem(place, message, expected=expected, hint=hint)]
            )
        if not self._folder.is_inside(found[0]):
            raise CampaignError("outside", [self._outside_problem(place, found[0])])
        return found[0]

    def _pictures(self, name: str, source: PageSource, size_bytes: dict[str, int]) -> dict[str, bytes]:
        """The pictures of one text; `size_bytes` counts those of the phase, each once."""
        shown: dict[str, bytes] = {}
        for found in pictures.references(source):
            problem = pictures.reference_problem(source, found)
            if not problem and found.name not in shown:
                problem, content = self._picture(f"{name}/{found.name}", source, found)
                shown[found.name] = content
                if found.name not in size_bytes:  # another language may show it too
                    size_bytes[found.name] = len(content)
                    problem = problem or pictures.sum_problem(source, found, sum(size_bytes.values()))
            self.problems += [problem] if problem else []
        return shown

    def _picture(
        self, file: str, source: PageSource, found: pictures.Reference
    ) -> tuple[Problem | None, bytes]:
        is_there = self._folder.has_file(file) and self._folder.is_inside(file)
        content = self._folder.raw(file, pictures.MAX_PICTURE_BYTES) if is_there else None
        size_bytes = self._folder.size_bytes(file) if is_there else 0
        problem = pictures.picture_problem(source, found, content, size_bytes)
        return problem, b"" if problem or content is None else content

    def _picks(self, name: str) -> Mapping[str, tuple[Pick, ...]]:
        file = f"{name}/{SELECTION_FILE}"
        if not self._folder.has_file(file):
            return {}
        try:
            found, problems = read_picks(self._folder.text(file, MAX_SELECTION_BYTES), file, self._languages)
        except CampaignError as err:
            found, problems = {}, list(err.problems)
        self.problems += problems
        return found

    def _theme_files(self, folder: str) -> Iterator[tuple[str, bytes]]:
        names = [name for name in self._folder.names(folder) if not theme_files.is_left_out(name)]
        for name in names[: theme_files.MAX_FILES + 1]:
            file = f"{folder}/{name}"
            problem = theme_files.name_problem(folder, name)
            if not problem and not (self._folder.has_file(file) and self._folder.is_inside(file)):
                problem = self._outside_problem(("theme",), file)
            if not problem and self._folder.size_bytes(file) > theme_files.MAX_FILE_BYTES:
                limit = f"at most {shown_size(theme_files.MAX_FILE_BYTES)}"
                problem = Problem(
                    file, 0, 0, "the file is too long", limit, shown_size(self._folder.size_bytes(file))
                )
            if problem:
                self.problems.append(problem)
            elif name in theme_files.TEXTS:
                yield name, self._theme_text(file, names)
            else:
                content = self._folder.raw(file, theme_files.MAX_FILE_BYTES)
                if problem := theme_files.theme_file_problem(file, content):
                    self.problems.append(problem)
                yield name, content
        if len(names) > theme_files.MAX_FILES:
            message, limit = "this theme has too many files", f"at most {theme_files.MAX_FILES}"
            self.problems.append(
                self._document.problem(("theme",), message, expected=limit, got=str(len(names)))
            )

    def _theme_text(self, file: str, names: list[str]) -> bytes:
        try:
            text = self._folder.text(file, theme_files.MAX_FILE_BYTES)
        except CampaignError as err:
            self.problems += err.problems
            return b""
        if file.endswith(".css"):
            loadable = [name for name in names if name not in theme_files.TEXTS]
            if problem := bounds_problem(file, text):
                self.problems.append(problem)
                return text.encode()
            self.problems += style_problems(file, text, loadable)
        if file.endswith("/banner.css"):
            self.problems += reach_problems(file, text)
        return text.encode()

    def _theme_words(self, folder: str, files: Mapping[str, bytes]) -> Mapping[str, Mapping[str, str]]:
        if "words.yml" not in files:
            return {}
        words, problems = theme_files.read_words(f"{folder}/words.yml", files["words.yml"].decode())
        self.problems += problems
        return words

    def _outside_problem(self, place: Path, file: str) -> Problem:
        """A symbolic link in the campaign's folder that leads elsewhere."""
        message, hint = f"{file} leads out of the campaign's folder", "put a copy in the place of the link"
        return self._document.problem(
            place, message, expected="a file in the campaign's folder", got="a link", hint=hint
        )


def _name(data: object, key: str) -> str | None:
    """A file name that may be looked for; whatever else stands there is told elsewhere."""
    name = data.get(key) if isinstance(data, dict) else None
    is_sound = isinstance(name, str) and name and ".." not in name and not name.startswith("/")
    return name if is_sound else None
