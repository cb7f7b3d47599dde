# SPDX-License-Identifier: GPL-3.0-or-later
"""Which programs it is that the corpus asks: those of the Debian release that was asked for, by their own word."""

from __future__ import annotations

import re

import pytest

from piquet.host.system.platforms import parse_os_release
from testbed.image import own_suite
from tests.figures import note

from .chroot import of_system, system

_ASKED = {
    "nginx": (("nginx", "-v"), r"nginx/([\d.]+)"),
    "apache": (("apache2", "-v"), r"Apache/([\d.]+)"),
    "lua_of_mod_lua": (("ldd", "/usr/lib/apache2/modules/mod_lua.so"), r"liblua([\d.]+)\.so"),
    "python": (("/usr/bin/python3", "-V"), r"Python ([\d.]+)"),
    "systemd": (("systemctl", "--version"), r"systemd (\d+)"),
}
"""Column of the table of releases → what is asked, and what of the answer it is."""


def test_the_programs_are_those_of_the_release(request: pytest.FixtureRequest) -> None:
    """Each says its version; the system that they are taken from is of that release."""
    suite = request.config.getoption("--suite") or own_suite()
    release = parse_os_release((system() / "etc/os-release").read_text("utf-8"))
    versions = {name: _version(argv, pattern) for name, (argv, pattern) in _ASKED.items()}
    assert release.get("VERSION_CODENAME") == suite
    note("programs", **versions)


def _version(argv: tuple[str, ...], pattern: str) -> str:
    said = of_system("env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", *argv)
    found = re.search(pattern, said)
    assert found, said
    return found[1]
