# SPDX-License-Identifier: GPL-3.0-or-later
"""From the campaign's folder to the agent: what `trust` carries arrives, and is changed by those who are pinned."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from piquet.agent_archive import payload
from piquet.cli import exit_codes, run_command
from piquet.controller.signers import stop_members, trust_members
from piquet.controller.store import read_members, write_members
from piquet.errors import MandateError
from piquet.fleet.workdir import Workdir
from piquet.host import request
from piquet.host.outcome import Outcome
from tests.case_files import CaseFile
from tests.host.folder_host import FolderHost

from .keys import lay_out, public_line


def sent(host: FolderHost, file: Path) -> Outcome:
    """`trust` as an engine sends it."""
    return carried(host, "trust", trust_members(file))


def carried(host: FolderHost, verb: str, members: Mapping[str, bytes]) -> Outcome:
    """A payload, unpacked and carried out as the agent does."""
    asked = {"verb": verb, "check": False, "diff": False, "at": host.now, "host": "host"}
    zipped = host.root / "payload.zip"
    zipped.write_bytes(payload(asked, members))
    return request.carry_out(host.machine(), request.from_payload(zipped))


def test_signers_are_pinned_and_changed_by_their_own_signatures(
    still: FolderHost, keys: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """First by root; then the assembly and the employer sign a list without Alice, and Alice herself may agree."""
    file = tmp_path / "c/campaign.yml"
    lay_out(CaseFile(Path("trust")), file.parent, keys)
    first = sent(still, file)
    assert first.is_changed and "assembly (2 of 3), employer (1 of 1)" in first.message
    assert not sent(still, file).is_changed
    assert "signed: assembly (2 of 3)" in str(
        request.respond(still.machine(), request.Request("status"))["status"]
    )
    lines = [f"{name}@example.org {public_line(keys[name])}" for name in ("bob", "carol")]
    (file.parent / "mandate/assembly.allowed_signers").write_text("\n".join(lines) + "\n")
    assert [finding.subject for finding in sent(still, file).findings] == ["assembly", "employer"]
    for name in ("alice", "bob", "director"):
        as_name = ["--as", f"{name}@example.org", "--key", str(keys[name])]
        assert run_command(["decision", "sign", str(file), "--trust", *as_name]) == exit_codes.OK
    assert "signing assembly, 2 of: bob@example.org, carol@example.org" in capfd.readouterr().err
    assert sent(still, file).is_changed
    assert still.journal() == ["signers-pinned", "signers-changed"]
    assert still.paths.signers.stat().st_mode & 0o777 == 0o600
    assert still.paths.trust.stat().st_mode & 0o777 == 0o700


def test_a_campaign_without_roles_pins_nobody(keys: dict[str, Path], tmp_path: Path) -> None:
    """And says what to write."""
    file = tmp_path / "c/campaign.yml"
    lay_out(CaseFile(Path("trust")), file.parent, keys)
    file.write_text(file.read_text().partition("mandate:")[0])
    with pytest.raises(MandateError, match="names nobody who may decide"):
        trust_members(file)


def test_a_stop_is_kept_for_whoever_carries_it(
    still: FolderHost, keys: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """One signer signs; the host that is away then gets it from anybody who has the folder, and no campaign."""
    file = tmp_path / "c/campaign.yml"
    lay_out(CaseFile(Path("stop")), file.parent, keys)
    assert sent(still, file).is_changed
    inventory = tmp_path / "hosts.ini"
    inventory.write_text("web1 ansible_host=127.0.0.1 ansible_port=1\n")
    by = ["--as", "carol@example.org", "--key", str(keys["carol"])]
    stop = ["decision", "stop", str(file), "-i", str(inventory)]
    assert run_command([*stop, *by]) == exit_codes.UNREACHABLE
    (folder,) = (kept.parent for kept in file.parent.rglob("stop.json"))
    assert f"piquet_stop_decision={folder}" in capfd.readouterr().err
    assert run_command([*stop, "--as", "carol@example.org", "--key", str(keys["mallory"])]) == exit_codes.PLAN
    assert run_command([*stop, *by, "--digest", "0" * 64]) == exit_codes.PLAN
    outcome = carried(still, "stop", stop_members(folder))
    assert outcome.is_changed and "Revision 1 of greve-2026-12-17 is stopped for good" in outcome.message
    with pytest.raises(MandateError, match="holds no stop of a decision"):
        stop_members(file.parent)


def test_a_later_signature_goes_with_the_same_plan(tmp_path: Path) -> None:
    """What is kept for a host under a digest has the signatures of today, though plan and pages are those of before."""
    work, first = Workdir(tmp_path), {"plan.json": b"p", "manifest.json": b"m", "signatures/alice": b"old"}
    write_members(work, "d" * 64, "web1", first)
    later = {**first, "signatures/alice": b"new", "signatures/bob": b"b"}
    write_members(work, "d" * 64, "web1", later)
    assert later == read_members(work, "d" * 64, "web1")
