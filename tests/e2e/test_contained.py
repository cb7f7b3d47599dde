# SPDX-License-Identifier: GPL-3.0-or-later
"""A server in a container of the host, with the mounts and lines that `docs/platforms.md` names: held by the host."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from testbed import Fleet, reload_server
from testbed.host import Host, Provider
from tests import drive
from tests.e2e.one_site import FILE, SITE

NAME, PORT = "www.contained.example", 8095
ROOT = "/srv/contained"
LINES: Mapping[Provider, tuple[str, str]] = {
    "nginx": (
        "include /etc/piquet/nginx/http/*.conf;",
        "include /etc/piquet/nginx/server/*.conf; # piquet hook",
    ),
    "apache": ("IncludeOptional /etc/piquet/apache/*.conf", ""),
}
"""What its owner writes at the server level, and first in each virtual host; it stays valid when we are gone."""
CONFIGURATION: Mapping[Provider, tuple[str, str, str]] = {
    "nginx": (
        "/etc/nginx/contained.conf",
        "pid /run/contained.pid;\nerror_log /dev/null;\nuser www-data;\nevents {{}}\nhttp {{\n    access_log off;\n"
        "    {0}\n    server {{\n        {1}\n        listen {port};\n        server_name {name};\n"
        "        location / {{ return 200 contained; }}\n    }}\n}}\n",
        "nginx -c /etc/nginx/contained.conf -g 'daemon off;'",
    ),
    "apache": (
        "/etc/apache2/contained.conf",
        "Include /etc/apache2/mods-enabled/*.load\nServerName contained\nTypesConfig /dev/null\n"
        "PidFile /run/contained.pid\nErrorLog /dev/stderr\nDefaultRuntimeDir /run\n"
        "User www-data\nGroup www-data\nListen {port}\n{0}\n"
        "<VirtualHost *:{port}>\n{1}\nServerName {name}\nDocumentRoot /srv/html\n"
        "<Directory /srv/html>\nRequire all granted\n</Directory>\n</VirtualHost>\n",
        "apache2 -f /etc/apache2/contained.conf -D FOREGROUND",
    ),
}
MOUNTS = ("/etc/piquet", "/var/lib/piquet", "/run/piquet")
# A root of its own with the host's programs in it; our folders are mounted into it, read-only, when it starts.
START = """\
set -e
mkdir -p {root}
mount -t tmpfs tmpfs {root}
cd {root}
for d in bin lib lib64 sbin; do cp -a /$d .; done
mkdir -p usr etc dev proc run tmp srv/html var/log/nginx var/lib/nginx
for d in usr dev; do mount --rbind /$d $d; done
cp -a /etc/passwd /etc/group /etc/ld.so.cache etc/
cp -a /etc/nginx /etc/apache2 etc/ 2>/dev/null || true
rm -f etc/nginx/conf.d/* etc/apache2/conf-enabled/*
printf contained >srv/html/index.html
for d in {mounts}; do
    if [ -d $d ]; then mkdir -p .$d && mount --bind $d .$d && mount -o remount,bind,ro .$d; fi
done
mount -t proc proc proc
exec chroot . {command}
"""


class Container:
    """The container of a host; its owner writes its configuration, starts it and ends it."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.conf, text, self.command = CONFIGURATION[host.provider]
        self.text = text.format(*LINES[host.provider], name=NAME, port=PORT)

    def start(self) -> None:
        """As `docker start` does: mounts first."""
        script = START.format(root=ROOT, mounts=" ".join(MOUNTS), command=self.command)
        self.host.write_files({self.conf: self.text, "/root/contained.sh": script})
        self.host.run(
            "unshare --mount --propagation private --pid --fork --kill-child sh /root/contained.sh "
            "</dev/null >/root/contained.log 2>&1 & echo $! >/root/contained.pid; "
            f"timeout 20 sh -c 'until curl -so /dev/null 127.0.0.1:{PORT}; do sleep 0.1; done' "
            "|| { cat /root/contained.log; exit 1; }"
        )

    def stop(self) -> None:
        """All of it."""
        self.host.run(
            "test ! -e /root/contained.pid || { pkill -KILL -P $(cat /root/contained.pid); "
            f"timeout 20 sh -c 'while curl -so /dev/null 127.0.0.1:{PORT}; do sleep 0.1; done'; }}; "
            f"rm -rf /root/contained.* {self.conf} {ROOT}",
            check=False,
        )

    def ask(self) -> tuple[int, str]:
        """Status and body of its site."""
        said = self.host.run(
            f"curl -s -m 20 -w '\\n%{{http_code}}' -H 'Host: {NAME}' http://127.0.0.1:{PORT}/"
        ).stdout
        body, _, status = said.rpartition("\n")
        return int(status), body


USUAL = (200, "contained")


@pytest.fixture(params=["nginx", "apache"])
def container(fleet: Fleet, request: pytest.FixtureRequest) -> Iterator[Container]:
    """On a host whose own server has the same site."""
    host = fleet.of(request.param)[0]
    host.write_file(FILE[host.provider], SITE[host.provider].format(name=NAME))
    if host.provider == "apache":
        host.run("a2enmod -q headers rewrite")
    reload_server(host, host.provider)
    time.sleep(1.2)
    found = Container(host)
    yield found
    found.stop()
    drive.run_verb(fleet, "remove", only=[host])
    host.run(f"rm -f {FILE[host.provider]}")
    reload_server(host, host.provider)


@pytest.mark.long
def test_a_container_with_our_folders_in_it(fleet: Fleet, container: Container, tmp_path: Path) -> None:
    """On strike in the window and not before; back at its end, after a rollback, and after remove and a start."""
    host = container.host
    container.start()
    assert container.ask() == USUAL
    container.stop()
    begun = time.monotonic()
    drive.run_verb(fleet, "survey", only=[host])
    lead_s = drive.lead_s(time.monotonic() - begun) + 3.0
    values = {"piquet_baseline": False, "piquet_hosts": host.name}

    def armed(lasts_s: int, patience: int) -> drive.Drill:
        drill = drive.write_campaign(
            fleet, tmp_path, lead_s * patience, lasts_s, sites=f"{{include: [{NAME}]}}"
        )
        for verb in (*(("hook",) if host.provider == "nginx" else ()), "stage", "arm"):
            drill.verb(verb, only=[host], **values)
        return drill

    first = drive.in_time(lambda patience: armed(8, patience), spare_s=2.0)
    container.start()
    assert container.ask() == USUAL
    drive.sleep_until(first.start_at + 0.5)
    assert container.ask()[0] == 503
    drive.sleep_until(first.end_at)
    assert container.ask() == USUAL
    second = drive.in_time(lambda patience: armed(600, patience))
    container.stop()
    container.start()
    drive.sleep_until(second.start_at + 0.5)
    assert container.ask()[0] == 503
    second.verb("rollback", only=[host])
    assert container.ask() == USUAL
    drive.run_verb(fleet, "remove", only=[host])
    assert container.ask() == USUAL
    container.stop()
    container.start()
    assert container.ask() == USUAL
