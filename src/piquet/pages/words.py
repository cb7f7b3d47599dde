# SPDX-License-Identifier: GPL-3.0-or-later
"""The few words that pages and banners say of themselves, in the reader's language.

Where there are none for a language, English ones stand in, marked as English; a theme may bring its own. Names and
directions of languages are CLDR's. The table is a constant of the package; apart from that no file is opened.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from string import Formatter

from babel import Locale, UnknownLocaleError, dates
from markupsafe import Markup

from piquet import resources
from piquet.campaign.model import Theme
from piquet.errors import BundleError, Problem

FALLBACK = "en"
_PLACES = {
    "promise": {"end", "zone"},
    "promise_occupy": {"end", "zone"},
    "range": {"start", "end", "zone"},
    "same_day": {"date", "start", "end", "zone"},
    "whole_day": {"date", "zone"},
    "whole_days": {"start", "end", "zone"},
    **{f"then_{mode}": {"window"} for mode in ("block", "occupy", "banner")},
    "zone": {"city"},
    "zone_vowel": {"city"},
}
"""What stands for a value in which sentence; nothing else does."""
_PATTERNS = frozenset({"when", "edge", "date"})


@dataclass(frozen=True)
class Words:
    """The words for one language.

    Attributes:
        wanted: tag of the page's language.
        language: tag of the language that the words are in.
        texts: key of `words.json` → text.
    """

    wanted: str
    language: str
    texts: Mapping[str, str]

    @property
    def are_foreign(self) -> bool:
        """Whether they are in another language than the page."""
        return self.wanted.partition("-")[0] != self.language.partition("-")[0]

    @property
    def mark(self) -> Markup:
        """Attributes for an element that holds such words, so that they are read and laid out as what they are."""
        return (
            Markup(' lang="{}" dir="{}"').format(self.language, direction(self.language))
            if self.are_foreign
            else Markup("")
        )

    def sentence(self, key: str, **values: str) -> Markup:
        """A sentence with values in it, which may be HTML already."""
        return Markup(_escaped_text(self.texts[key])).format(**values)  # noqa: S704 - escaped one call inside


def words_of(language: str, theme: Theme) -> Words:
    """The words for a language: the theme's own before ours, the exact tag before its first part.

    Raises:
        BundleError: the theme has a word that nobody asks for, or a sentence with a wrong place in it.
    """
    ours, theirs = _all_words(), theme.words
    for tag, texts in theirs.items():
        _check(theme, tag, texts)
    base = language.partition("-")[0]
    spoken = base if base in ours else FALLBACK
    own = {**theirs.get(base, {}), **theirs.get(language, {})}
    if spoken == FALLBACK != base and own:
        return Words(language, language, _whole_words(theme, language, own))
    return Words(language, spoken, {**ours[spoken], **own})


def native_name(language: str, theme: Theme) -> str:
    """What speakers of a language call it, for the link to its page."""
    own = theme.words.get(language, {}).get("name") or _all_words().get(language, {}).get("name")
    found = own or (locale(language) and locale(language).get_display_name(locale(language)))
    return found[0].upper() + found[1:] if found else language


def direction(language: str) -> str:
    """`rtl` or `ltr`."""
    return "rtl" if locale(language).character_order == "right-to-left" else "ltr"


@cache
def locale(language: str) -> Locale:
    """CLDR's data for a tag; for a language that it does not know, English.

    Bare `en` is British: its clock has 24 hours, and 12:00 AM is what people get wrong.
    """
    if language == "en":
        return Locale("en", "GB")
    for tag in (language, language.partition("-")[0]):
        try:
            return Locale.parse(tag, sep="-")
        except (UnknownLocaleError, ValueError):
            continue
    return Locale("en", "GB")


def _whole_words(theme: Theme, language: str, own: Mapping[str, str]) -> Mapping[str, str]:
    """A theme's words for a language that we have none of: all of them, or it would be a mixture."""
    missing = sorted(set(_all_words()[FALLBACK]) - set(own))
    if missing:
        message, hint = f"words are missing in {language}", "write all of them, or take the language out"
        raise _words_error(theme, message, ", ".join(missing), hint)
    return own


def _check(theme: Theme, tag: str, texts: Mapping[str, str]) -> None:
    for key, text in texts.items():
        if key not in _all_words()[FALLBACK]:
            message = f"no page says the word {key!r}, which is there in {tag}"
            raise _words_error(theme, message, ", ".join(sorted(_all_words()[FALLBACK])))
        if key in _PLACES and not _has_good_places(text, _PLACES[key]):
            places = ", ".join(f"{{{place}}}" for place in sorted(_PLACES[key]))
            raise _words_error(theme, f"{key!r} in {tag} has places that nothing fills", places)
        if key in _PATTERNS and not _is_pattern(text):
            raise _words_error(
                theme, f"{key!r} in {tag} is no pattern of a date", "letters of CLDR, words in '…'"
            )


def _has_good_places(text: str, places: Set[str]) -> bool:
    try:
        found = list(Formatter().parse(text))
    except ValueError:
        return False
    return all(name is None or (name in places and not form and not turn) for _, name, form, turn in found)


def _is_pattern(text: str) -> bool:
    try:
        dates.format_datetime(datetime(2026, 1, 1, tzinfo=UTC), text, locale=locale(FALLBACK))
    except (ValueError, LookupError, AttributeError, TypeError):
        return False
    return True


def _words_error(theme: Theme, message: str, expected: str, hint: str = "") -> BundleError:
    problem = Problem(f"{theme.name}/words.yml", 0, 0, message, expected, hint=hint)
    return BundleError("the theme's words cannot be used", [problem])


def _escaped_text(text: str) -> str:
    return str(Markup.escape(text))


@cache
def _all_words() -> Mapping[str, Mapping[str, str]]:
    text = (resources.templates() / "page" / "words.json").read_text(encoding="utf-8")
    words: dict[str, dict[str, str]] = json.loads(text)
    return words
