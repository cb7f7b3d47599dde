# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers and modules of another build than this machine's: its own, but for what they know each other by."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

NGINX_MODULES = Path("/usr/lib/nginx/modules")
APACHE_MODULES = Path("/usr/lib/apache2/modules")
_NGINX_SIGN = (b"\x008,4,8,0", b"\x008,4,8,1")
"""Source: nginx, src/core/ngx_module.h, NGX_MODULE_SIGNATURE; what is compared when a module is loaded."""
_APACHE_SIGN = (struct.pack("<i", 20120211), struct.pack("<i", 20110605))
"""Source: Apache, include/ap_mmn.h, MODULE_MAGIC_NUMBER_MAJOR of 2.4, and one of before."""


def other_nginx_build(folder: Path, name: str = "ngx_http_echo_module.so") -> Path:
    """A module of nginx, for a server that nobody has."""
    return _signed(NGINX_MODULES / name, folder / name, _NGINX_SIGN)


def other_nginx(folder: Path) -> Path:
    """A server for modules of that build."""
    folder.mkdir(parents=True, exist_ok=True)
    program = _signed(Path(shutil.which("nginx") or ""), folder / "nginx", _NGINX_SIGN)
    program.chmod(0o755)
    return program


def other_apache_build(folder: Path) -> Path:
    """A module of Apache, for a release of before."""
    return _signed(APACHE_MODULES / "mod_echo.so", folder / "mod_echo.so", _APACHE_SIGN)


def _signed(source: Path, target: Path, signs: tuple[bytes, bytes]) -> Path:
    content = source.read_bytes()
    assert signs[0] in content
    target.write_bytes(content.replace(*signs))
    return target
