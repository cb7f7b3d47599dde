# SPDX-License-Identifier: GPL-3.0-or-later
"""The pure parts of the test hosts: what they read from apt, and what they write for clients."""

from __future__ import annotations

import ipaddress
import os
import ssl
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from testbed import Host, TestbedError, authority, disk, image, inventory, kernel, parse_hosts
from testbed.slot import Slot, is_free

TARGETS = """\
http://mirror.example/debian/|trixie|main
http://mirror.example/debian/|trixie|main
http://mirror.example/debian/|trixie|non-free
http://mirror.example/debian/|trixie-updates|main
http://security.example/|trixie-security|main
http://other.example/|trixie-backports|main
https://vendor.example/|nodistro|main
https://vendor.example/|trixie|stable
"""


def host(name: str = "nginx1", provider: str = "nginx", number: int = 3, init: str = "systemd") -> Host:
    """A host that is only described."""
    return Host(name, provider, f"198.18.{number}.10", Slot(number), init)  # type: ignore[arg-type]


def test_sources_are_the_machines_own_distribution_only() -> None:
    """Release, updates and security once each, from the mirror that apt knows; nothing of third parties."""
    expected = (
        "deb http://mirror.example/debian/ trixie main",
        "deb http://mirror.example/debian/ trixie-updates main",
        "deb http://security.example/ trixie-security main",
    )
    assert image.source_lines(TARGETS, "trixie") == expected


def test_another_release_comes_from_the_same_archives() -> None:
    """Each archive's line with that release's name in the place of the machine's own, and nothing else changed."""
    own = image.source_lines(TARGETS, "trixie")
    assert image.lines_of_suite(own, "trixie", "bullseye") == (
        "deb http://mirror.example/debian/ bullseye main",
        "deb http://mirror.example/debian/ bullseye-updates main",
        "deb http://security.example/ bullseye-security main",
    )


def test_no_source_for_the_suite_is_an_error() -> None:
    """A machine without sources is told so before anything is downloaded."""
    with pytest.raises(TestbedError, match="no source for noble"):
        image.source_lines(TARGETS, "noble")


@pytest.mark.parametrize("text", ["VERSION_CODENAME=trixie\n", 'ID=debian\nVERSION_CODENAME="trixie"\n'])
def test_suite_is_read_with_and_without_quotes(text: str) -> None:
    """os-release(5) allows both."""
    assert image.suite_of(text) == "trixie"


def test_a_distribution_without_code_name_is_refused() -> None:
    """The message names what was found."""
    with pytest.raises(TestbedError, match="Arch Linux"):
        image.suite_of('PRETTY_NAME="Arch Linux"\n')


def test_proxy_and_validity_settings_of_apt_are_passed_on() -> None:
    """Empty ones and all others are not."""
    config = 'Acquire::http "";\nAcquire::http::Proxy "http://proxy:3128";\nAcquire::Retries "3";\n'
    config += 'Acquire::Check-Date "0";\nAcquire::https::CaInfo "";\n'
    assert image.acquire_options(config) == (
        'Acquire::http::Proxy "http://proxy:3128"',
        'Acquire::Check-Date "0"',
    )


def test_an_image_is_named_after_all_that_decides_its_content() -> None:
    """Another suite, package, hook or answer is another image; the order of packages is not."""
    keys = {
        image.image_key("trixie", image.Recipe(("a", "b"), ("x",))),
        image.image_key("noble", image.Recipe(("a", "b"), ("x",))),
        image.image_key("trixie", image.Recipe(("a",), ("x",))),
        image.image_key("trixie", image.Recipe(("a", "b"), ("y",))),
        image.image_key("trixie", image.Recipe(("a", "b"), ("x",), ("y",))),
        image.image_key("trixie", image.Recipe(("a", "b"), ("x", "y"))),
    }
    assert len(keys) == 6
    assert image.image_key("trixie", image.Recipe(("b", "a"), ("x",))) in keys


def test_slots_do_not_overlap() -> None:
    """Every slot has its own network below 198.18.0.0/15, the last one too."""
    networks = {Slot(number).network for number in range(512)}
    assert len(networks) == 512
    assert all(network.subnet_of(ipaddress.IPv4Network("198.18.0.0/15")) for network in networks)


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        (["default", "192.0.2.0/24", "127.0.0.1"], True),
        (["198.18.3.7"], False),
        (["198.18.0.0/15"], False),
        (["198.18.4.0/24", "broadcast"], True),
    ],
)
def test_a_network_with_a_route_into_it_is_not_taken(routes: list[str], expected: bool) -> None:
    """A tunnel of the user's, for instance, keeps its addresses."""
    assert is_free(ipaddress.IPv4Network("198.18.3.0/24"), routes) is expected


