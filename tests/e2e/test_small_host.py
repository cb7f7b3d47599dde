# SPDX-License-Identifier: GPL-3.0-or-later
"""A small machine with many sites: little memory, one core, a slow disk, by each server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from testbed import Fleet, reload_server
from testbed.confinement import Limits, confined, killed_for_memory
from testbed.host import Host, Provider
from tests import drive

MANY = 3000
LIMIT_KB = 60 * 1024
"""Of the agent, whatever verb it carries out; what the servers take is theirs."""
REMOVE_KB = 10 * 1024
"""More that remove may have, which holds all files that it takes a line out of."""
VERBS = ("survey", "hook", "stage", "rehearse", "arm", "reconcile", "status", "rollback", "remove")
PEAKS = "/var/tmp/peaks"
# Every Python on the host notes its peak when it ends, if it is the agent. Source: proc(5), VmHWM of /proc/PID/status.
NOTE = """
import atexit, sys
def note():
    if "piquet" in sys.argv[0]:
        lines = open("/proc/self/status").read().splitlines()
        peak = next(line.split()[1] for line in lines if line.startswith("VmHWM"))
        open("/var/tmp/peaks", "a").write(" ".join([peak, *sys.argv[1:2]]) + "\\n")
atexit.register(note)
"""
BLOCK: Mapping[Provider, tuple[str, str]] = {
    "nginx": (
        "/etc/nginx/sites-enabled/{name}",
        "server {{\n    listen 80;\n    server_name {name} www.{name};\n    root /var/www/html;\n"
        "    location /api/ {{ proxy_pass http://127.0.0.1:9; }}\n}}\n",
    ),
    "apache": (
        "/etc/apache2/sites-enabled/{name}.conf",
        "<VirtualHost *:80>\n    ServerName {name}\n    ServerAlias www.{name}\n    DocumentRoot /var/www/html\n"
        "    RewriteEngine On\n    RewriteRule ^/old/(.*)$ /new/$1 [R=301,L]\n"
        "    <Directory /var/www/html>\n        Options -Indexes\n        Require all granted\n    </Directory>\n"
        "    <Location /private>\n        Require ip 127.0.0.1\n    </Location>\n</VirtualHost>\n",
    ),
}
SIZES = "server_names_hash_max_size 32768; server_names_hash_bucket_size 128;\n"


def plant(host: Host, sites: int) -> None:
    """Give it its sites, a file each, and what notes the agent's peak."""
    path, text = BLOCK[host.provider]
    names = [f"site{number}.small.example" for number in range(sites)]
    host.write_files({path.format(name=name): text.format(name=name) for name in names})
    version = host.run("python3 -c 'import sys; print(*sys.version_info[:2], sep=\".\")'").stdout.strip()
    host.run(f"cat >>/etc/python{version}/sitecustomize.py", stdin=NOTE)
    if host.provider == "nginx":
        host.write_file("/etc/nginx/conf.d/sizes.conf", SIZES)
    else:
        host.run("a2enmod -q headers rewrite")
    reload_server(host, host.provider)


def free_mb(host: Host, memory_mb: int) -> int:
    """What the host has left beside its programs, of the memory that it may have."""
    lines = (host.confinement[0] / "memory.stat").read_text("ascii").splitlines()
    return memory_mb - (next(int(line.split()[1]) for line in lines if line.startswith("total_rss ")) >> 20)


def peak_kb(host: Host) -> int:
    """The highest since the last question."""
    said = host.run(f"cat {PEAKS}; rm -f {PEAKS}").stdout
    return max(int(line.split()[0]) for line in said.splitlines())


@contextlib.contextmanager
def saying(host: Host, available_mb: int) -> Iterator[None]:
    """As a machine says it that has no more; a control group's limit is not seen in /proc/meminfo."""
    host.write_file(
        "/root/meminfo", f"MemTotal: 500000 kB\nMemAvailable: {available_mb << 10} kB\nSwapFree: 0 kB\n"
    )
    host.run("mount --bind /root/meminfo /proc/meminfo")
    yield
    host.run("umount /proc/meminfo; rm /root/meminfo")


def masters(host: Host) -> str:
    """The server's processes and when they began."""
    return host.run(f"ps -o pid,lstart -C {'nginx' if host.provider == 'nginx' else 'apache2'}").stdout


@pytest.mark.long
@pytest.mark.parametrize(
    ("provider", "sites", "memory_mb"), [("nginx", 1000, 512), ("nginx", 3000, 1024), ("apache", 3000, 512)]
)
def test_the_whole_course_on_a_small_host(
    provider: Provider, sites: int, memory_mb: int, tmp_path: Path
) -> None:
    """Every verb is carried out, with little memory of the agent's own; nothing is killed, and nothing stays."""
    with Fleet({provider: 1}) as fleet:
        (host,) = fleet.hosts
        plant(host, sites)
        host.power_off()
        with confined(host, Limits(memory_mb, cores=1.0, writes_per_s=200)):
            files = drive.foreign_files(host)
            peaks: dict[str, int] = {}
            drill = drive.write_campaign(fleet, tmp_path, 1800, 600, sites='{include: ["*.small.example"]}')
            for verb in VERBS:
                if verb == "hook" and provider == "apache":
                    continue
                if verb == "stage" and sites == MANY and provider == "nginx":
                    refused_for_memory(host, drill)
                if verb == "reconcile":
                    host.run("piquet-host reconcile")
                else:
                    drill.verb(verb, **({"piquet_baseline": False} if verb in ("hook", "stage") else {}))
                peaks[verb] = peak_kb(host)
                left_mb = free_mb(host, memory_mb)
                print(
                    f"{provider} {sites} {verb}: {peaks[verb] / 1024:.1f} MB, {left_mb} MB left", flush=True
                )
            killed = killed_for_memory(host)
            assert drive.foreign_files(host) == files
        assert killed == 0
        assert {
            verb: kb for verb, kb in peaks.items() if kb > LIMIT_KB + (verb == "remove") * REMOVE_KB
        } == {}


def refused_for_memory(host: Host, drill: drive.Drill) -> None:
    """What would have the kernel end the server is put back before any reload."""
    before, running = drive.foreign_files(host), masters(host)
    with saying(host, 200):
        done = drill.verb("stage", check=False, piquet_baseline=False)
    assert done.returncode and "memory-short" in done.stdout, done.stdout
    assert {path for path in drive.foreign_files(host) if "piquet" in path} == {
        p for p in before if "piquet" in p
    }
    assert masters(host).split()[:4] == running.split()[:4]
