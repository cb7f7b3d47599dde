# SPDX-License-Identifier: GPL-3.0-or-later
"""Further Apaches of one machine, as Debian's `setup-instance` makes them: `/etc/apache2-SUFFIX` and all after it.

Each is a server of its own: its own test, reload, drop-in folder, pid file and part of a survey. It is told apart by
its folder: that is what `apache2ctl` starts it with, and no process without it is taken for this one. A folder that is
only a copy of somebody's, with no process and nothing of ours, is none.

Source: Debian's README.multiple-instances, `apache2ctl` (APACHE_CONFDIR) and `envvars`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Dict, List, Optional

from piquet.host.servers.apache.server import Apache
from piquet.host.system import commands, processes
from piquet.host.system.paths import Paths
from piquet.host.system.platforms import DEBIAN, Packaged, Platform
from piquet.protocol.server_names import instance_name, is_suffix

_FOLDER = "apache2-"
_PROGRAM = "apache2ctl"


def instances(platform: Platform, paths: Paths) -> Dict[str, Apache]:
    """Those of this machine, by name; none on another family, whose servers are not made that way."""
    if platform.name != DEBIAN.name:
        return {}
    folders = [folder for folder in sorted(paths.at("/etc").glob(f"{_FOLDER}*")) if _is_made(folder)]
    running = [_folder_of(one.pid) for one in processes.masters(Apache.programs)] if folders else []
    found = [ApacheInstance(platform, paths, folder) for folder in folders]
    return {one.name: one for one in found if str(one.folder) in running or one.is_ours()}


def _is_made(folder: Path) -> bool:
    """Whether an instance could be started from it, under a name that we can use."""
    is_there = all((folder / name).is_file() for name in ("apache2.conf", "envvars"))
    return is_there and is_suffix(folder.name[len(_FOLDER) :])


def _folder_of(pid: int) -> str:
    """What a process was started with, "" where that is not said."""
    words = processes.arguments(pid)
    return next((os.path.normpath(words[n + 1]) for n, word in enumerate(words[:-1]) if word == "-d"), "")


class ApacheInstance(Apache):
    """One of them."""

    def __init__(self, platform: Platform, paths: Paths, folder: Path) -> None:
        """Nothing is read yet."""
        self.folder, self.suffix = folder, folder.name[len(_FOLDER) :]
        self.name = instance_name(Apache.name, self.suffix)
        self.title = f"{Apache.title} ({self.suffix})"
        self.packages = {DEBIAN.name: _instance_package(folder, self.suffix)}
        self.test_in_words = f"APACHE_CONFDIR={folder} {_PROGRAM} -t"
        self.access_logs = (f"var/log/{_FOLDER}{self.suffix}/*access*.log",)
        super().__init__(platform, paths)

    def is_ours(self) -> bool:
        """Whether something is staged for it."""
        return self._included_file("").is_dir()

    def is_present(self) -> bool:
        """Whether it could be started."""
        return commands.is_program((_PROGRAM,)) and _is_made(self.folder)

    def master(self) -> Optional[processes.Process]:
        """The process that its pid file names, if it was started with this folder and not with another one."""
        found = super().master()
        return found if found and _folder_of(found.pid) == str(self.folder) else None

    def _fallback_pid_files(self) -> List[str]:
        """Its own; every other one is of another server."""
        return [self.packaged.pid]

    def _main_conf(self) -> Path:
        return self.folder / "apache2.conf"


def _instance_package(folder: Path, suffix: str) -> Packaged:
    command = ("env", f"APACHE_CONFDIR={folder}", _PROGRAM)
    return Packaged(
        command=command,
        reload=(*command, "graceful"),
        conf=f"{folder}/apache2.conf",
        pid=f"/run/{_FOLDER}{suffix}/apache2.pid",
        dropin=f"{folder}/conf-enabled",
    )
