# SPDX-License-Identifier: GPL-3.0-or-later
"""`inventory.example/` works as it comes, once the host names, and those that it only suggests, are one's own."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

from piquet.cli.init import example_files
from piquet.resources import root
from testbed import Fleet

_HOSTS = """\
server { listen 80; server_name www.example.org urgences.example.org; return 200 "usual"; }
server { listen 80; server_name *.blogs.example.org; return 200 "blog"; }
server { listen 80; server_name revue.example.org hopital.example.org; return 200 "asked"; }
"""


def test_the_example_runs(fleet: Fleet, tmp_path: Path) -> None:
    """Copy, put in two addresses and a date to come: check, survey, hook and plan say what its README says."""
    folder = tmp_path / "strike"
    shutil.copytree(root() / "inventory.example", folder)
    web1, web2 = fleet.of("nginx")[:2]
    for host in (web1, web2):
        host.write_file("/etc/nginx/sites-enabled/example.conf", _HOSTS)
        host.run("nginx -t && systemctl reload nginx")
    hosts = (folder / "hosts.yml").read_text("utf-8")
    hosts = hosts.replace("web1.example.org", web1.ip).replace("web2.example.org", web2.ip)
    (folder / "hosts.yml").write_text(hosts, "utf-8")
    login = (folder / "group_vars/all/piquet.yml").read_text("utf-8") + (
        f"\nansible_user: root\nansible_ssh_common_args: -F {fleet.ssh_config}\n"
        f'ansible_control_path: "{fleet.folder}/ssh/%%r@%%h.sock"\n'
    )
    (folder / "group_vars/all/piquet.yml").write_text(login, "utf-8")
    coming = dict(example_files(date.today() + timedelta(days=7)))
    campaign = coming["campaign.yml"].replace("exclude: []", "exclude: [urgences.example.org]", 1)
    (folder / "campaign/campaign.yml").write_text(campaign, "utf-8")
    answers = folder / "campaign/consent.csv"
    answers.write_text(
        re.sub(r"^# (?=\S+\.example\.org,)", "", coming["consent.csv"], flags=re.MULTILINE), "utf-8"
    )
    try:
        _run(folder, "piquet", "check", "campaign/campaign.yml")
        for verb in ("survey", "hook"):
            _run(folder, "ansible-playbook", f"piquet.fleet.{verb}", "-i", "hosts.yml")
        plan = _run(folder, "piquet", "plan", "-i", "hosts.yml", "campaign/campaign.yml")
        assert "www.example.org" in plan
        assert "*.blogs.example.org" in plan
        shown, usual = plan.split("as usual:\n", 1)
        assert "urgences.example.org" not in shown and "hopital.example.org" not in shown
        assert "excluded: urgences.example.org" in usual and "did not agree: hopital.example.org" in usual
    finally:
        _run(folder, "ansible-playbook", "piquet.fleet.remove", "-i", "hosts.yml")
        for host in (web1, web2):
            host.run("rm /etc/nginx/sites-enabled/example.conf && systemctl reload nginx")


def _run(folder: Path, tool: str, *arguments: str) -> str:
    """One command in the folder, as its README has it; its output, which is shown when it fails."""
    argv = [str(Path(sys.executable).parent / tool), *arguments]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{tool} {arguments[0]}:\n{done.stdout}\n{done.stderr}"
    return done.stdout
