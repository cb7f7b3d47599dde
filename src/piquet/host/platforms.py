# SPDX-License-Identifier: GPL-3.0-or-later
"""Operating systems as data: commands and folders per family, no branches elsewhere.

Source: certbot's `override_*.py` for the idea; the packages' own unit files for the commands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Optional, Tuple

Command = Tuple[str, ...]


@dataclass(frozen=True)
class Platform:
    """What differs between operating systems.

    Attributes:
        name: of the family, as the survey reports it.
        ids: values of ID or ID_LIKE in os-release that belong to it.
        nginx: command of the server, to which options are added.
        nginx_reload: replaces workers without dropping the listening sockets.
        apache: control command of the server.
        apache_reload: graceful restart; never called while the server is stopped, since it would start it.
        systemctl: the service manager, or () where there is none.
        cron: programs that read /etc/cron.d; busybox's crond, though it has that name, does not.
    """

    name: str
    ids: Tuple[str, ...]
    nginx: Command = ("nginx",)
    nginx_reload: Command = ("nginx", "-s", "reload")
    apache: Command = ("apache2ctl",)
    apache_reload: Command = ("apache2ctl", "graceful")
    systemctl: Command = ("systemctl",)
    cron: Tuple[str, ...] = ("cron", "crond")


DEBIAN = Platform("debian", ("debian", "ubuntu"))
REDHAT = Platform(
    "redhat", ("rhel", "fedora", "centos"), apache=("httpd",), apache_reload=("httpd", "-k", "graceful")
)
SUSE = Platform("suse", ("suse", "opensuse"), apache=("apachectl",), apache_reload=("apachectl", "graceful"))
ARCH = Platform("arch", ("arch",), apache=("httpd",), apache_reload=("httpd", "-k", "graceful"))
ALPINE = Platform(
    "alpine", ("alpine",), apache=("httpd",), apache_reload=("httpd", "-k", "graceful"), systemctl=()
)
UNKNOWN = Platform("unknown", (), apache=("apachectl",), apache_reload=("apachectl", "graceful"))
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
