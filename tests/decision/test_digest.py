# SPDX-License-Identifier: GPL-3.0-or-later
"""What is voted on: the digest follows what visitors get, to the byte, and nothing else."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from ruamel.yaml import YAML

from piquet.campaign.model import Limits, Selection
from piquet.decision.document import decision_document
from piquet.load import load_campaign
from piquet.plan.selection import Selector
from piquet.protocol.canonical import canonical
from piquet.protocol.decision import decision_digest, read_decision
from piquet.resources import example_campaign
from tests.figures import note

from .edits import FLEET, Asked, Edit, pairs_of_edits, what_is_decided, whole

EXAMPLES, LONG_EXAMPLES = 80, 2000


def document(asked: Asked) -> bytes:
    """The decision of a campaign."""
    return decision_document(asked.campaign, asked.pages)


def test_the_digest_follows_what_is_decided() -> None:
    """As many edits as an ordinary run has time for."""
    _edit_often(EXAMPLES)


@pytest.mark.long
def test_the_digest_follows_what_is_decided_in_every_edit() -> None:
    """The full matrix."""
    _edit_often(LONG_EXAMPLES)


def _edit_often(examples: int) -> None:
    """An edit changes the digest if and only if it changes an answer of the table, a body or an asset.

    Both sides have to occur: edits that mean nothing are as many as a test of that needs.
    """
    seen: Counter[bool] = Counter()

    def one(pair: tuple[Edit, Edit]) -> None:
        first, second = pair
        before = first(whole())
        after = second(before)
        is_another = what_is_decided(before) != what_is_decided(after)
        assert is_another == (document(before) != document(after))
        _agrees_with_the_plan(after)
        seen[is_another] += 1

    chosen = settings(max_examples=examples, deadline=None, suppress_health_check=tuple(HealthCheck))
    chosen(given(pairs_of_edits())(one))()
    assert min(seen[True], seen[False]) > examples // 12
    note("decision_digest", edits=seen.total(), another_digest=seen[True], differences=0)


def _agrees_with_the_plan(asked: Asked) -> None:
    """Hosts read of the decision what the plan chose."""
    decision, selector = read_decision(document(asked)), Selector(asked.campaign)
    assert {name: selector.phases(name) for name in FLEET} == {
        name: decision.phases_of(name) for name in FLEET
    }


@pytest.mark.parametrize(
    "edit",
    [
        lambda asked: replace(asked, campaign=replace(asked.campaign, revision=2)),
        lambda asked: replace(
            asked, campaign=replace(asked.campaign, limits=Limits(timedelta(hours=25), 100))
        ),
        lambda asked: replace(asked, campaign=replace(asked.campaign, limits=Limits(timedelta(days=1), 50))),
        lambda asked: replace(asked, campaign=replace(asked.campaign, timezone="Europe/Brussels")),
        lambda asked: replace(asked, campaign=replace(asked.campaign, name="greve-2")),
    ],
)
def test_name_revision_limits_and_zone_are_voted_too(edit: Callable[[Asked], Asked]) -> None:
    """They change what people agreed to, though no visitor sees some of it."""
    assert document(whole()) != document(edit(whole()))


def test_a_site_that_was_added_changes_no_digest() -> None:
    """The rule is voted, not the list of who happens to be served; consent for a name of no rule says nothing."""
    asked = whole()
    sites = replace(asked.campaign.sites, consent={**asked.campaign.sites.consent, "other.net": "in"})
    assert document(asked) == document(replace(asked, campaign=replace(asked.campaign, sites=sites)))
    narrow = Selection(("*", "a.test.org"), ("x.other.net", "*.other.net", "other.net"), {"*": "in"})
    wide = Selection(("*",), ("*.other.net", "other.net"), {})
    assert document(replace(asked, campaign=replace(asked.campaign, sites=narrow))) == document(
        replace(asked, campaign=replace(asked.campaign, sites=wide))
    )


def test_formatting_comments_and_order_change_nothing(tmp_path: Path) -> None:
    """The same campaign written in another way is the same decision."""
    loaded = load_campaign(example_campaign() / "campaign.yml")
    before = decision_document(loaded.campaign, loaded.pages)
    folder = shutil.copytree(example_campaign(), tmp_path / "other-folder")
    data = YAML(typ="safe").load((folder / "campaign.yml").read_text("utf-8"))
    turned = json.dumps(dict(reversed(data.items())), ensure_ascii=False, indent=3)
    (folder / "campaign.yml").write_text(f"# the same\n{turned}\n", "utf-8")
    again = load_campaign(folder / "campaign.yml")
    assert before == decision_document(again.campaign, again.pages)


def test_one_byte_of_a_page_changes_it() -> None:
    """A comma is a word."""
    asked = whole()
    pages = tuple(replace(page, text=page.text.replace("Parce que.", "Parce que,")) for page in asked.pages)
    assert document(asked) != document(replace(asked, pages=pages))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda value: value | {"more": 1}, "its keys are not those of a decision"),
        (lambda value: value | {"piquet_decision": 2}, "it is no decision of version 1"),
        (lambda value: value | {"revision": 0}, "its revision is no number from 1"),
        (lambda value: value | {"revision": True}, "its revision is no number from 1"),
        (lambda value: value | {"sites": {"*": "yes"}}, "it has an unknown answer of a site"),
        (lambda value: value | {"phases": []}, "it has no phase"),
        (lambda value: value | {"phases": value["phases"][::-1]}, "its phases are not in order"),
        (lambda value: value | {"campaign": "../x"}, "its campaign has no name"),
        (lambda value: value | {"sites": ["*"]}, "a part of it has the wrong form"),
    ],
)
def test_a_document_of_somebody_else_is_refused(
    change: Callable[[dict[str, object]], object], reason: str
) -> None:
    """A host reads what anybody may have written."""
    value = json.loads(document(whole()))
    with pytest.raises(ValueError, match=reason):
        read_decision(canonical(change(value)))


@pytest.mark.parametrize(
    ("turned", "reason"),
    [
        (lambda text: text + b"\n", "not the canonical ones"),
        (lambda text: text.replace(b'":', b'": ', 1), "not the canonical ones"),
        (lambda text: text.replace(b'"revision":1', b'"revision":1.0'), "no whole number"),
        (lambda text: text.replace(b'"revision":1', b'"revision":1,"revision":1'), "a key is there twice"),
        (lambda text: b"[" * 100_000, "."),
        (lambda text: b"\xff", "."),
    ],
)
def test_one_meaning_has_one_form(turned: Callable[[bytes], bytes], reason: str) -> None:
    """Other bytes of the same meaning would have another digest, so they are no decision."""
    good = document(whole())
    assert read_decision(good).digest == decision_digest(good)
    with pytest.raises(ValueError, match=reason):
        read_decision(turned(good))
