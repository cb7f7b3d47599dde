# SPDX-License-Identifier: GPL-3.0-or-later
"""A private root in which a real server runs with production paths, under a clock that the test holds still.

The server is started in a mount and PID namespace of its own, changed into a folder that looks like a host: `/usr` is
the machine's, or that of an image of another Debian release (`system`), but for `/usr/local`; `/etc`, `/var`, `/run`
and `/srv` are plain folders below `Chroot.root`. So `/etc/piquet`, `/var/lib/piquet` and `/run/piquet` hold the very
bytes that a host would get, the test reads and writes them from outside as ordinary files, and nothing of the machine
is touched. All processes of a chroot end with the one that was started, also when the test is killed.

The clock is libfaketime's: `set_clock` writes `/etc/faketimerc` in the chroot, which the server reads at every look at
the time. Only the calendar is faked, not the monotonic clock by which servers wait. Needs root (mounts), as the rest
of the test fleet does.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from testbed.image import ready_image

ADDRESS = "127.0.0.1"
_LOCAL = "/usr/local"
"""A folder of the chroot's own below `/usr`: what is ours there is not the machine's."""
_ENTER = f"""
root=$1 system=$2; shift 2
mount --rbind "$system/usr" "$root/usr"
mount --rbind /dev "$root/dev"
mount --bind "$root/local" "$root{_LOCAL}"
for folder in bin lib lib64 sbin; do
    if [ -d "$root/$folder" ] && [ ! -L "$root/$folder" ]; then mount --bind "$system/$folder" "$root/$folder"; fi
done
mount -t proc proc "$root/proc"
exec chroot "$root" "$@"
"""
_ETC = (
    "passwd", "group", "nsswitch.conf", "hosts", "ld.so.cache", "localtime", "mime.types", "ssl/openssl.cnf",
    "os-release", "apache2/envvars", "nginx/mime.types", "nginx/fastcgi_params",
    "nginx/uwsgi_params", "nginx/scgi_params",
)  # fmt: skip
_FOLDERS = (
    "usr", "local", "dev", "proc", "tmp", "srv", "run/lock/apache2", "run/apache2", "etc/piquet", "etc/nginx/conf.d",
    "etc/nginx/http.d", "etc/nginx/late.d", "etc/apache2/conf.d",
    "etc/nginx/sites-enabled", "etc/apache2/mods-enabled", "etc/apache2/conf-enabled", "etc/apache2/sites-enabled",
    "var/lib/nginx", "var/log/nginx", "var/log/apache2", "var/cache/apache2/mod_cache_disk",
)  # fmt: skip
_READY_S = 15.0
_chosen = {"suite": ""}


def choose_suite(suite: str) -> None:
    """From now on chroots have the programs of that Debian release; "" for this machine's own."""
    _chosen["suite"] = suite


def system() -> Path:
    """Whose `/usr` and `/etc` chroots have: the machine's, or those of an image, which is made if need be."""
    return ready_image(suite=_chosen["suite"]) if _chosen["suite"] else Path("/")


