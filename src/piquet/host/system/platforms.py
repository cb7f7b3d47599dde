# SPDX-License-Identifier: GPL-3.0-or-later
"""Operating systems as data: commands and folders per family, no branches elsewhere.

Source: certbot's `override_*.py` for the idea; the packages' own unit files for the commands.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping, Optional, Tuple

Command = Tuple[str, ...]


@dataclass(frozen=True)
class Packaged:
    """A web server as an operating system packages it.

    Attributes:
        command: of the server, to which options are added.
        reload: has it take up its configuration; never called while the server is stopped, since it may start it.
        conf: main file, where the server itself does not say.
        pid: pid file, where neither server nor configuration says.
        dropin: folder of *.conf files that the main file as packaged includes where ours has to stand; "" for none.
    """

    command: Command
    reload: Command
    conf: str
    pid: str
    dropin: str

    @property
    def test(self) -> Command:
        """Tests the whole configuration on disk, changes nothing."""
        return (*self.command, "-t")


NOT_PACKAGED = Packaged((), (), "", "", "")


@dataclass(frozen=True)
class Platform:
    """What differs between operating systems; the defaults are Debian's.

    Attributes:
        name: of the family, as the survey reports it.
        ids: values of ID or ID_LIKE in os-release that belong to it.
        systemctl: the service manager, or () where there is none.
        cron: programs that read /etc/cron.d; busybox's crond, though it has that name, does not.
        packaged: name of a web server → how it is there, where that is not what its own table says of the family.
    """

    name: str
    ids: Tuple[str, ...]
    systemctl: Command = ("systemctl",)
    cron: Tuple[str, ...] = ("cron", "crond")
    packaged: Mapping[str, Packaged] = field(default_factory=dict, hash=False)


DEBIAN = Platform("debian", ("debian", "ubuntu"))
REDHAT = Platform("redhat", ("rhel", "fedora", "centos"))
SUSE = Platform("suse", ("suse", "opensuse"))
ARCH = Platform("arch", ("arch",))
ALPINE = Platform("alpine", ("alpine",), systemctl=())
UNKNOWN = Platform("unknown", ())
FAMILIES = (DEBIAN, REDHAT, SUSE, ARCH, ALPINE)


def platform_of(os_release: Mapping[str, str]) -> Platform:
    """The family that os-release's ID, then its ID_LIKE, names."""
    ids = [os_release.get("ID", ""), *os_release.get("ID_LIKE", "").split()]
    found: Optional[Platform] = next((f for i in ids for f in FAMILIES if i in f.ids), None)
    return found or UNKNOWN


def parse_os_release(text: str) -> Mapping[str, str]:
    """Read `KEY=value` lines; quotes are taken off.

    Source: os-release(5).
    """
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {key.strip(): value.strip().strip("\"'") for key, value in pairs}
