# SPDX-License-Identifier: GPL-3.0-or-later
"""Apache as each family of operating systems packages it. Source: the packages' own unit files and main files."""

from __future__ import annotations

from dataclasses import replace
from typing import Mapping

from piquet.host.system.platforms import ALPINE, ARCH, DEBIAN, REDHAT, SUSE, UNKNOWN, Packaged

_DEBIAN = Packaged(
    command=("apache2ctl",),
    reload=("apache2ctl", "graceful"),
    conf="/etc/apache2/apache2.conf",
    pid="/run/apache2/apache2.pid",
    dropin="/etc/apache2/conf-enabled",
)
_BY_HTTPD = Packaged(
    command=("httpd",),
    reload=("httpd", "-k", "graceful"),
    conf="/etc/httpd/conf/httpd.conf",
    pid="/run/httpd/httpd.pid",
    dropin="/etc/httpd/conf.d",
)
_BY_APACHECTL = replace(_DEBIAN, command=("apachectl",), reload=("apachectl", "graceful"))
APACHE_PACKAGES: Mapping[str, Packaged] = {
    DEBIAN.name: _DEBIAN,
    REDHAT.name: _BY_HTTPD,
    SUSE.name: replace(
        _BY_APACHECTL, conf="/etc/apache2/httpd.conf", pid="/run/httpd.pid", dropin="/etc/apache2/conf.d"
    ),
    ARCH.name: replace(_BY_HTTPD, dropin=""),
    ALPINE.name: replace(
        _BY_HTTPD,
        conf="/etc/apache2/httpd.conf",
        pid="/run/apache2/httpd.pid",
        dropin="/etc/apache2/conf.d",
    ),
    UNKNOWN.name: _BY_APACHECTL,
}
"""Family → its package."""
_OF_FAMILIES = [package for name, package in APACHE_PACKAGES.items() if name != UNKNOWN.name]

APACHE_PIDS = tuple(dict.fromkeys(package.pid for package in _OF_FAMILIES))
"""Where an Apache that nobody's package installed may have it: every place that a family knows."""

APACHE_DROPINS = frozenset(package.dropin.rpartition("/")[2] for package in _OF_FAMILIES) - {""}
"""Names of folders that owners take drop-in files in, on any family."""
