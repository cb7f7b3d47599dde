# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx and Apache with all their kinds of vhost, planted in a chroot: start, test, hook, stage, flags.

`Server` knows where a provider's files lie and how it is started; it decides nothing about what is right.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from piquet.protocol.places import FIRST_DROPIN
from tests.ports import free_ports

from .chroot import ADDRESS, Chroot, of_system, system
from .kinds import HERE, Kind, Places, Provider, modules, plant_root
from .main_files import MainFile

_SITES = {"nginx": "/etc/nginx/sites-enabled", "apache": "/etc/apache2/sites-enabled"}
START = {"nginx": ["/usr/sbin/nginx"], "apache": ["/usr/sbin/apache2", "-D", "FOREGROUND"]}
_TEST = {"nginx": ["/usr/sbin/nginx", "-t", "-q"], "apache": ["/usr/sbin/apache2", "-t"]}
_NGINX_MODULES, _APACHE_MODULES = "/usr/lib/nginx/modules", "/usr/lib/apache2/modules"
_LUA, _HEADERS_MORE = ("ndk_http_module", "ngx_http_lua_module"), ("ngx_http_headers_more_filter_module",)
_BESIDE = {".rules": "/etc/nginx/{name}.rules", ".pam": "/etc/pam.d/nginx"}
"""Files that lie beside a kind of nginx, by their ending → where they are on the host."""
_CERT, _KEY = "/etc/ssl/corpus.pem", "/etc/ssl/corpus.key"


@dataclass(frozen=True)
class Server:
    """One provider in a chroot, the kinds planted in it; `http` and `https` are its ports, `sites` their folder."""

    provider: Provider
    chroot: Chroot
    kinds: tuple[Kind, ...]
    http: int
    https: int
    sites: str = ""

    def serving(self, *, on_its_clock: bool = True) -> AbstractContextManager[None]:
        """The server running with empty caches until the context ends, on its chroot's clock or the machine's."""
        self.chroot.clean_caches()
        return self.chroot.serving(START[self.provider], self.http, on_its_clock=on_its_clock)

    def test(self) -> str:
        """Test the whole configuration as the agent would; "" if it is good, else what the server says."""
        done = self.chroot.run(_TEST[self.provider])
        return "" if done.returncode == 0 else done.stdout + done.stderr

    def tree(self) -> str:
        """Apache: its configuration as it says it itself."""
        load = "LoadModule info_module /usr/lib/apache2/modules/mod_info.so"
        return self.chroot.run([*_TEST["apache"], "-D", "DUMP_CONFIG", "-c", load]).stdout

    def read_text(self, path: str) -> str:
        """The text of a file of the chroot."""
        return self.chroot.path(path).read_text("utf-8")

    def vhost_files(self) -> tuple[Path, ...]:
        """The owners' files, as paths on the machine."""
        folder = self.chroot.path(self.sites or _SITES[self.provider])
        return tuple(path for path in sorted(folder.iterdir()) if path.name != FIRST_DROPIN)

    def install(self, files: Mapping[str, bytes]) -> None:
        """Write the bundle's files at their production paths."""
        for path, content in files.items():
            self.chroot.write(path, content)

    def remove(self, files: Sequence[str]) -> None:
        """Delete files of the bundle."""
        for path in files:
            self.chroot.path(path).unlink()

    def make_flags(self, keys: Sequence[str]) -> None:
        """What arming makes: one empty file per key in a folder that `live` points to."""
        folder = self.chroot.path("/run/piquet/flags.1")
        folder.mkdir(parents=True, exist_ok=True)
        for key in keys:
            (folder / key).touch(0o644)
        live = self.chroot.path("/run/piquet/live")
        live.unlink(missing_ok=True)
        live.symlink_to("flags.1")

    def drop_flags(self) -> None:
        """What releases everything at once: `live` unlinked."""
        self.chroot.path("/run/piquet/live").unlink(missing_ok=True)

    def errors(self) -> str:
        """The server's error log, for the report of a failure."""
        log = self.chroot.path(
            {"nginx": "/var/log/nginx/error.log", "apache": "/var/log/apache2/error.log"}[self.provider]
        )
        return log.read_text(errors="replace") if log.exists() else ""


