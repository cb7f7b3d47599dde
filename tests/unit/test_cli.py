# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: what is printed where, what is written, and the exit codes that scripts rely on."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pytest

import piquet.cli
from piquet.cli import COMMANDS, exit_codes, run_command
from piquet.errors import (
    BundleError,
    CampaignError,
    EngineError,
    FleetError,
    HostError,
    PiquetError,
    PlanError,
)
from piquet.fleet.workdir import Workdir
from piquet.load import load_campaign
from piquet.plan import plan_digest

from .samples import block, campaign_text, nginx, survey

NOW = datetime.now(UTC)


def soon(**parts: str) -> str:
    """The example campaign with a window that begins tomorrow."""
    start = (NOW + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S")
    phases = f"[{{mode: block, start: {start}, duration: 24h, page: pages/greve}}]"
    return campaign_text(**({"timezone": "UTC", "phases": phases} | parts))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound campaign, an inventory of two hosts, and their surveys."""
    pages = tmp_path / "pages/greve"
    pages.mkdir(parents=True)
    for language in ("fr", "en"):
        (pages / f"{language}.md").write_text("# Grève\n", "utf-8")
    (tmp_path / "campaign.yml").write_text(soon(open="{bypass: true}"), "utf-8")
    (tmp_path / "hosts.ini").write_text("web1\nweb2\n")
    blocks = (block(1, "www.example.org"), block(9, "*.blogs.example.org"))
    keep(tmp_path, "web1", nginx=nginx(*blocks))
    keep(tmp_path, "web2")
    return tmp_path


def keep(folder: Path, host: str, **changes: Any) -> None:
    """Keep a survey made now."""
    Workdir(folder / ".piquet").write_survey(host, survey(at=NOW.timestamp(), **changes))


def plan(folder: Path, *more: str) -> int:
    """Run `piquet plan` on that folder."""
    return run_command(["plan", str(folder / "campaign.yml"), "-i", str(folder / "hosts.ini"), *more])


def test_an_example_is_sound_and_never_overwrites(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`init` then `check` is all well; a second `init` writes nothing and says what is in the way."""
    folder = tmp_path / "new/greve"
    assert run_command(["init", str(folder)]) == 0
    assert run_command(["check", str(folder / "campaign.yml")]) == 0
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    assert {"bypass.key", "pages.key"} <= set(before[folder / ".gitignore"].decode().split())
    (folder / "pages/greve/it.md").unlink()
    assert run_command(["init", str(folder)]) == exit_codes.CAMPAIGN
    assert not (folder / "pages/greve/it.md").exists()
    assert [file for file in folder.rglob("*") if file.is_file() and file.read_bytes() != before[file]] == []
    said = capsys.readouterr().err
    assert ".gitignore: this file is there already" in said and "new/greve/campaign.yml, " in said


def test_an_example_in_two_languages_is_sound(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--languages fr,en`, where nobody names a folder or a file: check finds it, and no text of a third."""
    monkeypatch.chdir(tmp_path)
    assert run_command(["init", "--languages", "en, fr"]) == 0
    assert run_command(["check"]) == 0
    assert load_campaign(tmp_path / "campaign/campaign.yml").campaign.languages == ("en", "fr")
    assert {file.stem for file in (tmp_path / "campaign").rglob("*.md")} == {"en", "fr"}
    assert "piquet.fleet.calm" in (tmp_path / "ansible.cfg").read_text("utf-8")
    capsys.readouterr()
    assert run_command(["init", "other", "--languages", "fr,nl,xx"]) == exit_codes.USAGE
    assert "no text in nl, xx" in capsys.readouterr().err and not (tmp_path / "other").exists()


def test_settings_of_ansible_that_are_there_stay(tmp_path: Path) -> None:
    """An ansible.cfg beside the campaign is its owner's."""
    (tmp_path / "ansible.cfg").write_text("[defaults]\nforks = 3\n", "utf-8")
    assert run_command(["init", str(tmp_path / "campaign")]) == 0
    assert (tmp_path / "ansible.cfg").read_text("utf-8") == "[defaults]\nforks = 3\n"


def test_the_example_has_a_text_in_each_of_its_languages(tmp_path: Path) -> None:
    """No page is left over, none is missing."""
    run_command(["init", str(tmp_path)])
    loaded = load_campaign(tmp_path / "campaign.yml")
    for folder in ("pages/greve", "pages/une", "messages/annonce", "messages/merci"):
        languages = [page.language for page in loaded.pages if page.file.startswith(folder)]
        assert sorted(languages) == sorted(file.stem for file in (tmp_path / folder).glob("*.md"))
        assert tuple(languages) == loaded.campaign.languages


def test_check_says_which_pages_nobody_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The example's places for words are nobody's reasons."""
    run_command(["init", str(tmp_path)])
    (tmp_path / "pages/greve/fr.md").write_text("# En grève\n", "utf-8")
    assert run_command(["check", str(tmp_path / "campaign.yml")]) == 0
    said = capsys.readouterr().err
    assert "pages/greve/en.md" in said and "greve/fr.md" not in said
    assert said.count("still the example's text") == 1 and "23 times: messages/annonce/de.md, " in said


def test_one_of_a_kind_is_told_with_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As any finding is; with its place first."""
    run_command(["init", str(tmp_path)])
    for file in tmp_path.glob("*/*/*.md"):
        if file != tmp_path / "pages/greve/fr.md":
            file.write_text("# En grève\n", "utf-8")
    assert run_command(["check", str(tmp_path / "campaign.yml")]) == 0
    assert "warning: pages/greve/fr.md: this is still the example's text" in capsys.readouterr().err


def test_check_says_which_pages_are_long_to_load(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A page and its style sheet together; neither alone, and no light one."""
    run_command(["init", str(tmp_path)])
    file, theme = tmp_path / "campaign.yml", tmp_path / "themes/ours"
    theme.mkdir(parents=True)
    (theme / "strike.css").write_text(f"/*{'x' * 40_000}*/", "utf-8")
    file.write_text(re.sub("(?m)^theme: .*", "theme: themes/ours", file.read_text("utf-8")), "utf-8")
    for length, expected in ((20_000, "warning: pages/greve/fr.md: this page is long to load"), (10, "")):
        (tmp_path / "pages/greve/fr.md").write_text(f"# En grève\n\n{'mot ' * (length // 4)}\n", "utf-8")
        assert run_command(["check", str(file)]) == 0
        said = capsys.readouterr().err
        assert ("long to load" in said) == bool(expected) and expected in said


def test_a_wrong_path_of_the_inventory_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In one line, without Ansible's warnings."""
    assert (
        run_command(["plan", str(folder / "campaign.yml"), "-i", str(folder / "hots.ini")])
        == exit_codes.FLEET
    )
    assert "hots.ini: there is no such file" in capsys.readouterr().err


def test_check_shows_both_clocks(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Local time with its zone, and UTC."""
    phases = "[{mode: block, start: 2099-07-01T00:00, duration: 90m, page: pages/greve}]"
    (folder / "campaign.yml").write_text(campaign_text(phases=phases), "utf-8")
    assert run_command(["check", str(folder / "campaign.yml")]) == 0
    expected = "from Wed 1 Jul 2099 00:00:00 Europe/Paris (30 Jun 22:00:00 UTC), in "
    assert expected in capsys.readouterr().out


def test_check_tells_all_problems(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error, with places; nothing on standard output; exit code 3."""
    (folder / "campaign.yml").write_text(soon(contact="x", languages="[fr, en, es]"), "utf-8")
    assert run_command(["check", str(folder / "campaign.yml")]) == exit_codes.CAMPAIGN
    said = capsys.readouterr()
    assert said.out == ""
    assert re.search(r"campaign\.yml:\d+:\d+: there is no page in es", said.err)
    assert re.search(r"campaign\.yml:\d+:\d+: this is not an address to contact", said.err)


def test_a_plan_is_printed_and_kept(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Who shows what, when; document and bundles under the digest; again the same digest."""
    assert plan(folder) == 0
    said = capsys.readouterr().out
    digest = re.search(r"^digest ([0-9a-f]{64})$", said, re.MULTILINE)
    assert digest
    assert "*.blogs.example.org" in said
    assert re.search(r"^    from \w{3} \d+ \w{3} \d{4} [\d:]{8} UTC, in 23 h \d+ min$", said, re.MULTILINE)
    kept = Workdir(folder / ".piquet")
    document = kept.plan_document(digest[1])
    assert plan_digest(document) == digest[1]
    assert list(json.loads(document)["hosts"]) == ["web1"]
    assert [file.name for file in kept.bundle_dir(digest[1]).glob("*.zip")] == ["web1.zip"]
    assert plan(folder) == 0
    assert digest[0] in capsys.readouterr().out


def test_a_plan_for_programs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON and nothing else on standard output; RFC 3339 in UTC."""
    assert plan(folder, "--json") == 0
    value = json.loads(capsys.readouterr().out)
    assert [host["host"] for host in value["hosts"]] == ["web1", "web2"]
    assert all("as_usual" in host for host in value["hosts"])
    assert value["phases"][0]["start"] == (NOW + timedelta(days=1)).replace(microsecond=0).isoformat()
    assert re.fullmatch("[0-9a-f]{64}", value["digest"])


def test_an_unsafe_plan_is_shown_and_not_kept(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The table is there, the digest is not, nothing is written, exit code 5."""
    keep(folder, "web1", nginx=nginx(block(1, "www.example.org", hooked=None)))
    assert plan(folder) == exit_codes.PLAN
    said = capsys.readouterr()
    assert "no digest: this plan is refused" in said.out
    assert "[not-hooked]" in said.err and "[not-hooked]" not in said.out
    assert not (folder / ".piquet/plans").exists()
    assert not list(folder.glob("*.key"))


def test_a_limit_leaves_hosts_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As Ansible's own."""
    assert plan(folder, "--json", "--limit", "web1") == 0
    assert [host["host"] for host in json.loads(capsys.readouterr().out)["hosts"]] == ["web1"]


def test_an_inventory_that_is_none(folder: Path) -> None:
    """Exit code 4."""
    assert (
        run_command(["plan", str(folder / "campaign.yml"), "-i", str(folder / "nowhere")]) == exit_codes.FLEET
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["plan"],
        ["check", "--nonsense"],
        ["init", "a", "b"],
        ["arm"],
        ["status", "-i", "x,", "--digest", "y"],
    ],
)
def test_wrong_command_lines(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, said on standard error."""
    assert run_command(arguments) == exit_codes.USAGE
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("Usage: piquet")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)])
def test_help(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Every verb explains itself."""
    assert run_command(arguments) == 0
    assert "piquet" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CampaignError("x"), 3), (FleetError("x"), 4), (PlanError("x"), 5), (BundleError("x"), 6), (HostError("x"), 7),
        (EngineError("x"), 70),
        (PiquetError("x"), 1), (KeyboardInterrupt(), 130), (click.Abort(), 130), (click.UsageError("x"), 2),
        (OSError("disk full"), 70),
    ],
)  # fmt: skip
def test_exit_codes(error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one table: each kind of fault has its own code, and ends without a traceback."""

    def fail(**_: Any) -> None:
        raise error

    monkeypatch.setattr(piquet.cli.cli, "main", fail)
    assert code == run_command([])


def test_an_error_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug shows its traceback, to be reported."""

    def fail(**_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(piquet.cli.cli, "main", fail)
    with pytest.raises(ZeroDivisionError):
        run_command([])
