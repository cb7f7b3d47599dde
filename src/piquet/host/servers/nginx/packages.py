# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx as each family of operating systems packages it. Source: the packages' own unit files and main files."""

from __future__ import annotations

from dataclasses import replace
from typing import Mapping

from piquet.host.system.platforms import ALPINE, ARCH, DEBIAN, Packaged

_DEBIAN = Packaged(
    command=("nginx",),
    reload=("nginx", "-s", "reload"),
    conf="/etc/nginx/nginx.conf",
    pid="/run/nginx.pid",
    dropin="/etc/nginx/conf.d",
)
NGINX_PACKAGES: Mapping[str, Packaged] = {
    DEBIAN.name: _DEBIAN,
    ARCH.name: replace(_DEBIAN, dropin=""),
    ALPINE.name: replace(_DEBIAN, pid="/run/nginx/nginx.pid", dropin="/etc/nginx/http.d"),
}
"""Family → its package; every other family has Debian's names."""
