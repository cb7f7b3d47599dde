# SPDX-License-Identifier: GPL-3.0-or-later
"""A sound campaign file becomes the value that its author means."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from jsonschema import Draft202012Validator

from piquet.campaign.consent import read_consent
from piquet.campaign.document import read_document
from piquet.campaign.model import Campaign, Doors, Limits, Mandate, Phase, Role, Selection
from piquet.campaign.parse import parse_campaign
from piquet.campaign.schema import campaign_schema
from piquet.errors import CampaignError

from .samples import campaign

WHOLE = """\
campaign: greve-2026-12-17
timezone: Europe/Paris
languages: [fr, en, pt-BR]
contact: https://example.org/greve
phases:
  - {mode: banner, start: 2026-12-15T08:00, end: 2026-12-17T00:00, style: bar, message: messages/annonce}
  - {mode: block,  start: 2026-12-17T00:00:30, duration: 24h, page: pages/greve}
  - {mode: occupy, start: 2026-12-18T09:00, end: 2026-12-18T19:00, page: pages/une, paths: [/]}
sites: {include: ["*", WWW.example.org], exclude: [urgences.example.org], consent: consent.csv}
open: {paths: [/oai, /api/, /oai], networks: ["2001:db8::/32", 192.0.2.0/24], bypass: true}
limits: {max_block: 2d, max_share: 50%}
mandate: {decision: general-assembly, decided_on: 2026-12-12, votes: {for: 29, against: 1, abstain: 0},
          record: "https://example.org/minutes",
          roles: {assembly: {threshold: 2, signers: mandate/assembly.allowed_signers}}}
"""


def test_a_whole_campaign() -> None:
    """Every part of the file, with times in UTC, names in lower case and lists that are sets in order."""
    phases = (
        Phase(1, "banner", utc(15, 7), utc(16, 23), None, (), "bar", "messages/annonce"),
        Phase(2, "block", utc(16, 23, 30), utc(17, 23, 30), "pages/greve"),
        Phase(3, "occupy", utc(18, 8), utc(18, 18), "pages/une", ("/",)),
    )
    sites = Selection(("*", "www.example.org"), ("urgences.example.org",), {"www.example.org": "in"})
    roles = (Role("assembly", 2, "mandate/assembly.allowed_signers"),)
    votes = {"for": 29, "against": 1, "abstain": 0}
    expected = Campaign(
        "greve-2026-12-17",
        "Europe/Paris",
        ("fr", "en", "pt-BR"),
        "https://example.org/greve",
        phases,
        sites,
        Doors(("/api/", "/oai"), ("192.0.2.0/24", "2001:db8::/32"), True),
        Limits(timedelta(days=2), 50),
        Mandate("general-assembly", "2026-12-12", votes, "https://example.org/minutes", roles),
    )
    assert expected == parse_campaign(WHOLE, "campaign.yml", "site,answer\nWWW.example.org,in\n")


def test_what_may_be_left_out() -> None:
    """Without doors, limits and mandate: none, 24 hours and all sites, none."""
    actual = campaign()
    expected = (Doors(), Limits(timedelta(hours=24), 100), None, Selection(("*",), (), {}))
    assert expected == (actual.doors, actual.limits, actual.mandate, actual.sites)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("tRUE", "tRUE"),
        ("~", None),
        ("12", 12),
        ("0o14", 12),
        ("0x1f", 31),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("1.5", 1.5),
        ("2026-12-17", "2026-12-17"),
        ("2026-12-17T00:00", "2026-12-17T00:00"),
        ("'12'", "12"),
        (".inf", ".inf"),
        ("9" * 30, "9" * 30),
    ],
)
def test_scalars_of_yaml_1_2(text: str, expected: object) -> None:
    """`no` is a word, dates are words, and no number is too big to be one."""
    document = read_document(f"key: {text}\n", "x.yml")
    assert expected == document.data["key"]
    assert not document.problems


def test_a_byte_order_mark_does_not_matter() -> None:
    """Some editors write one."""
    assert read_document("\ufeffa: b\n", "x.yml").data == {"a": "b"}


def test_keys_hold_no_control_characters() -> None:
    """A pattern's `$` would let a line feed at the end of a role's name through."""
    text = WHOLE.replace("{assembly:", '{"assembly\\n":')
    with pytest.raises(CampaignError, match="control characters are not accepted"):
        parse_campaign(text, "campaign.yml", "site,answer\nwww.example.org,in\n")


def test_the_published_schema_is_one() -> None:
    """Editors can use it, and each of its examples and defaults is accepted by itself."""
    schema = campaign_schema()
    Draft202012Validator.check_schema(schema)
    parts = json.loads(json.dumps(schema))["$defs"] | schema["properties"]
    examples = [(part, value) for part in parts.values() for value in part.get("examples", [])]
    assert [value for part, value in examples if not Draft202012Validator(part).is_valid(value)] == []
    assert examples


def test_consent_lists_of_spreadsheets() -> None:
    """Semicolons, capitals, a byte order mark, Windows line ends, remarks and more columns."""
    rows = (
        "\ufeffwho;Site;Answer",
        '"x;y";WWW.example.org;IN',
        "# later",
        "",
        "z;*.blogs.example.org;out",
        ";*;message",
    )
    text = "\r\n".join(rows)
    read = read_consent(text, "consent.csv")
    assert read.answers == {"www.example.org": "in", "*.blogs.example.org": "out", "*": "message"}
    assert read.places == {"www.example.org": (2, 7), "*.blogs.example.org": (5, 3), "*": (6, 2)}
    assert not read.problems


@pytest.mark.parametrize("text", ["", "site,answer\n", 'site,answer\n"a,b', "site,answer\na\x00b,in\n"])
def test_consent_lists_that_are_none(text: str) -> None:
    """Nothing in it, or not CSV: an explanation, and no consent at all."""
    read = read_consent(text, "consent.csv")
    assert not read.answers
    assert read.problems


def utc(day: int, hour: int, second: int = 0) -> datetime:
    """An instant of December 2026."""
    return datetime(2026, 12, day, hour, 0, second, tzinfo=UTC)
