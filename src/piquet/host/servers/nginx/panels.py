# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosting panels as data: they write server blocks anew, and include a place of the owner's in each of them.

A line in a file that a panel generates is gone with its next rebuild; one in its place stays. Where a panel includes a
folder or a family of files, we put a file of our own there. Nothing here was run with a panel itself.

Sources, each at the commit that was read:
    YunoHost: github.com/YunoHost/yunohost 4c1371d, `conf/nginx/server.tpl.conf` and `hooks/conf_regen/15-nginx`.
    HestiaCP: github.com/hestiacp/hestiacp d128cc6, `install/deb/templates/web/nginx`, `func/domain.sh`,
        `bin/v-add-web-domain-ssl-force`, `bin/v-add-web-domain-redirect`, `install/deb/nginx/0rtt-anti-replay.conf`.
    cPanel: github.com/CpanelInc/ea-nginx 9822ea2, README and `SOURCES/cpanel/ea-nginx/server.conf.tt`.
    Plesk: its Administrator's Guide, "Apache and nginx configuration files" (docs.plesk.com, 68678).
    ISPConfig: `server/conf/nginx_vhost.conf.master`, the loop over `nginx_directives`.
    Virtualmin: github.com/virtualmin/virtualmin-nginx e1530a3, `virtual_feature.pl` (feature_setup).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Dict, Iterable, Optional, Tuple

from piquet.host.servers.nginx.tokens import Directive
from piquet.host.system.paths import Paths

FIRST = "00-piquet"
"""Takes the place of a star: before what panels and their applications put there, of which some redirects."""
_ACTING = frozenset({"return", "rewrite", "if", "set", "break"})


@dataclass(frozen=True)
class Panel:
    """One panel.

    Attributes:
        title: for people.
        sign: a path that is there where it is installed.
        place: what its owner may write for a site, for people.
        rebuild: what writes its server blocks anew, for people.
        include: pattern of the end of that include in its server blocks; "" where we put nothing there by ourselves.
        asks_again: the variable of conditions of its own before that place which only have a client ask again.
    """

    title: str
    sign: str
    place: str
    rebuild: str
    include: str = ""
    asks_again: str = ""

    def to_json(self) -> Dict[str, Any]:
        """The record of the survey."""
        return {
            "title": self.title,
            "place": self.place,
            "rebuild": self.rebuild,
            "used": bool(self.include),
        }


PANELS = (
    Panel(
        "YunoHost",
        "/etc/yunohost/installed",
        "/etc/nginx/conf.d/DOMAIN.d/*.conf",
        "yunohost tools regen-conf nginx --force",
        include=r"/etc/nginx/conf\.d/[^/*]+\.d/\*\.conf$",
    ),
    Panel(
        "HestiaCP",
        "/usr/local/hestia/conf/hestia.conf",
        "/home/USER/conf/web/DOMAIN/nginx.conf_* and nginx.ssl.conf_*",
        "v-rebuild-web-domains USER",
        include=r"/conf/web/[^/*]+/nginx(?:\.ssl)?\.conf_\*$",
        asks_again="$anti_replay",  # of requests in early data: 425, or a redirect to the same address
    ),
    Panel(
        "cPanel",
        "/usr/local/cpanel/version",
        "/etc/nginx/conf.d/users/USER/DOMAIN/*.conf",
        "/usr/local/cpanel/scripts/ea-nginx config --all",
    ),
    Panel(
        "Plesk",
        "/usr/local/psa/version",
        "/var/www/vhosts/system/DOMAIN/conf/vhost_nginx.conf",
        "plesk sbin httpdmng --reconfigure-all",
    ),
    Panel(
        "ISPConfig",
        "/usr/local/ispconfig/server/lib/config.inc.php",
        "the field `nginx directives` of each site, or "
        "/usr/local/ispconfig/server/conf-custom/nginx_vhost.conf.master",
        "Tools, Resync, Websites",
    ),
    Panel(
        "Virtualmin",
        "/etc/webmin/virtual-server/config",
        "the nginx directives of a server template, for new sites; it edits the blocks of old ones where they are",
        "a change of the site in Virtualmin",
    ),
)
"""Those that we know."""


def panels_of(paths: Paths) -> Tuple[Panel, ...]:
    """Panels of this machine."""
    return tuple(panel for panel in PANELS if paths.at(panel.sign).exists())


def place_in(panels: Iterable[Panel], glob: str) -> Optional[Tuple[Panel, str]]:
    """Of an include in a server block: whose place it is, and the file of ours there; None of any other.

    Args:
        panels: of this machine.
        glob: absolute.
    """
    found = next((panel for panel in panels if panel.include and re.search(panel.include, glob)), None)
    return (found, glob.replace("*", FIRST)) if found else None


def is_own_name(name: str) -> bool:
    """Whether a file of that name, with nothing in it but our line, is a file of ours."""
    return FIRST in name


def acts(panels: Iterable[Panel], directive: Directive) -> bool:
    """Whether a directive of a server block can answer or redirect before what stands behind it does."""
    words = {f"({panel.asks_again}" for panel in panels if panel.asks_again}
    is_asking_again = directive.name == "if" and directive.arguments[:1] and directive.arguments[0] in words
    return directive.name in _ACTING and not is_asking_again
