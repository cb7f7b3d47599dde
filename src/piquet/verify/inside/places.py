# SPDX-License-Identifier: GPL-3.0-or-later
"""Where packages put things on a host, and what is ours there; constants only."""

from __future__ import annotations

from collections.abc import Mapping

from piquet.protocol.places import AGENT_PATH, ETC, LIB, RUN, SPOOL

LOGS: Mapping[str, tuple[str, ...]] = {
    "nginx": ("/var/log/nginx/error.log",),
    "apache": ("/var/log/apache2/error.log", "/var/log/httpd/error_log"),
}
"""Error logs of Debian's and Red Hat's packages; one that an owner put elsewhere is not found."""

TESTS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "nginx": (("nginx", "-t"),),
    "apache": (("apache2ctl", "-t"), ("apachectl", "-t"), ("httpd", "-t")),
}
"""Commands that test a configuration; also where our agent, which knows the platform, is gone."""

FOLDERS = (ETC, LIB, SPOOL, RUN, AGENT_PATH)
