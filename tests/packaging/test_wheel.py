# SPDX-License-Identifier: GPL-3.0-or-later
"""`pip install piquet` is enough: command line, templates, playbooks by their names, the suite for pytest."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from piquet import __version__
from testbed import Fleet

from .conftest import tracked
from .installed import ROOT, Environment, install, make_environment

COLLECTION = "ansible_collections/piquet/fleet"
BESIDE = {
    "templates/": "piquet/_data/templates/",
    "inventory.example/": "piquet/_data/inventory.example/",
    "deploys/": "piquet/_data/deploys/",
    **{f"{name}/": f"{COLLECTION}/{name}/" for name in ("meta", "playbooks", "plugins", "roles")},
    "src/": "",
    "galaxy.yml": f"{COLLECTION}/galaxy.yml",
}


def test_it_holds_what_belongs(wheel: Path) -> None:
    """Every file of package, templates, example and collection, and nothing that lay about."""
    expected = {
        target + name.removeprefix(source)
        for name in tracked()
        for source, target in BESIDE.items()
        if name.startswith(source)
    }
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert expected == held


def test_one_version(wheel: Path) -> None:
    """Package, collection and wheel are one version; only two files say which."""
    galaxy = (ROOT / "galaxy.yml").read_text("utf-8")
    assert f"\nversion: {__version__}\n" in galaxy
    assert f"piquet-{__version__}-" in wheel.name
    assert "\nversion" not in (ROOT / "pyproject.toml").read_text("utf-8")


def test_the_command_line(with_wheel: Environment) -> None:
    """Version, init, check and plan, from a folder that knows nothing of the checkout."""
    where = with_wheel.said("python", "-c", "import piquet; print(piquet.__file__)").strip()
    assert Path(where) == with_wheel.packages / "piquet/__init__.py"
    assert __version__ in with_wheel.said("piquet", "--version")
    with_wheel.said("piquet", "init", "strike")
    campaign = with_wheel.home / "strike/campaign.yml"
    assert "phase 2 block" in with_wheel.said("piquet", "check", str(campaign))
    base = ROOT / "tests/bad/base"
    shutil.copy(base / "hosts.yml", with_wheel.home)
    shutil.copytree(base / "surveys", with_wheel.home / ".piquet/surveys")
    plan = with_wheel.run("piquet", "plan", str(campaign), "-i", "hosts.yml", "--json")
    assert json.loads(plan.stdout)["hosts"], plan.stderr


def test_playbooks_by_name(with_wheel: Environment, fleet: Fleet) -> None:
    """A real host is surveyed and asked for its status by playbooks that came with the package."""
    host = fleet.of("nginx")[0]
    inventory, work = str(fleet.inventory), with_wheel.home / "work"
    for verb in ("survey", "status"):
        arguments = (
            f"piquet.fleet.{verb}",
            "-i",
            inventory,
            "--limit",
            host.name,
            "-e",
            f"piquet_workdir={work}",
        )
        assert with_wheel.said("ansible-playbook", *arguments).endswith("\ndone\n"), (
            "by the settings that init wrote"
        )
    assert json.loads((work / f"surveys/{host.name}.json").read_text("utf-8"))["nginx"]["version"]


def test_pytest_has_the_suite(with_wheel: Environment) -> None:
    """Also where the environment lies in the folder of the run, under a name that pytest does not enter by itself."""
    near = with_wheel.home / "venv"
    near.symlink_to(with_wheel.path)
    done = with_wheel.run(
        "python", "-m", "pytest", "--pyargs", "piquet.suite", "-W", "error", "-p", "no:cacheprovider"
    )
    near.unlink()
    assert done.returncode == 2, done.stdout
    assert "test_site needs a campaign: give --piquet-campaign=campaign.yml" in done.stdout


def test_an_editable_install_is_the_checkout(used_checkout: Path, tmp_path: Path) -> None:
    """Nothing is copied that could grow old: templates and playbooks are those that somebody edits."""
    environment = make_environment(tmp_path)
    install(environment, "--editable", str(used_checkout))
    ask = "from piquet import resources; print(resources.root()); print(resources.collection())"
    assert environment.said("python", "-c", ask).splitlines() == [str(used_checkout)] * 2
    assert not (environment.packages / "ansible_collections").exists()


@pytest.mark.parametrize("name", ["playbooks/status.yml", "roles/stage/tasks/main.yml", "galaxy.yml"])
def test_the_collection_is_found_by_the_package(with_wheel: Environment, name: str) -> None:
    """`resources.collection()` is the folder that Ansible uses."""
    ask = "from piquet import resources; print(resources.collection())"
    found = Path(with_wheel.said("python", "-c", ask).strip())
    assert found == with_wheel.packages / COLLECTION
    assert (found / name).read_bytes() == (ROOT / name).read_bytes()
