# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies beside a campaign file: pages, consent list and the secret of the testers' link."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from piquet.errors import CampaignError
from piquet.load import bypass_secret, load_campaign, pages_key
from piquet.pages.source import PageSource

from .samples import campaign_text


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A sound campaign with a page in French and one in English."""
    folder = tmp_path / "campaign"
    (folder / "pages/greve").mkdir(parents=True)
    (folder / "pages/greve/fr.md").write_text("# Grève\n", "utf-8")
    (folder / "pages/greve/en.html").write_text("<h1>Strike</h1>", "utf-8")
    (folder / "campaign.yml").write_text(campaign_text(), "utf-8")
    return folder / "campaign.yml"


def reasons(file: Path) -> list[str]:
    """Each problem as `file:line:column: message`."""
    with pytest.raises(CampaignError) as caught:
        load_campaign(file)
    return [str(problem).partition("\n")[0].replace(str(file), "C") for problem in caught.value.problems]


def test_pages_come_in_the_order_of_the_languages(file: Path) -> None:
    """Markdown or HTML, as they were written."""
    expected = (
        PageSource(1, "fr", "pages/greve/fr.md", "markdown", "# Grève\n"),
        PageSource(1, "en", "pages/greve/en.html", "html", "<h1>Strike</h1>"),
    )
    assert expected == load_campaign(file).pages


def test_everything_that_is_wrong_is_told_at_once(file: Path) -> None:
    """A missing page, a doubled page and a wrong contact in one go, each at its place."""
    (file.parent / "pages/greve/en.html").unlink()
    (file.parent / "pages/greve/fr.html").write_text("x", "utf-8")
    file.write_text(campaign_text(contact="nobody"), "utf-8")
    expected = [
        "C:4:70: there are two pages in fr",
        "C:4:70: there is no page in en",
        "C:6:10: this is not an address to contact",
    ]
    assert expected == reasons(file)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff", "pages/greve/fr.md:1: this is not UTF-8"),
        (b" \n", "pages/greve/fr.md: this page is empty"),
        (b"x" * (256 * 1024 + 1), "pages/greve/fr.md: the file is too long"),
    ],
)
def test_pages_that_cannot_be_shown(file: Path, content: bytes, reason: str) -> None:
    """Not text, nothing, or too much."""
    (file.parent / "pages/greve/fr.md").write_bytes(content)
    expected = [reason]
    assert expected == reasons(file)


def test_a_link_out_of_the_folder_is_not_followed(file: Path) -> None:
    """Nobody publishes a file of the controller by a symbolic link."""
    (file.parent.parent / "secret").write_text("secret", "utf-8")
    (file.parent / "pages/greve/fr.md").unlink()
    (file.parent / "pages/greve/fr.md").symlink_to("../../../secret")
    expected = ["C:5:70: pages/greve/fr.md leads out of the campaign's folder"]
    assert expected == reasons(file)


def test_consent_is_read_beside_the_file(file: Path) -> None:
    """Found, or asked for."""
    file.write_text(campaign_text(sites='{include: ["*"], consent: consent.csv}'), "utf-8")
    missing = reasons(file)
    (file.parent / "consent.csv").write_text("site,answer\nwww.example.org,out\n", "utf-8")
    assert missing == ["C:6:34: there is no such consent list"]
    assert load_campaign(file).campaign.sites.consent == {"www.example.org": "out"}


def test_a_campaign_that_is_not_there(tmp_path: Path) -> None:
    """Said with the way to an example."""
    with pytest.raises(CampaignError, match="piquet init"):
        load_campaign(tmp_path / "campaign.yml")


KEYS = {"bypass": bypass_secret, "pages": pages_key}


@pytest.mark.parametrize("name", KEYS)
def test_a_secret_is_made_once_and_is_private(file: Path, name: str) -> None:
    """The same at every call, 32 hex digits, for its owner only; no two are alike."""
    first = KEYS[name](file)
    key = file.parent / f"{name}.key"
    assert re.fullmatch("[0-9a-f]{32}", first)
    assert first == KEYS[name](file)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert len({make(file) for make in KEYS.values()}) == len(KEYS)


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("text", ["", "secret", "A" * 32, "0" * 31, "0" * 32 + "\n;"])
def test_a_key_file_with_something_else_is_refused(file: Path, text: str, name: str) -> None:
    """A weak or broken secret never reaches a server's configuration."""
    (file.parent / f"{name}.key").write_text(text, "utf-8")
    (file.parent / f"{name}.key").chmod(0o600)
    with pytest.raises(CampaignError, match=f"not a {name} key"):
        KEYS[name](file)


@pytest.mark.parametrize("name", KEYS)
def test_a_key_that_others_can_read_is_refused(file: Path, name: str) -> None:
    """It may be known already."""
    KEYS[name](file)
    (file.parent / f"{name}.key").chmod(0o640)
    with pytest.raises(CampaignError, match="open to others"):
        KEYS[name](file)
