# SPDX-License-Identifier: GPL-3.0-or-later
"""The tiny server as a provider."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from piquet.host.servers.web_server import Survey, WebServer
from piquet.host.system import commands, processes
from piquet.host.system.commands import Result
from piquet.host.system.platforms import DEBIAN, Packaged
from piquet.protocol.places import DROPIN

_PACKAGED = Packaged(
    ("tinyd",), ("tinyd", "reload"), "/etc/tiny/tiny.conf", "/run/tiny.pid", "/etc/tiny/conf.d"
)


class Tiny(WebServer):
    """The one of this machine."""

    name = title = "tiny"
    dropin = DROPIN
    packages: Mapping[str, Packaged] = {DEBIAN.name: _PACKAGED}
    test_in_words = "tinyd test"
    vhosts_in_words = ("sites", "sites")

    @property
    def conf(self) -> Path:
        """Its main file."""
        return self.paths.at(self.packaged.conf)

    def is_present(self) -> bool:
        """Whether it has a configuration."""
        return self.conf.is_file()

    def survey(self) -> Survey | None:
        """Its part of the survey."""
        if not self.is_present():
            return None
        lines = [json.loads(line) for line in self.conf.read_text("utf-8").splitlines()]
        (port,) = (line["listen"] for line in lines if "listen" in line)
        tested = self.test()
        listens = [{"address": "127.0.0.1", "port": port, "tls": False}]
        document: dict[str, Any] = {
            "version": "1",
            "dropin_dir": self.packaged.dropin,
            "modules": ["files"],
            "running": self.is_running(),
            "test": {"ok": tested.ok, "output": tested.output},
            "sites": [{"names": [line["site"]], "listens": listens} for line in lines if "site" in line],
        }
        return Survey(document)

    def master(self) -> processes.Process | None:
        """By its pid file."""
        try:
            return processes.process(int(self.paths.at(self.packaged.pid).read_text("utf-8")))
        except (OSError, ValueError):
            return None

    def loaded_age_s(self) -> float | None:
        """By the pid file, too, which it writes whenever it has read its lines."""
        try:
            return (
                time.time() - self.paths.at(self.packaged.pid).stat().st_mtime if self.is_running() else None
            )
        except OSError:
            return None

    def is_loaded_since(self, uptime_s: float) -> bool:
        """The same."""
        age_s = self.loaded_age_s()
        return age_s is not None and processes.uptime_s() - age_s >= uptime_s

    def reads(self) -> list[Path]:
        """The main file and the drop-ins."""
        return [self.conf, *sorted(self.paths.at(self.packaged.dropin).glob("*.conf"))]

    def _test(self) -> Result:
        return commands.execute([*self.packaged.command, "test"])

    def _reload(self) -> Result:
        before = self.loaded_age_s()
        result = commands.execute(self.packaged.reload)
        deadline = time.monotonic() + 5
        while result.ok and (self.loaded_age_s() or 0) >= (before or 0) and time.monotonic() < deadline:
            time.sleep(0.02)
        return result
