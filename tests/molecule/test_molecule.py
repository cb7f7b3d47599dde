# SPDX-License-Identifier: GPL-3.0-or-later
"""molecule's scenarios hold, every step of them ran, and nothing is left behind."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import pytest

from testbed.slot import Slot
from tests.molecule.run import ROOT, SCENARIOS, Run, expected, molecule, sequence

ALL = sorted(path.parent.name for path in SCENARIOS.glob("*/molecule.yml"))
OTHERS = [name for name in ALL if name != "default"]
NEEDED = {"converge", "idempotence", "check", "verify", "cleanup", "destroy"}


def as_promised(run: Run, scenarios: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Every action of every sequence was carried out and succeeded; no test of the verifier was left out."""
    assert run.status == 0, run.text
    assert expected(scenarios) == run.report
    assert [set(counts) for counts in run.verified] == [{"passed"}] * _count(run, "verify"), run.text
    with capsys.disabled():
        print()
        for name in scenarios:
            print(f"molecule {name}: {', '.join(a for s, a, _ in run.report if s == name)}")
        tests = sum(counts["passed"] for counts in run.verified)
        print(f"molecule: {len(run.report)} actions, {tests} tests on the hosts, {run.took_s:.0f} s")


def nothing_is_left(run: Run, files: list[Path]) -> None:
    """Its fleet is down; neither home nor checkout holds anything but molecule's own state."""
    (number,) = run.fleets
    assert not Slot(number).folder.exists()
    assert tree(SCENARIOS) == files
    left = {path.name for path in run.home.rglob("*") if not path.is_dir()}
    assert left - {"ansible.cfg", "ansible_inventory.yml", "molecule.yml", "state.yml"} == set()
    assert [path.name for path in run.home.iterdir()] == ["ansible"]


def tree(folder: Path) -> list[Path]:
    """Every path in a folder."""
    return sorted(folder.rglob("*"))


def _count(run: Run, action: str) -> int:
    return [done for _, done, _ in run.report].count(action)


def test_the_checkout_is_what_runs() -> None:
    """`piquet.fleet` is this checkout, not something that was installed."""
    link = Path(sysconfig.get_path("purelib")) / "ansible_collections/piquet/fleet"
    assert ROOT == link.resolve()


@pytest.mark.parametrize("scenario", ALL)
def test_a_scenario_has_every_kind_of_step(scenario: str) -> None:
    """Twice converged, check mode, the verifier, and a way back; nothing to download."""
    assert NEEDED - set(sequence(scenario)) == set()
    assert "dependency" not in sequence(scenario)


@pytest.mark.long
def test_default(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From nothing to armed and back, as a contributor runs it."""
    files = tree(SCENARIOS)
    run = molecule(tmp_path, "test", "--report")
    as_promised(run, ["default"], capsys)
    nothing_is_left(run, files)


@pytest.mark.long
def test_all_others_on_one_fleet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The remaining scenarios one after the other, each finding the hosts as the one before left them: as they were."""
    files = tree(SCENARIOS)
    run = molecule(tmp_path, "test", "--report", *(part for name in OTHERS for part in ("-s", name)))
    as_promised(run, OTHERS, capsys)
    nothing_is_left(run, files)


@pytest.mark.long
def test_a_failure_fails_and_takes_its_fleet_down(tmp_path: Path) -> None:
    """A verifier that ran no test is no success, and the hosts of a failed run do not stay."""
    files = tree(SCENARIOS)
    run = molecule(tmp_path, "test", "--report", PYTEST_ADDOPTS="-k none_of_them")
    assert run.status != 0
    assert ("default", "verify", "Failed (Verifier tests failed)") in run.report
    assert run.report[-1] == ("default", "destroy", "Successful")
    nothing_is_left(run, files)
