# SPDX-License-Identifier: GPL-3.0-or-later
"""When the strike is, as readers of each language write it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from piquet.campaign.model import Theme
from piquet.pages.dates import capitalised, promise, window_markup
from piquet.pages.text import plain
from piquet.pages.words import words_of
from tests.render.samples import CAMPAIGN, PHASE

NIGHT = replace(
    PHASE,
    start_at=datetime(2026, 12, 16, 23, tzinfo=UTC),
    end_at=datetime(2026, 12, 17, 23, tzinfo=UTC),
)
EVENING = replace(NIGHT, start_at=datetime(2026, 12, 17, 17, tzinfo=UTC))
THREE_DAYS = replace(NIGHT, end_at=NIGHT.end_at + timedelta(days=2))
DAY = replace(
    PHASE, start_at=datetime(2026, 12, 1, 8, tzinfo=UTC), end_at=datetime(2026, 12, 1, 18, tzinfo=UTC)
)


def said(language: str, phase=NIGHT, timezone: str = "Europe/Paris") -> str:
    """The window in one language, without markup."""
    campaign = replace(CAMPAIGN, timezone=timezone)
    return plain(capitalised(window_markup(campaign, phase, words_of(language, Theme()))))


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("fr", "Du jeudi 17 décembre 2026 à 18:00 au vendredi 18 décembre 2026 à 00:00 (heure de Paris)"),
        ("en", "From Thursday 17 December 2026 at 18:00 until Friday 18 December 2026 at 00:00 (Paris time)"),
        (
            "es",
            "Desde el jueves 17 de diciembre de 2026 a las 18:00 hasta el viernes 18 de diciembre de 2026 "
            "a las 00:00 (hora de París)",
        ),
        (
            "de",
            "Von Donnerstag, 17. Dezember 2026, 18:00 Uhr bis Freitag, 18. Dezember 2026, 00:00 Uhr (Ortszeit Paris)",
        ),
        (
            "it",
            "Dalle ore 18:00 di giovedì 17 dicembre 2026 alle ore 00:00 di venerdì 18 dicembre 2026 (ora di Parigi)",
        ),
        (
            "pt",
            "De quinta-feira, 17 de dezembro de 2026, às 18:00 até sexta-feira, 18 de dezembro de 2026, às 00:00 "
            "(hora de Paris)",
        ),
    ],
)
def test_a_window_in_each_language(language: str, expected: str) -> None:
    """Weekday, date, hour and zone, in the words and order of the language."""
    assert expected == said(language, EVENING)


@pytest.mark.parametrize(
    ("language", "day", "days"),
    [
        (
            "fr",
            "Toute la journée du jeudi 17 décembre 2026 (heure de Paris)",
            "Du jeudi 17 décembre 2026 au samedi 19 décembre 2026 inclus (heure de Paris)",
        ),
        (
            "en",
            "All day on Thursday 17 December 2026 (Paris time)",
            "From Thursday 17 December 2026 to Saturday 19 December 2026, inclusive (Paris time)",
        ),
        (
            "es",
            "Durante todo el jueves 17 de diciembre de 2026 (hora de París)",
            "Del jueves 17 de diciembre de 2026 al sábado 19 de diciembre de 2026, ambos inclusive (hora de París)",
        ),
        (
            "de",
            "Am Donnerstag, 17. Dezember 2026, den ganzen Tag (Ortszeit Paris)",
            "Von Donnerstag, 17. Dezember 2026 bis einschließlich Samstag, 19. Dezember 2026 (Ortszeit Paris)",
        ),
        (
            "it",
            "Per tutta la giornata di giovedì 17 dicembre 2026 (ora di Parigi)",
            "Da giovedì 17 dicembre 2026 a sabato 19 dicembre 2026 inclusi (ora di Parigi)",
        ),
        (
            "pt",
            "Durante todo o dia 17 de dezembro de 2026 (quinta-feira) (hora de Paris)",
            "De 17 de dezembro de 2026 (quinta-feira) a 19 de dezembro de 2026 (sábado), inclusive (hora de Paris)",
        ),
    ],
)
def test_whole_days(language: str, day: str, days: str) -> None:
    """From midnight to midnight the days are named, and none that is not one of them."""
    assert (day, days) == (said(language), said(language, THREE_DAYS))


@pytest.mark.parametrize(("month", "hours"), [(3, 23), (10, 25)])
def test_a_day_on_which_clocks_change_is_whole_too(month: int, hours: int) -> None:
    """Midnight is where the clock says so, not after 24 hours."""
    zone = ZoneInfo("Europe/Paris")
    start = datetime(2026, month, 29 if month == 3 else 25, tzinfo=zone)
    phase = replace(
        PHASE, start_at=start.astimezone(UTC), end_at=start.astimezone(UTC) + timedelta(hours=hours)
    )
    assert said("en", phase).startswith("All day on Sunday")
    assert "from" in said("en", replace(phase, end_at=start.astimezone(UTC) + timedelta(hours=24))).lower()


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("fr", "Le mardi 1er décembre 2026, de 09:00 à 19:00 (heure de Paris)"),
        ("en", "On Tuesday 1 December 2026, from 09:00 to 19:00 (Paris time)"),
        ("es", "El martes 1 de diciembre de 2026, de 09:00 a 19:00 (hora de París)"),
        ("de", "Am Dienstag, 1. Dezember 2026, von 09:00 bis 19:00 Uhr (Ortszeit Paris)"),
        ("it", "Martedì 1º dicembre 2026, dalle ore 09:00 alle ore 19:00 (ora di Parigi)"),
        ("pt", "No dia 1 de dezembro de 2026 (terça-feira), das 09:00 às 19:00 (hora de Paris)"),
    ],
)
def test_a_window_within_one_day(language: str, expected: str) -> None:
    """The date once; the first of a month as it is said."""
    assert expected == said(language, DAY)


def test_other_languages_need_no_words() -> None:
    """CLDR's dates with a dash between, the zone by its name."""
    assert "پنجشنبه 17 دسامبر 2026" in said("fa")
    assert said("nl", EVENING).startswith(
        "Donderdag 17 december 2026, 18:00 – vrijdag 18 december 2026, 00:00 ("
    )
    assert "Midden-Europese tijd" in said("nl", EVENING)
    assert said("nl").startswith("Donderdag 17 december 2026 (")
    assert said("nl", THREE_DAYS).startswith("Donderdag 17 december 2026 – zaterdag 19 december 2026 (")


