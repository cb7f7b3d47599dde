# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fleet of test hosts takes on the machine, and how all of it is given back.

A fleet owns one slot: a number from which its folder, bridge, network and control groups are named, so
whatever a crashed run left behind is found without a list that might be out of date. Every process of a
host lives in a control group of its own, and only what is in such a group is ever ended.
"""

from __future__ import annotations

import fcntl
import ipaddress
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from testbed.kernel import (
    TestbedError,
    boot_id,
    cgroup_roots,
    end_group,
    mounts_below,
    remove_group,
    run,
    started,
    succeeds,
    until,
)

RUN = Path("/var/lib/piquet-testbed")
SLOTS = 512  # the /24 networks of 198.18.0.0/15, reserved for tests of network devices (RFC 2544, RFC 6890)


@dataclass(frozen=True, order=True)
class Slot:
    """The place of one fleet; all names derive from its number."""

    number: int

    @property
    def folder(self) -> Path:
        """Disks, keys, inventory and consoles of the fleet."""
        return RUN / str(self.number)

    @property
    def bridge(self) -> str:
        """Name of the bridge that the hosts are plugged into."""
        return f"pqbr{self.number}"

    @property
    def network(self) -> ipaddress.IPv4Network:
        """The /24 of the fleet; the controller has its first address."""
        high, low = divmod(self.number, 256)
        return ipaddress.IPv4Network(f"198.{18 + high}.{low}.0/24")

    def machine(self, host: str) -> str:
        """Name of a host's container and of its control group."""
        return f"pq{self.number}-{host}"


def claim(is_kept: bool) -> Slot:
    """Take a free slot, after giving back what dead fleets left.

    Args:
        is_kept: the fleet outlives this process; otherwise it is dead as soon as this process is.

    Raises:
        TestbedError: not root, or no slot is free.
    """
    if os.geteuid() != 0:
        raise TestbedError("test hosts need root\n\n  hint: run it again with sudo")
    with _locked():
        for slot in slots():
            if is_dead(slot):
                release(slot)
        slot = _first_free()
        slot.folder.mkdir(mode=0o700)
        owner = {
            "boot_id": boot_id(),
            "pid": None if is_kept else os.getpid(),
            "started": started(os.getpid()),
        }
        (slot.folder / "owner.json").write_text(json.dumps(owner), encoding="utf-8")
        run("ip", "link", "add", slot.bridge, "type", "bridge")
        run("ip", "address", "add", f"{slot.network[1]}/24", "dev", slot.bridge)
        run("ip", "link", "set", slot.bridge, "up")
    return slot


def clean() -> tuple[Slot, ...]:
    """Give back what dead fleets left; returns their slots."""
    with _locked():
        dead = tuple(slot for slot in slots() if is_dead(slot))
        for slot in dead:
            release(slot)
    return dead


def slots() -> tuple[Slot, ...]:
    """Every slot in use, dead or alive."""
    if not RUN.is_dir():
        return ()
    return tuple(sorted(Slot(int(entry.name)) for entry in RUN.iterdir() if entry.name.isdigit()))


def is_kept(slot: Slot) -> bool:
    """Whether the fleet was made to outlive the command that made it."""
    owner = _owner(slot)
    return owner is not None and owner["pid"] is None


def is_dead(slot: Slot) -> bool:
    """Whether nobody can use this fleet any more: its owner ended, or the machine was restarted."""
    owner = _owner(slot)
    if owner is None or owner["boot_id"] != boot_id():
        return True
    return owner["pid"] is not None and started(int(str(owner["pid"]))) != owner["started"]


def release(slot: Slot) -> None:
    """Give back all that the slot took: processes, mounts, bridge, folder.

    Raises:
        TestbedError: something could not be given back; the message names it.
    """
    for socket in slot.folder.glob("ssh/*.sock"):
        end_ssh_master(socket)
    for group in cgroup_roots()[0].glob(slot.machine("*")):
        end_group(group)
    for group in [group for root in cgroup_roots() for group in root.glob(slot.machine("*"))]:
        remove_group(group)
    for mount in mounts_below(slot.folder):
        until(partial(succeeds, "umount", str(mount)), f"{mount} cannot be unmounted")
    if (Path("/sys/class/net") / slot.bridge).exists():
        run("ip", "link", "delete", slot.bridge)
    shutil.rmtree(slot.folder)


def end_ssh_master(socket: Path) -> None:
    """End the shared ssh connection behind a control socket, whether or not the other side still answers."""
    succeeds("ssh", "-F", "none", "-O", "exit", "-S", str(socket), "host")


def is_free(network: ipaddress.IPv4Network, routes: Iterable[str]) -> bool:
    """Whether no route but the default one reaches into the network.

    Args:
        routes: destinations as `ip route` prints them.
    """
    taken = (ipaddress.ip_network(route, strict=False) for route in routes if route[:1].isdigit())
    return not any(network.overlaps(other) for other in taken if isinstance(other, ipaddress.IPv4Network))


def _first_free() -> Slot:
    routes = [route["dst"] for route in json.loads(run("ip", "-json", "-4", "route", "show", "table", "all"))]
    links = {link.name for link in Path("/sys/class/net").iterdir()}
    for slot in map(Slot, range(SLOTS)):
        if not slot.folder.exists() and slot.bridge not in links and is_free(slot.network, routes):
            return slot
    raise TestbedError(
        "no /24 of 198.18.0.0/15 is free\n\n  hint: see `ip route` and `python -m testbed clean`"
    )


def _owner(slot: Slot) -> dict[str, object] | None:
    try:
        owner = json.loads((slot.folder / "owner.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return owner if isinstance(owner, dict) else None


@contextmanager
def _locked() -> Iterator[None]:
    """Hold the lock of all slots; it ends with the process, however that ends."""
    RUN.mkdir(mode=0o700, exist_ok=True)
    with (RUN / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