def of_system(*argv: str) -> str:
    """What a program of that system says, on both of its outputs."""
    done = subprocess.run(["chroot", str(system()), *argv], capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


class Chroot:
    """One private root and the processes started in it."""

    def __init__(self, root: Path) -> None:
        """Make the root's folders below a folder that does not exist yet."""
        self.root = root
        for folder in _FOLDERS:
            (root / folder).mkdir(parents=True)
        (root / "tmp").chmod(0o1777)
        for name in ("bin", "lib", "lib64", "sbin"):
            self._like_the_machine(name)
        (root / "var/run").symlink_to("/run")
        (root / "var/lock").symlink_to("/run/lock")
        for name in _ETC:
            if (there := system() / "etc" / name).exists():
                (root / "etc" / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(there, root / "etc" / name)
        self.clean_caches()

    def _like_the_machine(self, name: str) -> None:
        there = system() / name
        if there.is_symlink():
            (self.root / name).symlink_to(there.readlink())
        elif there.is_dir():
            (self.root / name).mkdir()

    def path(self, absolute: str) -> Path:
        """Where a path of the chroot is on the machine."""
        if absolute.startswith(f"{_LOCAL}/"):
            return self.root / "local" / absolute[len(_LOCAL) + 1 :]
        return self.root / absolute.lstrip("/")

    def write(self, absolute: str, content: bytes, mode: int = 0o644) -> None:
        """Write a file of the chroot, making its folders (0755)."""
        path = self.path(absolute)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(mode)

    def clean_caches(self) -> None:
        """Empty what servers keep on disk between runs, and the sockets of a server that was killed."""
        for folder in ("var/cache/apache2/mod_cache_disk", "var/lib/nginx", "run/apache2"):
            shutil.rmtree(self.root / folder, ignore_errors=True)
            (self.root / folder).mkdir(parents=True)
        shutil.chown(self.root / "var/cache/apache2/mod_cache_disk", "www-data", "www-data")

    def set_clock(self, at_ms: int) -> None:
        """Stop its calendar at an instant: milliseconds since the epoch, UTC. Seen by running servers at once."""
        seconds, milliseconds = divmod(at_ms, 1000)
        temporary = self.path("/etc/.faketimerc")
        # half a millisecond more, so that no rounding falls into the millisecond before
        temporary.write_text(f"{seconds}.{milliseconds:03d}5\n")
        temporary.chmod(0o644)
        temporary.rename(self.path("/etc/faketimerc"))

    def run(self, argv: Sequence[str], *, on_its_clock: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in the chroot to its end, on the chroot's clock or on the machine's."""
        inside = self._argv(argv, on_its_clock=on_its_clock)
        return subprocess.run(inside, capture_output=True, text=True, timeout=60, check=False)

    @contextmanager
    def serving(self, argv: Sequence[str], port: int, *, on_its_clock: bool = True) -> Iterator[None]:
        """A server in the foreground, ready when the port accepts, gone with all its children at the end."""
        inside = self._argv(argv, on_its_clock=on_its_clock)
        process = subprocess.Popen(inside, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            _wait_for(process, port)
            yield
        finally:
            _end(process)

    def entering(self, argv: Sequence[str]) -> list[str]:
        """The command line that runs a command in it, on the machine's clock; its end ends all that it started."""
        return self._argv(argv, on_its_clock=False)

    def _argv(self, argv: Sequence[str], *, on_its_clock: bool = True) -> list[str]:
        environment = ["TZ=UTC", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]
        if on_its_clock:
            environment += [
                f"LD_PRELOAD={faketime_library()}",
                "FAKETIME_FMT=%s",
                "FAKETIME_NO_CACHE=1",
                "FAKETIME_DISABLE_SHM=1",
                "FAKETIME_DONT_FAKE_MONOTONIC=1",
                "NO_FAKE_STAT=1",
            ]
        enter = [
            "setpriv",
            "--pdeathsig",
            "KILL",
            "unshare",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child=KILL",
        ]
        into = ["sh", "-ec", _ENTER, "sh", str(self.root), str(system())]
        return [*enter, *into, "/usr/bin/env", "-i", *environment, *argv]


def faketime_library() -> str:
    """Path of libfaketime for programs with threads.

    Raises:
        FileNotFoundError: the package libfaketime is not installed.
    """
    found = sorted((system() / "usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        raise FileNotFoundError("libfaketimeMT.so.1 is missing; install the package libfaketime")
    return f"/{found[0].relative_to(system())}"


def _wait_for(process: subprocess.Popen[str], port: int) -> None:
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(
                f"the server ended at once:\n{process.stdout.read() if process.stdout else ''}"
            )
        try:
            socket.create_connection((ADDRESS, port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise TimeoutError(f"nothing listens on port {port}")


def _end(process: subprocess.Popen[str]) -> None:
    """Kill the first process of the PID namespace: the kernel ends all others before that one is gone."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    for child in children.read_text().split() if children.exists() else ():
        os.kill(int(child), signal.SIGKILL)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout:
        process.stdout.close()
