# SPDX-License-Identifier: GPL-3.0-or-later
"""Look names up as visitors' machines do: by this machine's resolver, or by one that is named. Touches the network."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from piquet.errors import FleetError
from piquet.verify.outside.sweep import GIVE_UP_AFTER
from piquet.verify.public import Lookup

_PORT = 53
_AT_A_TIME = 32
_UNKNOWN = "DNS knows no such name"
_EMPTY = "DNS knows no address of it"
_SILENT = "no resolver answered in time"


@dataclass(frozen=True)
class Resolver:
    """Who is asked: an IP address and a port of UDP and TCP."""

    address: str
    port: int = _PORT


def as_resolver(text: str) -> Resolver:
    """A resolver from `9.9.9.9`, `127.0.0.1:5353`, `2620:fe::fe` or `[::1]:5353`.

    Raises:
        FleetError: it is none of these; a name is not looked up.
    """
    bare, port = text, str(_PORT)
    if text.startswith("[") and "]" in text:
        bare, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":") or port
    elif text.count(":") == 1:
        bare, _, port = text.partition(":")
    try:
        return Resolver(str(ipaddress.ip_address(bare)), int(port))
    except ValueError as error:
        hint = "its IP address, with :PORT behind where that is not 53"
        raise FleetError(f"--resolver: expected an IP address, got {text!r}\n\n  hint: {hint}") from error


async def look_up(names: Iterable[str], resolver: Resolver | None, timeout_s: float) -> dict[str, Lookup]:
    """What DNS says of each name; whatever goes wrong is told too.

    Where nobody answers for the first few names, the others are not tried.

    Args:
        names: host names, absolute.
        resolver: None for this machine's own, as its resolv.conf says.
        timeout_s: for one name.
    """
    waiting, found, silent = iter(names), dict[str, Lookup](), 0

    async def work(pool: ThreadPoolExecutor) -> None:
        nonlocal silent
        for name in waiting:
            if silent >= GIVE_UP_AFTER and silent == len(found):
                found[name] = Lookup(error=f"not looked up, as {_SILENT} for {silent} other names")
                silent += 1
                continue
            seen = await (
                _lookup_by(resolver, name, timeout_s) if resolver else _by_system(pool, name, timeout_s)
            )
            silent += seen.error == _SILENT
            found[name] = seen

    with ThreadPoolExecutor(_AT_A_TIME, "piquet-names") as pool:
        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_A_TIME):
                group.create_task(work(pool))
    return {name: found[name] for name in sorted(found)}


async def _by_system(pool: ThreadPoolExecutor, name: str, timeout_s: float) -> Lookup:
    """By the C library; the dot at the end keeps it from trying the name below domains of this machine's own."""
    loop = asyncio.get_running_loop()
    asked = loop.run_in_executor(
        pool, lambda: socket.getaddrinfo(f"{name}.", None, type=socket.SOCK_STREAM, flags=socket.AI_CANONNAME)
    )
    try:
        entries = await asyncio.wait_for(asked, timeout_s)
    except TimeoutError:
        return Lookup(error=_SILENT)
    except socket.gaierror as error:
        words = {socket.EAI_NONAME: _UNKNOWN, socket.EAI_AGAIN: _SILENT}
        return Lookup(error=words.get(error.errno or 0, _EMPTY))
    except (OSError, UnicodeError) as error:
        return Lookup(error=f"cannot be looked up: {error}")
    return _lookup(name, (str(entry[4][0]) for entry in entries), entries[0][3])


async def _lookup_by(resolver: Resolver, name: str, timeout_s: float) -> Lookup:
    """By one resolver, over UDP, and TCP where the answer is long."""
    import dns.asyncresolver
    import dns.exception
    import dns.resolver

    asked = dns.asyncresolver.Resolver(configure=False)
    asked.nameservers, asked.port, asked.lifetime = [resolver.address], resolver.port, timeout_s
    addresses: list[str] = []
    alias = ""
    try:
        for kind in ("A", "AAAA"):
            answer = await asked.resolve(f"{name}.", kind, raise_on_no_answer=False, search=False)
            addresses += [str(record.address) for record in answer.rrset or ()]
            alias = answer.canonical_name.to_text(omit_final_dot=True)
    except dns.resolver.NXDOMAIN:
        return Lookup(error=_UNKNOWN)
    except dns.resolver.LifetimeTimeout:
        return Lookup(error=_SILENT)
    except dns.exception.DNSException as error:
        return Lookup(error=f"cannot be looked up: {type(error).__name__}")
    return _lookup(name, addresses, alias)


def _lookup(name: str, addresses: Iterable[str], alias: str) -> Lookup:
    found = tuple(dict.fromkeys(one.partition("%")[0] for one in addresses))
    alias = alias.rstrip(".").lower()
    return Lookup(found, "" if alias == name.lower() else alias, "" if found else _EMPTY)
