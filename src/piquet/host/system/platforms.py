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
    """What differs between operating systems; the defaults are Debian's.

    Attributes:
        name: of the family, as the survey reports it.
        ids: values of ID or ID_LIKE in os-release that belong to it.
        nginx: command of the server, to which options are added.
        nginx_reload: replaces workers without dropping the listening sockets.
        apache: control command of the server.
        apache_reload: graceful restart; never called while the server is stopped, since it would start it.
        systemctl: the service manager, or () where there is none.
        cron: programs that read /etc/cron.d; busybox's crond, though it has that name, does not.
        nginx_conf: main file, where the server itself does not say.
        nginx_pid: pid file, where neither server nor configuration says.
        nginx_dropin: folder of *.conf files that the main file as packaged includes at http level; "" for none.
        apache_conf: main file, where the server itself does not say.
        apache_pid: pid file, where the configuration is too broken to say.
        apache_dropin: folder of *.conf files that the main file as packaged includes; "" for none.
    """

    name: str
    ids: Tuple[str, ...]
    nginx: Command = ("nginx",)
    nginx_reload: Command = ("nginx", "-s", "reload")
    apache: Command = ("apache2ctl",)
    apache_reload: Command = ("apache2ctl", "graceful")
    systemctl: Command = ("systemctl",)
    cron: Tuple[str, ...] = ("cron", "crond")
    nginx_conf: str = "/etc/nginx/nginx.conf"
    nginx_pid: str = "/run/nginx.pid"
    nginx_dropin: str = "/etc/nginx/conf.d"
    apache_conf: str = "/etc/apache2/apache2.conf"
    apache_pid: str = "/run/apache2/apache2.pid"
    apache_dropin: str = "/etc/apache2/conf-enabled"

    @property
    def nginx_test(self) -> Command:
        """Tests the whole configuration on disk, changes nothing."""
        return (*self.nginx, "-t")

    @property
    def apache_test(self) -> Command:
        """Tests the whole configuration on disk, changes nothing."""
        return (*self.apache, "-t")


DEBIAN = Platform("debian", ("debian", "ubuntu"))
REDHAT = Platform(
    "redhat",
    ("rhel", "fedora", "centos"),
    apache=("httpd",),
    apache_reload=("httpd", "-k", "graceful"),
    apache_conf="/etc/httpd/conf/httpd.conf",
    apache_pid="/run/httpd/httpd.pid",
    apache_dropin="/etc/httpd/conf.d",
)
SUSE = Platform(
    "suse",
    ("suse", "opensuse"),
    apache=("apachectl",),
    apache_reload=("apachectl", "graceful"),
    apache_conf="/etc/apache2/httpd.conf",
    apache_pid="/run/httpd.pid",
    apache_dropin="/etc/apache2/conf.d",
)
ARCH = Platform(
    "arch",
    ("arch",),
    apache=("httpd",),
    apache_reload=("httpd", "-k", "graceful"),
    nginx_dropin="",
    apache_conf="/etc/httpd/conf/httpd.conf",
    apache_pid="/run/httpd/httpd.pid",
    apache_dropin="",
)
ALPINE = Platform(
    "alpine",
    ("alpine",),
    apache=("httpd",),
    apache_reload=("httpd", "-k", "graceful"),
    systemctl=(),
    nginx_pid="/run/nginx/nginx.pid",
    nginx_dropin="/etc/nginx/http.d",
    apache_conf="/etc/apache2/httpd.conf",
    apache_pid="/run/apache2/httpd.pid",
    apache_dropin="/etc/apache2/conf.d",
)
UNKNOWN = Platform("unknown", (), apache=("apachectl",), apache_reload=("apachectl", "graceful"))
FAMILIES = (DEBIAN, REDHAT, SUSE, ARCH, ALPINE)

APACHE_PIDS = tuple(dict.fromkeys(family.apache_pid for family in FAMILIES))
"""Where an Apache that nobody's package installed may have it: every place that a family knows."""

APACHE_DROPINS = frozenset(family.apache_dropin.rpartition("/")[2] for family in FAMILIES) - {""}
"""Names of folders that owners take drop-in files in, on any family."""


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