def plant(
    provider: Provider,
    kinds: tuple[Kind, ...],
    folder: Path,
    upstream_port: int,
    main: MainFile | None = None,
    *,
    lua: bool = False,
    headers_more: bool = False,
    more_modules: tuple[str, ...] = (),
) -> Server:
    """A chroot with a server and these kinds, as their owners left it: nothing of ours in it yet.

    Args:
        provider: which server.
        kinds: whose vhost files are planted.
        folder: of the chroot; it does not exist yet.
        upstream_port: of the application.
        main: the owner's main file, by default the usual one.
        lua: whether its Lua module is loaded.
        headers_more: whether that module is loaded.
        more_modules: further modules of nginx, as their files are called.
    """
    chroot = Chroot(folder)
    http, https = free_ports(2)
    places = Places(http, https, "/srv", f"{ADDRESS}:{upstream_port}", _CERT, _KEY)
    make_certificate(chroot.path(_CERT), chroot.path(_KEY))
    sites = (main.sites if main else "") or _SITES[provider]
    for kind in kinds:
        chroot.write(f"{sites}/{kind.name}.conf", kind.rendered(places))
        plant_root(kind, chroot.path(f"/srv/{kind.name}"))
    if provider == "nginx":
        text = main.text if main else (HERE / "base/nginx.conf").read_text()
        wanted = (*(_LUA if lua else ()), *(_HEADERS_MORE if headers_more else ()))
        names = dict.fromkeys(
            (*wanted, *more_modules, *(module for kind in kinds for module in kind.modules))
        )
        _plant_beside(chroot, kinds)
        loaded = "".join(f"load_module {_NGINX_MODULES}/{name}.so;\n" for name in names)
        chroot.write("/etc/nginx/nginx.conf", (loaded + text).encode())
    else:
        _plant_apache(chroot, kinds, places, main)
    return Server(provider, chroot, kinds, http, https, sites)


def _plant_beside(chroot: Chroot, kinds: tuple[Kind, ...]) -> None:
    for kind in kinds:
        for ending, place in _BESIDE.items():
            file = HERE / "nginx" / (kind.name + ending)
            if file.exists():
                chroot.write(place.format(name=kind.name), file.read_bytes())


def _plant_apache(chroot: Chroot, kinds: tuple[Kind, ...], places: Places, main: MainFile | None) -> None:
    text = main.text if main else (HERE / "base/apache2.conf").read_text()
    text = text.replace("@HTTP@", str(places.http)).replace("@HTTPS@", str(places.https))
    chroot.write("/etc/apache2/apache2.conf", text.encode())
    loaded = modules(kinds, main.modules, main.mpm) if main else modules(kinds)
    for number, module in enumerate(loaded):
        line = f"LoadModule {module}_module /usr/lib/apache2/modules/mod_{module}.so\n"
        chroot.write(f"/etc/apache2/mods-enabled/{number:02d}-{module}.load", line.encode())


def lacking(kind: Kind) -> tuple[str, ...]:
    """Modules of a kind that the chroots' system does not have, built in or as files."""
    built = of_system("/usr/sbin/nginx", "-V") if kind.built_in else ""
    absent = tuple(name for name in kind.built_in if f"--with-{name}_module" not in built)
    folder, name = {
        "nginx": (_NGINX_MODULES, "{}.so"),
        "apache": (_APACHE_MODULES, "mod_{}.so"),
    }[kind.provider]
    there = system() / folder.lstrip("/")
    return absent + tuple(module for module in kind.modules if not (there / name.format(module)).exists())


def make_certificate(cert: Path, key: Path) -> None:
    """A throw-away certificate; nobody checks it, the clock of the chroot being where it is."""
    argv = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "30",
    ]
    argv += ["-subj", "/CN=corpus.example", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(argv, check=True, capture_output=True)


@contextmanager
def upstream() -> Iterator[int]:
    """The application behind the proxying kinds; yields its port."""
    argv = [sys.executable, str(HERE / "upstream.py"), ADDRESS, "0"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        yield int(process.stdout.readline())
        process.stdin.close()
