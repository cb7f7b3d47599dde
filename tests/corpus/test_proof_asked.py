# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent's own questions to piquet's own configuration, on real servers of every way: is it seen, is it ours."""

from __future__ import annotations

import pytest

from piquet.bundle import seal
from piquet.fleet.model import Variant
from piquet.host import proof
from piquet.host.machine import this_machine
from piquet.host.servers import probe
from piquet.host.state.manifest import Manifest
from piquet.host.system.paths import Paths
from tests.corpus.release_cases import VARIANTS

from .conftest import Planter
from .kinds import Provider, host_name
from .picket import CAMPAIGN, KEY, picket
from .servers import START, Server

WAYS = pytest.mark.parametrize(("provider", "variant"), VARIANTS)
KINDS = {"nginx": ("static", "redirect-https", "deny"), "apache": ("static", "redirect-rewrite", "denied")}
HIDING = 'mount -t tmpfs none /run/piquet && exec "$@"'
FORGED = {
    "the header alone": "",
    "and whatever word is asked": 'Header always set X-Piquet-Nonce "expr=%{req:X-Piquet-Nonce}"',
    "and a word whose file it finds": (
        'Header always set X-Piquet-Nonce "expr=%{req:X-Piquet-Nonce}" '
        "\"expr=-f '/run/piquet/proof/%{req:X-Piquet-Nonce}'\""
    ),
}


def staged(server: Server, *kinds: str) -> Manifest:
    """What the agent knows of a campaign over some kinds."""
    entries = [
        {
            "name": host_name(kind),
            "key": host_name(kind),
            "phases": [1],
            "provider": server.provider,
            "probe": {"address": "127.0.0.1", "port": server.http, "tls": False, "host": host_name(kind)},
        }
        for kind in kinds
    ]
    sealed = seal(KEY, CAMPAIGN)
    return Manifest(
        {"campaign": CAMPAIGN, "seal": sealed, "providers": [server.provider], "entries": entries}
    )


def codes(server: Server, known: Manifest) -> list[str]:
    """What arm would refuse of the running server."""
    return [
        found.code for found in proof.unproved(this_machine("root", Paths(str(server.chroot.root))), known)
    ]


def echoed(server: Server, known: Manifest) -> list[bool]:
    """Of which sites the answer is made by our configuration."""
    paths = Paths(str(server.chroot.root))
    return [proof.is_echoed(entry, paths, "/", known.seal) for entry in known.entries]


@WAYS
def test_arm_asks_and_the_end_is_told_apart(provider: Provider, variant: Variant, planted: Planter) -> None:
    """Every site proves itself alone, whenever; only while it is on strike its answer is of our configuration."""
    server = planted(provider, *KINDS[provider], lua=(provider, variant) == ("nginx", "lua"))
    strike, known = picket(server, variant=variant), staged(server, *KINDS[provider])
    server.chroot.set_clock(strike.before_ms)
    with server.serving():
        assert codes(server, known) == ["not-proved"], "nothing of ours is there"
    strike.hook(server)
    strike.stage(server)
    with server.serving():
        for kind in KINDS[provider]:
            assert codes(server, staged(server, kind)) == []
        assert echoed(server, known) == [False] * len(known.entries)
        server.chroot.set_clock(strike.inside_ms)
        assert codes(server, known) == []
        assert echoed(server, known) == [False] * len(known.entries)
        server.make_flags(strike.keys)
        assert codes(server, known) == []
        assert echoed(server, known) == [True] * len(known.entries)
        server.chroot.set_clock(strike.after_ms)
        assert echoed(server, known) == [False] * len(known.entries)


@WAYS
def test_a_server_with_a_run_of_its_own_proves_nothing(
    provider: Provider, variant: Variant, planted: Planter
) -> None:
    """It is loaded and hooked, passes its test, and would show nothing."""
    server = planted(provider, *KINDS[provider], lua=(provider, variant) == ("nginx", "lua"))
    strike, known = picket(server, variant=variant), staged(server, *KINDS[provider])
    strike.hook(server)
    strike.stage(server)
    server.chroot.path("/run/piquet").mkdir(exist_ok=True)
    server.chroot.set_clock(strike.before_ms)
    with server.chroot.serving(["/bin/sh", "-ec", HIDING, "sh", *START[provider]], server.http):
        assert codes(server, known) == ["not-proved"]


@pytest.mark.parametrize("variant", ["rules", "lua"])
@pytest.mark.parametrize("more", FORGED.values(), ids=FORGED)
def test_an_htaccess_with_our_header_is_not_ours(variant: Variant, more: str, planted: Planter) -> None:
    """Of a tenant, behind the end, whatever it does to look like us; in the window it is on strike like all others."""
    server = planted("apache", "static", "htaccess-cloud")
    strike, known = picket(server, variant=variant), staged(server, "htaccess-cloud")
    file = server.chroot.path("/srv/htaccess-cloud/.htaccess")
    file.write_text(f'{file.read_text()}\nHeader always set X-Piquet "{CAMPAIGN}/1/block"\n{more}\n')
    strike.hook(server)
    strike.stage(server)
    server.make_flags(strike.keys)
    server.chroot.set_clock(strike.after_ms)
    with server.serving():
        (entry,) = known.entries
        assert entry.probe is not None and probe.probe(entry.probe).is_of(CAMPAIGN, 1)
        assert echoed(server, known) == [False]
        server.chroot.set_clock(strike.inside_ms)
        assert echoed(server, known) == [True]
