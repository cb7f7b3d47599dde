# SPDX-License-Identifier: GPL-3.0-or-later
"""When a phase is, said in the reader's language and labelled with its time zone.

Six languages have sentences of their own in `words.json`, in CLDR's pattern letters; all others get CLDR's own dates
with a dash between, which needs no words. No clock is read.

Source: Unicode TS 35 part 4 (dates), CLDR through Babel.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from babel import dates
from markupsafe import Markup

from piquet import outlook
from piquet.campaign.model import Campaign, Phase
from piquet.pages.words import Words, locale

_VOWELS = frozenset("AEIOUYHÀÂÉÈÊÎÔŒ")
"""Before these, French says `heure d’…`."""


def window_markup(campaign: Campaign, phase: Phase, words: Words) -> Markup:
    """From when until when, e.g. `from … until … (Paris time)`, with `time` elements; no capital, no full stop.

    It is of all phases that touch this one and show the same.

    From midnight to midnight the days are named and nothing else: that a day ends at 00:00 of the next one, as it does
    in a range of hours, is read by many as a second day.
    """
    whole = outlook.whole(campaign, phase)
    start, end = _local_instant(campaign, whole.start_at), _local_instant(campaign, whole.end_at)
    days = _whole_days(start, end)
    if words.are_foreign:
        return _plain_window(campaign, *(days or (start, end)), words.wanted)
    zone = zone_label(campaign, words)
    if days:
        return _named_days(*days, words, zone)
    if start.date() == end.date():
        day = _date_in_words(start, words.texts["date"], words)
        return words.sentence(
            "same_day", date=day, start=_clock(start, words), end=_clock(end, words), zone=zone
        )
    first, last = (_date_in_words(at, words.texts["edge"], words) for at in (start, end))
    return words.sentence("range", start=first, end=last, zone=zone)


def promise(campaign: Campaign, phase: Phase, words: Words) -> Markup:
    """That this is a strike and nothing else, when all is back, and what the site does at once behind it."""
    end = _local_instant(campaign, outlook.back(campaign, phase).end_at)
    key = "promise_occupy" if phase.mode == "occupy" else "promise"
    spoken = _date_in_words(end, words.texts["when"], words)
    promised = words.sentence(key, end=spoken, zone=zone_label(campaign, words))
    behind = outlook.following(campaign, phase)
    return Markup("{} {}").format(promised, _next_in_words(campaign, behind, words)) if behind else promised


def instant_markup(campaign: Campaign, at: datetime, words: Words) -> Markup:
    """A day and a time with their zone, e.g. `Thursday 17 December 2026 at 00:00 (Paris time)`.

    Args:
        campaign: whose zone.
        at: aware.
        words: in whose language.
    """
    spoken = _date_in_words(_local_instant(campaign, at), words.texts["when"], words)
    return Markup("{} ({})").format(spoken, zone_label(campaign, words))


def _next_in_words(campaign: Campaign, phase: Phase, words: Words) -> Markup:
    """What a site does in the phase behind, in the language of the words around it."""
    spoken = replace(words, wanted=words.language)
    return capitalised(words.sentence(f"then_{phase.mode}", window=window_markup(campaign, phase, spoken)))


def zone_label(campaign: Campaign, words: Words) -> str:
    """The zone that times are in, e.g. `Paris time`."""
    if campaign.timezone.rpartition("/")[2] in ("UTC", "UCT", "GMT", "Zulu", "Universal"):
        return "UTC"
    city = dates.get_timezone_location(
        ZoneInfo(campaign.timezone), locale=locale(words.language), return_city=True
    )
    return words.texts["zone_vowel" if city[:1] in _VOWELS else "zone"].format(city=city)


def capitalised(text: Markup) -> Markup:
    """The sentence with a capital; a tag at its start is passed over."""
    at = text.index(">") + 1 if text.startswith("<") else 0
    return text[:at] + text[at : at + 1].upper() + text[at + 1 :]


def _whole_days(start: datetime, end: datetime) -> tuple[date, date] | None:
    """The first and the last day of a window that begins and ends at midnight; None for any other."""
    if all((at.hour, at.minute, at.second) == (0, 0, 0) for at in (start, end)):
        return start.date(), end.date() - timedelta(days=1)
    return None


def _named_days(start: date, end: date, words: Words, zone: str) -> Markup:
    first, last = (_date_in_words(day, words.texts["date"], words) for day in (start, end))
    key = "whole_day" if start == end else "whole_days"
    return words.sentence(key, date=first, start=first, end=last, zone=zone)


def _plain_window(campaign: Campaign, start: date, end: date, language: str) -> Markup:
    zone = dates.get_timezone_name(ZoneInfo(campaign.timezone), locale=locale(language))
    first, last = (_element(_cldr(at, language), at) for at in (start, end))
    if start == end:
        return Markup("{} ({})").format(first, zone)
    return Markup("{} – {} ({})").format(first, last, zone)


def _cldr(at: date, language: str) -> str:
    """Date, and time if there is one, as CLDR writes them, the time without seconds."""
    known = locale(language)
    if not isinstance(at, datetime):
        return dates.format_date(at, "full", locale=known)
    parts = dates.format_time(at, "short", locale=known), dates.format_date(at, "full", locale=known)
    pattern = str(dates.get_datetime_format("full", locale=known))
    return pattern.replace("'", "").format(*parts)


def _date_in_words(at: date, pattern: str, words: Words) -> Markup:
    """A day or an instant by a pattern; the first of a month as the language says it."""
    if at.day == 1:
        pattern = f" {pattern}".replace(" d ", f" '{words.texts['first_day']}' ").removeprefix(" ")
    known = locale(words.language)
    if isinstance(at, datetime):
        return _element(dates.format_datetime(at, _with_seconds(pattern, at), locale=known), at)
    return _element(dates.format_date(at, pattern, locale=known), at)


def _clock(at: datetime, words: Words) -> Markup:
    return _element(dates.format_datetime(at, _with_seconds("HH:mm", at), locale=locale(words.language)), at)


def _with_seconds(pattern: str, at: datetime) -> str:
    return pattern.replace("HH:mm", "HH:mm:ss") if at.second else pattern


def _element(text: str, at: date) -> Markup:
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), text)


def _local_instant(campaign: Campaign, at: datetime) -> datetime:
    return at.astimezone(UTC).astimezone(ZoneInfo(campaign.timezone))