@pytest.mark.parametrize(
    ("text", "expected"), [("nginx:2,apache:1", {"nginx": 2, "apache": 1}), ("apache", {"apache": 1})]
)
def test_hosts_are_read_from_the_command_line(text: str, expected: dict[str, int]) -> None:
    """A number may be left out."""
    assert parse_hosts(text) == expected


@pytest.mark.parametrize("text", ["", "caddy:1", "nginx:-1", "nginx:x", "nginx:0", "nginx:300"])
def test_impossible_fleets_are_refused(text: str) -> None:
    """Before anything is started."""
    with pytest.raises(TestbedError):
        parse_hosts(text)


def test_inventory_has_a_group_per_server_and_a_control_path_of_its_own() -> None:
    """Ansible's default control path would lead into the connection of an earlier fleet at the same address."""
    document = yaml.safe_load(inventory.ansible_inventory([host(), host("apache1", "apache")], Path("/f")))
    groups = {name: list(group["hosts"]) for name, group in document["all"]["children"].items()}
    assert groups == {"nginx": ["nginx1"], "apache": ["apache1"]}
    assert document["all"]["vars"]["ansible_control_path"] == "/f/ssh/%%r@%%h.sock"


def test_hosts_without_systemd_are_in_a_group_of_their_own_too() -> None:
    """With their server's group, so that a play can mean either."""
    hosts = [host(), host("plain-nginx1", init="plain")]
    document = yaml.safe_load(inventory.ansible_inventory(hosts, Path("/f")))
    groups = {name: list(group["hosts"]) for name, group in document["all"]["children"].items()}
    assert groups == {"nginx": ["nginx1", "plain-nginx1"], "plain": ["plain-nginx1"]}


def test_each_init_gets_its_own_files() -> None:
    """Nothing that only the other one reads; the address is there for both."""
    systemd, plain = (disk.host_files(host(init=init), "k", "l") for init in ("systemd", "plain"))
    own = {"/etc/systemd/network/10-host0.network"}, {"/etc/inittab", "/etc/init.d/testbed-rc"}
    assert (systemd.keys() - plain.keys(), plain.keys() - systemd.keys()) == own
    for files, names in ((systemd, own[0]), (plain, own[1])):
        assert any("198.18.3.10/24" in files[name][1] for name in names)
    assert plain["/etc/init.d/testbed-rc"][0] == 0o755


def test_ssh_trusts_only_the_fleets_own_keys() -> None:
    """Known hosts are the fleet's, checking is strict, and the user's own file plays no part."""
    text = inventory.ssh_config([host()], Path("/f"))
    assert "StrictHostKeyChecking yes" in text
    assert "UserKnownHostsFile /f/known_hosts" in text
    assert inventory.known_hosts([host()], {"nginx1": "ssh-ed25519 AAAA"}) == "198.18.3.10 ssh-ed25519 AAAA\n"


def test_private_keys_on_the_disk_are_private() -> None:
    """sshd refuses a host key that others can read."""
    files = disk.host_files(host(), "PRIVATE", "ssh-ed25519 AAAA")
    assert {path for path, (mode, text) in files.items() if "PRIVATE" in text and mode != 0o600} == set()


def test_each_server_masks_the_other() -> None:
    """Never its own."""
    assert "apache2.service" in disk.masked_units(host())
    assert disk.masked_units(host("apache1", "apache")) == ("nginx.service",)


def test_issued_certificates_are_valid_for_their_names_only() -> None:
    """A strict client accepts the listed name and refuses another."""
    ca = authority.new_authority(datetime.now(UTC))
    chain, key = ca.issue(["www.example.test"], datetime.now(UTC))
    assert handshake(ca.pem, chain, key, "www.example.test")
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(ca.pem, chain, key, "other.example.test")


def handshake(ca: str, chain: str, key: str, name: str) -> bool:
    """A TLS handshake in memory, with every strictness that the client has."""
    client_context = ssl.create_default_context(cadata=ca)
    client_context.verify_flags |= ssl.VERIFY_X509_STRICT
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_chain(server_context, chain, key)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=name)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        done = [attempt(side) for side in (client, server)]
    return all(done)


def attempt(side: ssl.SSLObject) -> bool:
    """One step of a handshake; whether it is complete."""
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


def load_chain(context: ssl.SSLContext, chain: str, key: str) -> None:
    """`load_cert_chain` takes only a file."""
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(chain + key)
        file.flush()
        context.load_cert_chain(file.name)


def test_a_reused_process_id_is_not_taken_for_its_predecessor() -> None:
    """Start times tell them apart; a process that never was has none."""
    assert kernel.started(os.getpid()) != kernel.started(1)
    assert kernel.started(2**22 + 1) is None
