# SPDX-License-Identifier: GPL-3.0-or-later
"""One test host: a booted Debian, an address, a disk that survives, and a power switch.

Process 1 is systemd, or (`plain`) a small init that starts the packages' own /etc/init.d scripts and knows no units.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import signal
import socket
import subprocess
import tarfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from testbed.kernel import TestbedError, cgroup_roots, kill_group, remove_group, run, until
from testbed.layout import Layout
from testbed.slot import Slot, end_ssh_master

Provider = Literal["nginx", "apache"]
Init = Literal["systemd", "plain"]
BOOT_TIMEOUT_S = 90.0
OFF_TIMEOUT_S = 30.0

# What starts process 1, and how it is asked for an orderly shutdown: by a signal that nspawn sends it at SIGTERM.
# Source: systemd-nspawn(1) --boot and --kill-signal=; busybox init/init.c, SIGUSR2 = poweroff.
_PROCESS_1: Mapping[Init, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "systemd": (("--boot",), ()),
    "plain": (("--kill-signal=SIGUSR2",), ("/sbin/init",)),
}
# Ends when everything was started; prints "running", or "degraded" when something was not.
_BOOTED: Mapping[Init, str] = {
    "systemd": "systemctl is-system-running --wait",
    "plain": "for _ in $(seq 600); do [ -s /run/booted ] && break; sleep 0.1; done; cat /run/booted",
}
_JOURNAL: Mapping[Init, str] = {
    "systemd": "journalctl --no-pager --lines {lines}",
    "plain": "tail -n {lines} /var/log/messages",
}

# The control group first, then the container: everything that a host starts is born inside it.
_LAUNCH = """\
while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs" || exit 1; shift; done
shift
exec "$@"
"""


@dataclass
class Host:
    """A test host. Made by `Fleet`, which lays its disk; off until `boot()`.

    Attributes:
        confinement: control groups besides its own in which it is born (`testbed.confinement`).
    """

    name: str
    provider: Provider
    ip: str
    slot: Slot
    init: Init = "systemd"
    layout: Layout = "debian"
    confinement: tuple[Path, ...] = ()
    _nspawn: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def root(self) -> Path:
        """The host's disk as this machine sees it; what lies on `/run` and `/tmp` is not in it."""
        return self.slot.folder / "hosts" / self.name / "root"

    @property
    def console(self) -> Path:
        """What the host said on its console, over all boots."""
        return self.slot.folder / "hosts" / self.name / "console.log"

    # -- power ------------------------------------------------------------------------------------------

    def boot(self) -> str:
        """Switch on and wait until its init has started everything.

        Returns:
            the state as systemd names it: "running", or "degraded" when something failed.

        Raises:
            TestbedError: it is on already, or not reachable in time; the message ends with its console.
        """
        if self._nspawn and self._nspawn.poll() is None:
            raise TestbedError(f"{self.name} is on already")
        self._start()
        until(self._answers, f"{self.name} does not answer ssh at {self.ip}", BOOT_TIMEOUT_S)
        return self.run(_BOOTED[self.init], check=False).stdout.strip()

    def power_cut(self) -> None:
        """Pull the plug: SIGKILL to everything on the host at the same instant. No-op when it is off."""
        kill_group(self._groups()[0] / "payload")
        self._wait_off()

    def power_off(self) -> None:
        """Shut down in order, as `poweroff` does. No-op when it is off.

        Raises:
            TestbedError: it did not shut down in time and had to be cut.
        """
        if self._nspawn is None:
            return
        self._nspawn.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._nspawn.wait(OFF_TIMEOUT_S)
        is_stuck = self._nspawn.poll() is None
        self.power_cut()
        if is_stuck:
            raise TestbedError(f"{self.name} did not shut down in {OFF_TIMEOUT_S:.0f} s, the plug was pulled")

    def reboot(self) -> str:
        """Shut down in order and boot again; returns the state as `boot` does."""
        self.power_off()
        return self.boot()

    @property
    def is_on(self) -> bool:
        """Whether the host's container runs."""
        return self._nspawn is not None and self._nspawn.poll() is None

    def init_pid(self) -> int:
        """The id that process 1 of the running host has on this machine.

        Raises:
            TestbedError: it is off.

        Source: proc_pid_status(5), `NSpid`.
        """
        payload = self._groups()[0] / "payload"
        for processes in sorted(payload.rglob("cgroup.procs")):
            for pid in processes.read_text(encoding="ascii").split():
                status = Path("/proc", pid, "status").read_text(encoding="utf-8", errors="replace")
                if re.search(r"^NSpid:.*\t1$", status, re.MULTILINE):
                    return int(pid)
        raise TestbedError(f"{self.name} has no process 1")

    @contextlib.contextmanager
    def cut_off(self) -> Iterator[None]:
        """Pull the network cable, not the plug; put back at the end of the context."""
        peer = self.run("cat /sys/class/net/host0/iflink").stdout
        links = Path("/sys/class/net").iterdir()
        port = next(link.name for link in links if (link / "ifindex").read_text(encoding="ascii") == peer)
        run("ip", "link", "set", port, "down")
        try:
            yield
        finally:
            run("ip", "link", "set", port, "up")
            self._end_shared_ssh()
            until(self._answers, f"{self.name} does not answer ssh again", BOOT_TIMEOUT_S)

    # -- commands and files -----------------------------------------------------------------------------

    def run(
        self, command: str, *, stdin: bytes | str = b"", check: bool = True, timeout_s: float = 120.0
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell command as root over ssh.

        Args:
            command: given to the shell of root on the host.
            stdin: what the command reads.
            check: raise when it fails.
            timeout_s: after this many seconds `subprocess.TimeoutExpired` is raised.

        Raises:
            TestbedError: it failed and `check` is set.
        """
        done = self._ssh(command, stdin.encode() if isinstance(stdin, str) else stdin, timeout_s)
        text = subprocess.CompletedProcess(
            command,
            done.returncode,
            done.stdout.decode(errors="replace"),
            done.stderr.decode(errors="replace"),
        )
        if check and text.returncode:
            raise TestbedError(
                f"{self.name}: `{command}` failed with exit status {text.returncode}\n{text.stdout}{text.stderr}"
            )
        return text

    def read_file(self, path: str) -> bytes:
        """The bytes of a file on the running host.

        Raises:
            TestbedError: it cannot be read.
        """
        done = self._ssh(f"cat -- {shlex.quote(path)}", b"", 60.0)
        if done.returncode:
            raise TestbedError(f"{self.name}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout

    def write_file(self, path: str, content: bytes | str, mode: int = 0o644) -> None:
        """Write one file on the running host, folders included."""
        self.write_files({path: content}, mode)

    def write_files(self, files: Mapping[str, bytes | str], mode: int = 0o644) -> None:
        """Write many files in one round trip, folders included; all belong to root."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for path, content in files.items():
                data = content.encode() if isinstance(content, str) else content
                entry = tarfile.TarInfo(path.lstrip("/"))
                entry.size, entry.mode, entry.mtime = len(data), mode, int(time.time())
                tar.addfile(entry, io.BytesIO(data))
        self.run("tar --extract --no-same-owner --keep-directory-symlink -C /", stdin=archive.getvalue())

    def journal(self, unit: str = "", lines: int = 50) -> str:
        """The last lines of the host's journal, for a failure message; without systemd, of its one log, all units."""
        chosen = f" --unit {shlex.quote(unit)}" if unit and self.init == "systemd" else ""
        return self.run(_JOURNAL[self.init].format(lines=lines) + chosen, check=False).stdout

    # -- inside -----------------------------------------------------------------------------------------

    def _groups(self) -> list[Path]:
        return [root / self.slot.machine(self.name) for root in cgroup_roots()]

    def _start(self) -> None:
        """Start the container in its own control group and session, so that Ctrl-C here does not reach it."""
        for group in self._groups():
            group.mkdir(exist_ok=True)
        options, process_1 = _PROCESS_1[self.init]
        nspawn = ["systemd-nspawn", "--quiet", *options, f"--directory={self.root}"]
        nspawn += [f"--machine={self.slot.machine(self.name)}", f"--network-bridge={self.slot.bridge}"]
        nspawn += ["--register=no", "--keep-unit", "--console=pipe"]
        nspawn += ["--resolv-conf=off", "--timezone=off", "--link-journal=no", *process_1]
        groups = [str(group) for group in (*self.confinement, *self._groups())]
        with self.console.open("ab") as console:
            self._nspawn = subprocess.Popen(
                ["/bin/sh", "-c", _LAUNCH, "launch", *groups, "--", *nspawn],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                env={
                    **os.environ,
                    "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",
                },  # newer systemd knows no other one
                start_new_session=True,
            )

    def _answers(self) -> bool:
        """Whether sshd greets; a container that ended is told at once."""
        if not self.is_on:
            said = self.console.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise TestbedError(f"{self.name} ended while it booted\n{said}")
        try:
            with socket.create_connection((self.ip, 22), timeout=1.0) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    def _wait_off(self) -> None:
        """Wait for the container's own clean-up, then drop what referred to this boot."""
        if self._nspawn is not None:
            try:
                self._nspawn.wait(OFF_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._nspawn.kill()
                self._nspawn.wait()
            self._nspawn = None
        self._end_shared_ssh()
        for group in self._groups():
            remove_group(group)

    def _end_shared_ssh(self) -> None:
        """End the shared ssh connections of all users, which `run` and Ansible use alike."""
        for control in (self.slot.folder / "ssh").glob(f"*@{self.ip}.sock"):
            end_ssh_master(control)

    def _ssh(self, command: str, stdin: bytes, timeout_s: float) -> subprocess.CompletedProcess[bytes]:
        config = self.slot.folder / "ssh_config"
        return subprocess.run(
            ["ssh", "-F", os.fspath(config), self.name, command],
            input=stdin,
            capture_output=True,
            check=False,
            timeout=timeout_s,
        )
