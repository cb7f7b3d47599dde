# SPDX-License-Identifier: GPL-3.0-or-later
"""A new web server is one folder in each of three rooms and a line in two lists; nothing else has to know it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.unit.package import ROOT

HERE = Path(__file__).parent
ROOMS = {
    "servers": "src/piquet/servers/tiny",
    "host": "src/piquet/host/servers/tiny",
    "templates": "templates/tiny",
}
LISTS = {
    "src/piquet/servers/registry.py": ("(NGINX_KIND, APACHE_KIND)", "TINY_KIND", "piquet.servers.tiny.kind"),
    "src/piquet/host/servers/registry.py": ("(Nginx, Apache)", "Tiny", "piquet.host.servers.tiny.server"),
}


def test_a_third_server_comes_in_by_its_rooms_alone(tmp_path: Path) -> None:
    """Survey, plan, stage, arm, an exact window and remove, on a server that the package did not know before."""
    copy, checkout = tmp_path / "copy", ROOT.parents[1]
    shutil.copytree(ROOT, copy / "src/piquet")
    shutil.copytree(checkout / "templates", copy / "templates")
    for room, folder in ROOMS.items():
        shutil.copytree(HERE / room / "tiny", copy / folder)
    for name, (known, new, module) in LISTS.items():
        text = (copy / name).read_text("utf-8")
        assert text.count(known) == 1
        text = text.replace(known, f"{known[:-1]}, {new})")
        first = text.index("from piquet.")
        (copy / name).write_text(f"{text[:first]}from {module} import {new}\n{text[first:]}", "utf-8")
    (tmp_path / "root").mkdir()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(copy / "src"), str(checkout)))}
    command = [sys.executable, "-m", "tests.third_server.course", str(tmp_path / "root")]
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
