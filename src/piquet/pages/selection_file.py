# SPDX-License-Identifier: GPL-3.0-or-later
"""`selection.yml`: what of the site's own content an occupied page points to. Text in, values and problems out.

A list of entries, each with `link` (a path on the site, or https), `title` and perhaps `summary`; both are one text for
all languages, as titles of articles are, or a text for each language of the campaign. No file is opened here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from piquet.campaign import names
from piquet.campaign.document import Path, read_document
from piquet.campaign.reader import Reader
from piquet.campaign.schema import selection_schema
from piquet.errors import Problem
from piquet.pages.source import Pick

SELECTION_FILE = "selection.yml"
MAX_SELECTION_BYTES = 256 * 1024


def read_picks(
    text: str, file: str, languages: Sequence[str]
) -> tuple[dict[str, tuple[Pick, ...]], list[Problem]]:
    """The selection for each language, and everything that is wrong with the text.

    Args:
        text: YAML 1.2.
        file: its name, for messages.
        languages: of the campaign.
    """
    document = read_document(text, file)
    if document.problems:
        return {}, document.problems
    if document.data is None:
        hint = "write one, or delete the file"
        return {}, [Problem(file, 0, 0, "this selection is empty", "a list of entries", hint=hint)]
    reader = _PickReader(document, selection_schema())
    picks = {language: tuple(reader.picks(language)) for language in languages}
    reader.complain(languages)
    return ({} if reader.problems else picks), reader.problems


class _PickReader(Reader):
    """Reads one selection."""

    def picks(self, language: str) -> Iterator[Pick]:
        """Its entries in one language; parts that are missing are empty."""
        for item in self.get((), ()):
            if isinstance(item, dict):
                yield Pick(
                    str(item.get("link", "")),
                    _text_in(item.get("title"), language),
                    _text_in(item.get("summary"), language),
                )

    def complain(self, languages: Sequence[str]) -> None:
        """Look at every link and at every text's languages."""
        for index in range(len(self.get((), ()))):
            self.word((index, "link"), names.page_link)
            for key in ("title", "summary"):
                self._languages((index, key), languages)

    def _languages(self, path: Path, languages: Sequence[str]) -> None:
        texts = self.get(path)
        if not isinstance(texts, dict):
            return
        expected = ", ".join(languages)
        for tag in sorted(set(texts) - set(languages)):
            self.note((*path, tag), "this is none of the campaign's languages", expected, tag)
        if missing := [tag for tag in languages if tag not in texts]:
            hint = "or write one text without languages, as for the title of an article"
            self.note(path, f"there is no text in {', '.join(missing)}", expected, ", ".join(texts), hint)


def _text_in(value: Any, language: str) -> str:
    return str(value.get(language, "")) if isinstance(value, dict) else str(value or "")