@pytest.mark.parametrize(
    ("timezone", "expected"),
    [
        ("Europe/Amsterdam", "(heure d’Amsterdam)"),
        ("UTC", "(UTC)"),
        ("America/Montreal", "(heure de Toronto)"),
    ],
)
def test_zones(timezone: str, expected: str) -> None:
    """French elides; UTC is UTC; an old name is CLDR's city of today."""
    assert expected in said("fr", timezone=timezone)


def test_seconds_are_told_where_there_are_any() -> None:
    """Nobody rounds an hour that was voted on."""
    phase = replace(DAY, start_at=DAY.start_at.replace(second=30))
    assert "from 09:00:30 to 19:00" in said("en", phase)


def test_instants_are_marked_for_machines() -> None:
    """With the offset of that hour; a day is one."""
    spoken = words_of("fr", Theme())
    assert '<time datetime="2026-12-17T18:00:00+01:00">' in window_markup(CAMPAIGN, EVENING, spoken)
    assert '<time datetime="2026-12-17">' in window_markup(CAMPAIGN, NIGHT, spoken)


@pytest.mark.parametrize("mode", ["block", "occupy"])
@pytest.mark.parametrize("language", ["fr", "en", "es", "de", "it", "pt", "ar"])
def test_the_promise_names_the_end(language: str, mode: str) -> None:
    """Neither maintenance nor a hack, and back at that hour."""
    text = plain(promise(CAMPAIGN, replace(NIGHT, mode=mode), words_of(language, Theme())))  # type: ignore[arg-type]
    assert "2026" in text and "00:00" in text and "{" not in text


def test_words_are_complete_and_well_set() -> None:
    """Each language has every word; French has its no-break spaces; no apostrophe is straight."""
    known = {language: words_of(language, Theme()).texts for language in ("fr", "en", "es", "de", "it", "pt")}
    assert {frozenset(texts) for texts in known.values()} == {frozenset(known["en"])}
    for texts in known.values():
        sentences = [text for key, text in texts.items() if key not in ("when", "edge", "date")]
        assert not [text for text in sentences if "'" in text or '"' in text or "  " in text]
    assert not [text for key, text in known["fr"].items() if " :" in text or (" ;" in text and key != "date")]
