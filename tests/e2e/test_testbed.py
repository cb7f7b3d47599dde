# SPDX-License-Identifier: GPL-3.0-or-later
"""The test hosts are what the other tests take them for: real, separate, cut at once, gone without a trace."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed import (
    CERTIFICATE,
    KEY,
    Fleet,
    Host,
    Provider,
    TestbedError,
    put_certificate,
    put_sites,
    reload_server,
)
from testbed.kernel import cgroup_roots, mounts_below
from testbed.slot import RUN, Slot, slots

_FAREWELL = """\
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
ExecStop=/bin/sh -c 'echo in order >/var/tmp/farewell'
[Install]
WantedBy=multi-user.target
"""


_OWNER = """\
import time
from testbed import Fleet
fleet = Fleet({"nginx": 1}).start()
print(fleet.folder.name, flush=True)
time.sleep(300)
"""


_ANSWER = {
    "nginx": ("/etc/nginx/conf.d", "server {{ listen 8081; return 200 {}; }}\n"),
    "apache": (
        "/etc/apache2/conf-enabled",
        'Listen 8081\n<VirtualHost *:8081>\nRedirect 200 /\nErrorDocument 200 "{}"\n</VirtualHost>\n',
    ),
}


def traces(slot: Slot) -> dict[str, list[str]]:
    """All that the slot still has on this machine, by kind; what can have none is left out."""
    links = [link.name for link in Path("/sys/class/net").iterdir()]
    groups = [group for root in cgroup_roots() for group in root.glob(slot.machine("*"))]
    commands = subprocess.run(
        ["ps", "-eo", "args"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    found = {
        "mount": [str(mount) for mount in mounts_below(slot.folder)],
        "link": [link for link in links if link == slot.bridge or link.startswith(f"vb-{slot.machine('')}")],
        "group": [str(group) for group in groups],
        "process": [command for command in commands if f"{RUN}/{slot.number}/" in command],
        "folder": [str(slot.folder)] if slot.folder.exists() else [],
    }
    return {kind: items for kind, items in found.items() if items}


def boot_identity(host: Host) -> str:
    """The id of this boot of the host."""
    return host.run("cat /proc/sys/kernel/random/boot_id").stdout


@pytest.fixture
def farewell(fleet: Fleet) -> Iterator[Host]:
    """A host with a unit that writes a file when, and only when, it is stopped in order."""
    host = fleet["nginx2"]
    host.write_file("/etc/systemd/system/farewell.service", _FAREWELL)
    host.run("systemctl daemon-reload && systemctl enable --now farewell")
    yield host
    host.run("systemctl disable --now farewell; rm -f /etc/systemd/system/farewell.service /var/tmp/farewell")
    host.run("systemctl daemon-reload")


def test_each_host_runs_its_own_server_and_not_the_other(fleet: Fleet) -> None:
    """A host that happened to run both would hide what is missing for one of them."""
    states = {"nginx": ["active", "inactive"], "apache": ["inactive", "active"]}
    expected = {host.name: states[host.name.rstrip("0123456789")] for host in fleet}
    got = {
        host.name: host.run("systemctl is-active nginx apache2", check=False).stdout.split() for host in fleet
    }
    assert expected == got


def test_hosts_are_separate(fleet: Fleet) -> None:
    """Stopping a service on one host leaves the same service of its neighbours alone."""
    fleet["nginx1"].run("systemctl kill --signal=KILL nginx; systemctl stop nginx")
    assert fleet["nginx2"].run("systemctl is-active nginx").stdout == "active\n"
    fleet["nginx1"].run("systemctl reset-failed nginx; systemctl start nginx")


def test_hosts_are_distinct(fleet: Fleet) -> None:
    """No two hosts have the same machine id, boot id or host key."""
    asked = "cat /etc/machine-id /proc/sys/kernel/random/boot_id /etc/ssh/ssh_host_ed25519_key"
    answers = [host.run(asked).stdout.split("\n", 2) for host in fleet]
    assert all(len(set(column)) == len(fleet.hosts) for column in zip(*answers, strict=True))


def test_power_cut_is_no_shutdown_and_the_disk_survives(farewell: Host) -> None:
    """After a power cut nothing was stopped in order, files are still there, and it is another boot."""
    farewell.write_file("/etc/kept", "before the cut")
    farewell.write_file("/run/lost", "")
    before = boot_identity(farewell)
    farewell.power_cut()
    assert not farewell.is_on
    assert farewell.boot() == "running"
    assert farewell.read_file("/etc/kept") == b"before the cut"
    assert boot_identity(farewell) != before
    assert farewell.run("ls /run/lost /var/tmp/farewell", check=False).stdout == ""


@pytest.mark.long
def test_power_off_stops_everything_in_order(farewell: Host) -> None:
    """A clean shutdown runs what units ask for when they are stopped."""
    farewell.power_off()
    assert farewell.boot() == "running"
    assert farewell.read_file("/var/tmp/farewell") == b"in order\n"


@pytest.mark.long
def test_a_host_without_systemd_is_a_real_host(fleet: Fleet) -> None:
    """Process 1 is another init, `systemctl` has nobody to talk to, the packages' scripts start cron and server.

    A power cut is none of its shutdowns, each boot has its own id, an orderly shutdown runs the scripts for it, and a
    reload is over when it says so.
    """
    with Fleet({}, plain={"nginx": 1}) as other:
        host = other["plain-nginx1"]
        asked = "cat /proc/1/comm; systemctl is-system-running; test -e /run/systemd/system || echo none; pgrep -x cron"
        said = host.run(asked).stdout.split()
        assert (said[:3], len(said)) == (["init", "offline", "none"], 4)
        host.write_file("/etc/rc0.d/K01farewell", "#!/bin/sh\necho in order >/var/tmp/farewell\n", mode=0o755)
        boots = [boot_identity(host)]
        host.power_cut()
        assert host.boot() == "running"
        boots.append(boot_identity(host))
        assert host.run("ls /var/tmp/farewell", check=False).stdout == ""
        assert host.reboot() == "running"
        boots.append(boot_identity(host))
        assert host.read_file("/var/tmp/farewell") == b"in order\n"
        assert len(set(boots)) == 3
        with host.cut_off():
            assert host.is_on
        folder, block = _ANSWER["nginx"]
        put_sites(host, "nginx", [(f"{folder}/answer.conf", block.format("plain"))])
        assert urllib.request.urlopen(f"http://{host.ip}:8081/", timeout=10).read().strip() == b"plain"


def test_sites_answer_with_a_certificate_of_the_fleet(fleet: Fleet) -> None:
    """A foreign TLS vhost is served, and a client that trusts the throw-away authority accepts it."""
    host = fleet["nginx1"]
    path = "/etc/nginx/conf.d/testbed.conf"
    block = (
        f"listen 8443 ssl; server_name {host.ip}; ssl_certificate {CERTIFICATE}; ssl_certificate_key {KEY};"
    )
    put_certificate(fleet, host, ["www.example.test", "*.blogs.example.test"])
    put_sites(host, "nginx", [(path, f"server {{ {block} location / {{ return 200 served; }} }}\n")])
    trust = ssl.create_default_context(cafile=fleet.ca_file)
    name = "a.blogs.example.test"
    with (
        socket.create_connection((host.ip, 8443), timeout=10) as tcp,
        trust.wrap_socket(tcp, server_hostname=name) as tls,
    ):
        tls.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert tls.makefile("rb").read().endswith(b"served")
    host.run(f"rm {path}")
    reload_server(host, "nginx")


@pytest.mark.parametrize(("name", "provider"), [("nginx1", "nginx"), ("apache1", "apache")])
def test_new_sites_answer_as_soon_as_they_are_put(fleet: Fleet, name: str, provider: Provider) -> None:
    """The first request after `put_sites` already meets the new configuration, ten times in a row."""
    host = fleet[name]
    folder, block = _ANSWER[provider]
    for number in range(10):
        put_sites(host, provider, [(f"{folder}/answer.conf", block.format(number))])
        answer = urllib.request.urlopen(f"http://{host.ip}:8081/", timeout=10).read()
        assert answer.strip() == str(number).encode()
    host.run(f"rm {folder}/answer.conf")
    reload_server(host, provider)


def test_a_refused_configuration_is_told_in_the_servers_words(fleet: Fleet) -> None:
    """`put_sites` does not hide what nginx says, and nginx goes on with what it had."""
    host = fleet["nginx1"]
    with pytest.raises(TestbedError, match="unknown directive"):
        put_sites(host, "nginx", [("/etc/nginx/conf.d/wrong.conf", "no_such_directive on;\n")])
    host.run("rm /etc/nginx/conf.d/wrong.conf && nginx -t")
    assert urllib.request.urlopen(f"http://{host.ip}/", timeout=10).status == 200


def test_ansible_reaches_every_host(fleet: Fleet) -> None:
    """The inventory works as it is, from any folder and without the user's own ssh settings."""
    ansible = Path(sys.executable).with_name("ansible")
    command = [ansible, "all", "-i", fleet.inventory, "-m", "ansible.builtin.command", "-a", "hostname"]
    home = {"HOME": "/nonexistent", "ANSIBLE_HOME": str(fleet.folder / "ansible")}
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **home}
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", env=environment)
    assert (done.returncode, done.stdout.count("CHANGED")) == (0, len(fleet.hosts)), done.stdout + done.stderr


