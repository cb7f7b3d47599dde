# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of test hosts, from nothing to booted and back to nothing.

with Fleet({"nginx": 2, "apache": 1}, plain={"nginx": 1}) as fleet:
    fleet["nginx1"].run("nginx -t")
    fleet["nginx1"].power_cut()
    fleet["nginx1"].boot()
    fleet["plain-nginx1"].run("pgrep -x cron")
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import cast, get_args

from testbed import inventory
from testbed.authority import Authority, new_authority, ssh_key_pair
from testbed.disk import lay_disk
from testbed.host import Host, Init, Provider
from testbed.image import BASE, Recipe, ready_image
from testbed.kernel import TestbedError, allow_watches
from testbed.layout import Layout
from testbed.slot import Slot, claim, release

MAX_HOSTS = 200


def parse_hosts(text: str) -> dict[Provider, int]:
    """Read `nginx:2,apache:1`.

    Raises:
        TestbedError: unknown server, no number, or none or too many hosts.
    """
    counts: dict[Provider, int] = {}
    for part in text.split(","):
        provider, _, number = part.strip().partition(":")
        if provider not in get_args(Provider) or not (number or "1").isdecimal():
            raise TestbedError(
                f"not a kind of host\n  expected: nginx:NUMBER or apache:NUMBER\n  got:      {part}"
            )
        counts[cast(Provider, provider)] = int(number or "1")
    if not 0 < sum(counts.values()) <= MAX_HOSTS:
        raise TestbedError(f"between 1 and {MAX_HOSTS} hosts, got {sum(counts.values())}")
    return counts


class Fleet:
    """Booted test hosts; a context manager that gives everything back.

    Attributes:
        hosts: in the order of the request, nginx1, nginx2, apache1 … plain-nginx1 …
        boot_s: seconds from the first host's start until the last one had finished booting.
        slot: what the fleet takes on this machine.
    """

    def __init__(
        self,
        counts: Mapping[Provider, int],
        *,
        plain: Mapping[Provider, int] | None = None,
        recipe: Recipe = BASE,
        suite: str = "",
        suites: Mapping[str, str] | None = None,
        layouts: Mapping[str, Layout] | None = None,
        is_kept: bool = False,
    ) -> None:
        """Describe the fleet; `start` makes it.

        Args:
            counts: provider → number of hosts with systemd.
            plain: provider → number of hosts with cron and a plain init instead.
            recipe: of the images that they stand on.
            suite: code name of the Debian release that they run; "" for this machine's own.
            suites: host → the same, where it runs another one.
            layouts: host → how it is laid out, where that is not as Debian is.
            is_kept: the hosts outlive this process, until `python -m testbed down`.
        """
        self._counts: dict[Init, dict[Provider, int]] = {"systemd": dict(counts), "plain": dict(plain or {})}
        self._recipe = recipe
        self._suite, self._suites = suite, dict(suites or {})
        self._layouts = dict(layouts or {})
        self._is_kept = is_kept
        self._authority: Authority | None = None
        self.hosts: tuple[Host, ...] = ()
        self.boot_s = 0.0
        self.slot: Slot | None = None

    def __enter__(self) -> Fleet:
        """Boot all hosts."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give everything back."""
        self.stop()

    def __getitem__(self, name: str) -> Host:
        """The host of this name."""
        return next(host for host in self.hosts if host.name == name)

    def __iter__(self) -> Iterator[Host]:
        """All hosts."""
        return iter(self.hosts)

    def of(self, provider: Provider) -> tuple[Host, ...]:
        """The hosts that run this web server."""
        return tuple(host for host in self.hosts if host.provider == provider)

    @property
    def folder(self) -> Path:
        """Where inventory, ssh configuration, keys and disks are.

        Raises:
            TestbedError: the fleet was not started.
        """
        if self.slot is None:
            raise TestbedError("the fleet was not started")
        return self.slot.folder

    @property
    def inventory(self) -> Path:
        """Ansible inventory; groups `nginx`, `apache` and `plain`."""
        return self.folder / "inventory.yml"

    @property
    def ssh_config(self) -> Path:
        """For `ssh -F`."""
        return self.folder / "ssh_config"

    @property
    def ca_file(self) -> Path:
        """PEM of the throw-away authority that signed the sites' certificates."""
        return self.folder / "ca.pem"

    def issue(self, names: Sequence[str]) -> tuple[str, str]:
        """Certificate chain and private key (PEM) for host names, signed by the fleet's authority."""
        if self._authority is None:
            raise TestbedError("the fleet was not started")
        return self._authority.issue(names, datetime.now(UTC))

    def start(self) -> Fleet:
        """Lay the disks and boot all hosts at once.

        Raises:
            TestbedError: a host did not come up, or a unit on it failed; nothing is left behind.
        """
        self.slot = claim(self._is_kept)
        allow_watches()
        try:
            self._lay()
            begin = time.monotonic()
            with ThreadPoolExecutor(len(self.hosts)) as pool:
                states = list(pool.map(Host.boot, self.hosts))
            self.boot_s = time.monotonic() - begin
            self._require_running(states)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Cut the power of all hosts and give back all that the fleet took. No-op when it was not started."""
        if self.slot is None:
            return
        try:
            with ThreadPoolExecutor(max(1, len(self.hosts))) as pool:
                list(pool.map(Host.power_cut, self.hosts))
        finally:
            release(self.slot)
            self.slot, self.hosts, self._authority = None, (), None

    def _image(self, host: Host) -> Path:
        return ready_image(self._recipe, self._suites.get(host.name, self._suite))

    def _lay(self) -> None:
        """Make keys, disks and the clients' files."""
        slot = cast(Slot, self.slot)
        self.hosts = tuple(
            Host(
                name,
                provider,
                str(slot.network[10 + n]),
                slot,
                init,
                self._layouts.get(name, "debian"),
            )
            for n, (name, provider, init) in enumerate(_named(self._counts))
        )
        self._authority = new_authority(datetime.now(UTC))
        login_private, login_public = ssh_key_pair()
        host_keys = {host.name: ssh_key_pair() for host in self.hosts}
        for host in self.hosts:
            lay_disk(host, self._image(host), host_keys[host.name][0], login_public)
        (slot.folder / "ssh").mkdir(mode=0o700)
        self._write("id_ed25519", login_private, 0o600)
        self._write("ca.pem", self._authority.pem)
        self._write("known_hosts", inventory.known_hosts(self.hosts, {n: k[1] for n, k in host_keys.items()}))
        self._write("ssh_config", inventory.ssh_config(self.hosts, slot.folder))
        self._write("inventory.yml", inventory.ansible_inventory(self.hosts, slot.folder))

    def _write(self, name: str, text: str, mode: int = 0o644) -> None:
        target = self.folder / name
        target.touch(mode=mode)
        target.write_text(text, encoding="utf-8")

    def _require_running(self, states: Sequence[str]) -> None:
        for host, state in zip(self.hosts, states, strict=True):
            if state != "running":
                failed = host.run("systemctl --failed --no-legend; systemctl list-jobs", check=False).stdout
                failed += host.console.read_text(encoding="utf-8", errors="replace")[-2000:]
                raise TestbedError(f"{host.name} is {state} after its boot\n{failed}{host.journal()}")


def _named(counts: Mapping[Init, Mapping[Provider, int]]) -> Iterator[tuple[str, Provider, Init]]:
    """Name, web server and init of every host, in their order."""
    for init, servers in counts.items():
        prefix = "" if init == "systemd" else f"{init}-"
        for provider, count in servers.items():
            yield from ((f"{prefix}{provider}{n}", provider, init) for n in range(1, count + 1))