@pytest.mark.long
def test_a_second_fleet_leaves_no_trace(fleet: Fleet) -> None:
    """Two fleets live side by side; the one that ends leaves no mount, link, group, process or folder."""
    with Fleet({"apache": 1}) as other:
        slot = other.slot
        assert slot and slot != fleet.slot
        assert set(traces(slot)) == {"mount", "link", "group", "process", "folder"}
    assert traces(slot) == {}
    assert fleet["nginx1"].run("true").returncode == 0


@pytest.mark.long
def test_what_a_killed_run_left_is_removed(fleet: Fleet) -> None:
    """SIGKILL of the process that holds a fleet leaves it running; `clean` removes all of it and nothing else."""
    with subprocess.Popen([sys.executable, "-c", _OWNER], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout
        slot = Slot(int(owner.stdout.readline()))
        owner.send_signal(signal.SIGKILL)
    assert "process" in traces(slot)
    subprocess.run([sys.executable, "-m", "testbed", "clean"], check=True)
    assert traces(slot) == {}
    assert fleet.slot in slots()


@pytest.mark.long
def test_up_stays_until_down(fleet: Fleet) -> None:
    """A fleet made by `up` outlives the command and survives `clean`; `down` removes it."""
    tool = [sys.executable, "-m", "testbed"]
    inventory = subprocess.run(
        [*tool, "up", "--hosts", "nginx:1"], check=True, capture_output=True, text=True
    ).stdout
    slot = Slot(int(Path(inventory.strip()).parent.name))
    with contextlib.ExitStack() as stack:
        stack.callback(subprocess.run, [*tool, "down", str(slot.number)], check=True, capture_output=True)
        subprocess.run([*tool, "clean"], check=True)
        config = Path(inventory.strip()).with_name("ssh_config")
        assert subprocess.run(["ssh", "-F", config, "nginx1", "true"], timeout=30).returncode == 0
    assert traces(slot) == {}
    assert fleet.slot in slots()


@pytest.mark.long
def test_boot_is_quick(fleet: Fleet) -> None:
    """A reboot takes seconds, or nobody will run the tests."""
    begin = time.monotonic()
    assert fleet["apache1"].reboot() == "running"
    assert time.monotonic() - begin < 30
