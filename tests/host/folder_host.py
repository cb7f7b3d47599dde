# SPDX-License-Identifier: GPL-3.0-or-later
"""A host in a folder: every path of the agent below one root, with a real nginx and a real Apache of its own.

Nothing here touches the machine's /etc. The bundle is a small one of our own making: what is tested is that the agent
puts files in their place and takes them away, not what they say. It has no lease on purpose, so that a test can see
what happens when a site is still ours after the end.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from piquet.host import request
from piquet.host.machine import Machine, this_machine
from piquet.host.outcome import Outcome, Request
from piquet.host.servers import probe
from piquet.host.servers.apache.packages import APACHE_PACKAGES
from piquet.host.servers.nginx.packages import NGINX_PACKAGES
from piquet.host.system.paths import Paths
from piquet.host.system.platforms import Platform
from piquet.protocol.entries import entry_key
from tests.ports import free_ports
from tests.running import running

SITES = ("www.a.test", "www.b.test")
HOUR_S = 3600


class FolderHost:
    """One such host; `now` is its clock."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.paths = Paths(str(root))
        self.port, self.apache_port = free_ports(2)
        self.now = 1_000_000.0
        self.reboot()
        (root / "etc").mkdir(exist_ok=True)
        (root / "etc/machine-id").write_text(hashlib.md5(str(root).encode()).hexdigest() + "\n")
        self.conf = root / "etc/nginx/nginx.conf"
        self.apache_conf = root / "etc/apache2/apache2.conf"
        _write_nginx(self)
        _write_apache(self)
        nginx = ("nginx", "-c", str(self.conf), "-e", str(root / "error.log"))
        apache = ("apache2", "-d", str(self.apache_conf.parent), "-f", str(self.apache_conf))
        packaged = {
            "nginx": replace(NGINX_PACKAGES["debian"], command=nginx, reload=(*nginx, "-s", "reload")),
            "apache": replace(APACHE_PACKAGES["debian"], command=apache, reload=(*apache, "-k", "graceful")),
        }
        self.platform = Platform("debian", (), (), (f"cron-{self.port}",), packaged)

    def command_nginx(self, program: str) -> None:
        """Have another program take the place of nginx, with the same options."""
        old = self.platform.packaged["nginx"]
        new = replace(old, command=(program, *old.command[1:]), reload=(program, *old.reload[1:]))
        self.platform = replace(self.platform, packaged={**self.platform.packaged, "nginx": new})

    def machine(self, role: str = "controller") -> Machine:
        """A fresh look at the host, as each call of the agent has."""
        return this_machine(role, self.paths, self.platform, lambda: self.now)

    def ask(self, verb: str, members: dict[str, bytes] | None = None, **document: Any) -> Outcome:
        """Carry out a verb as the controller would."""
        asked = request.parse_request({"verb": verb, "at": self.now, **document}, members)
        return request.carry_out(self.machine(), asked)

    def good(self, verb: str, members: dict[str, bytes] | None = None, **document: Any) -> Outcome:
        """The same, and it must succeed."""
        outcome = self.ask(verb, members, **document)
        assert outcome.is_ok, [finding.to_json() for finding in outcome.findings]
        return outcome

    def reconcile(self, boot: bool = False) -> Outcome:
        """What the timer does."""
        asked = Request("reconcile", options={"boot": boot})
        return request.carry_out(self.machine("schedule"), asked)

    def reboot(self) -> None:
        """A new boot: /run is empty."""
        shutil.rmtree(self.root / "run", ignore_errors=True)
        boot_id = self.root / "proc/sys/kernel/random/boot_id"
        boot_id.parent.mkdir(parents=True, exist_ok=True)
        boot_id.write_text(f"boot-{time.monotonic_ns()}\n")

    def start(self) -> None:
        """Start nginx."""
        subprocess.run([*self.platform.packaged["nginx"].command], check=True)
        _wait_for(self.port)

    def stop(self) -> None:
        """Stop whatever runs, by its own pid file: a test may have left the configuration broken."""
        for pid_file in self.root.rglob("*.pid"):
            with contextlib.suppress(OSError, ValueError):
                os.kill(int(pid_file.read_text()), signal.SIGTERM)

    @contextlib.contextmanager
    def cron(self) -> Iterator[None]:
        """A running program with the name of this host's cron; it starts no jobs, the tests do."""
        program = self.root / "usr/sbin" / self.platform.cron[0]
        program.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(shutil.which("sleep") or "", program)
        with running([program, "600"]):
            yield
        program.unlink()

    def answer(self, site: str = SITES[0]) -> probe.ProbeAnswer:
        """What nginx says about a site."""
        return probe.probe(self.target(site))

    def target(self, site: str, provider: str = "nginx") -> dict[str, Any]:
        """A manifest's probe."""
        port = self.port if provider == "nginx" else self.apache_port
        return {"address": "127.0.0.1", "port": port, "tls": False, "host": site}

    def is_ours(self, site: str = SITES[0]) -> bool:
        """Whether nginx shows the strike."""
        return self.answer(site).mark is not None

    def hook(self) -> Outcome:
        """Survey, then hook what was found; what a test wrote into the host's files may come into force with it."""
        survey = self.good("survey").survey
        assert survey is not None
        return self.good("hook", files=survey["nginx"]["files"], allow_unloaded=True)

    def bundle(self, **changes: Any) -> tuple[str, dict[str, bytes]]:
        """A payload for stage: plan digest and members."""
        return make_bundle(self, **changes)

    def stage(self, **changes: Any) -> str:
        """Stage a bundle; return its digest."""
        digest, members = self.bundle(**changes)
        self.good("stage", members, plan_digest=digest, allow_unloaded=True)
        return digest

    def arm(self) -> str:
        """Hook, stage, arm."""
        self.hook()
        digest = self.stage()
        self.good("arm", plan_digest=digest)
        return digest

    def journal(self) -> list[str]:
        """Events so far."""
        text = self.paths.journal.read_text() if self.paths.journal.exists() else ""
        return [json.loads(line)["event"] for line in text.splitlines()]

    def tree(self) -> dict[str, str]:
        """Every file that matters, with content and mode; state that tells of the attempt itself left out."""
        left_out = (
            "run/piquet.lock",
            "run/piquet.recall",
            "run/piquet.boot",
            "var/lib/piquet/journal",
            "var/lib/piquet/checkpoint",
            "proc/",
            "tmp/",
            "error.log",
        )
        found = {}
        for path in sorted(self.root.rglob("*")):
            name = str(path.relative_to(self.root))
            if name.startswith(left_out) or name.endswith((".pid", ".log")) or path.is_dir():
                continue
            content = (
                path.read_bytes()
                if path.is_file() and not path.is_symlink()
                else str(path.readlink()).encode()
            )
            found[name] = f"{path.lstat().st_mode:o} {hashlib.sha256(content).hexdigest()}"
        return found


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError(f"nothing listens on {port}")


def _write_nginx(host: FolderHost) -> None:
    folder = host.conf.parent
    for name in ("conf.d", "sites-available", "sites-enabled", "snippets"):
        (folder / name).mkdir(parents=True)
    (host.root / "tmp").mkdir()
    places = "".join(
        f"  {x}_temp_path {host.root}/tmp/{x};\n"
        for x in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    host.conf.write_text(
        f"user root;\npid {host.root}/nginx.pid;\nerror_log {host.root}/error.log;\nworker_processes 1;\nevents {{}}\n"
        f"http {{\n  access_log off;\n{places}"
        f"  include {folder}/conf.d/*.conf;\n  include sites-enabled/*;\n"
        f"  server {{ listen 127.0.0.1:{host.port} default_server; return 404 default; }}\n}}\n"
    )
    for site in SITES:
        text = (
            f"server {{\n\tlisten 127.0.0.1:{host.port};\n\tserver_name {site};\n\treturn 200 '{site}';\n}}\n"
        )
        (folder / "sites-available" / site).write_text(text)
        (folder / "sites-enabled" / site).symlink_to(f"../sites-available/{site}")


def _write_apache(host: FolderHost) -> None:
    folder = host.apache_conf.parent
    (folder / "conf-enabled").mkdir(parents=True)
    modules = "".join(
        f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"
        for name in ("mpm_event", "authz_core", "alias", "headers", "rewrite", "ssl")
    )
    (folder / "tls.inc").write_text("SSLEngine on\n")
    host.apache_conf.write_text(
        f"{modules}ServerName host\nPidFile {host.root}/apache.pid\nErrorLog {host.root}/apache.log\n"
        f"Mutex posixsem\nDefaultRuntimeDir {host.root}/tmp\nListen 127.0.0.1:{host.apache_port}\n"
        f"IncludeOptional conf-enabled/*.conf\n"
        f"<VirtualHost *:{host.apache_port}>\n  ServerName one.test\n  ServerAlias *.one.test www.*.x\n</VirtualHost>\n"
        f"<VirtualHost *:{host.apache_port}>\n  ServerName two.test:80\n"
        f"  ServerAlias \\\n    alias.two.test\n</VirtualHost>\n"
    )


SEAL = "5ea1"
PROOF_FIRST = (
    "if (-f $piquet_proof) { set $piquet_nonce $http_x_piquet_nonce; "
    "rewrite ^/.well-known/piquet/proof/ piquet-proof: last; }\n"
)
PROOF_LAST = "location ^~ piquet-proof: { internal; add_header X-Piquet test/proof always; return 204; }\n"
DROPIN = "/etc/nginx/conf.d/00-piquet.conf"
INCLUDED = "/etc/piquet/nginx/server/piquet.conf"
PAGE = "/var/lib/piquet/www/page.html"
AGENT = "/usr/local/sbin/piquet-host"


def make_bundle(
    host: FolderHost,
    page: bytes = b"<h1>On strike</h1>",
    start: int = 0,
    end: int = HOUR_S,
    dropin: str = "",
    name: str = "host",
    scheduler: str = "none",
    extra: Mapping[str, bytes] = MappingProxyType({}),
    later: Sequence[tuple[int, int]] = (),
    shares: Mapping[str, tuple[int, ...]] = MappingProxyType({}),
    wider: Sequence[str] = (),
) -> tuple[str, dict[str, bytes]]:
    """A bundle for nginx alone; start, end and later windows are seconds from the host's clock.

    Names with a star, which no server block of the host has, come on top as `wider`.
    """
    live = host.paths.live
    flags = "".join(f"  {site} {live}/{site};\n" for site in SITES)
    proving = proof_maps(str(host.paths.proof), SEAL)
    contents = {
        DROPIN: f"map $host $piquet_flag {{\n  default '';\n{flags}}}\n{proving}{dropin}".encode(),
        INCLUDED: (
            f"{PROOF_FIRST}if (-f $piquet_flag) {{ rewrite ^ piquet: last; }}\n"
            "location ^~ piquet: { internal; add_header X-Piquet test/1/block always; "
            f"add_header X-Piquet-Nonce $piquet_nonce always; return 503 strike; }}\n{PROOF_LAST}"
        ).encode(),
        PAGE: page + b" plan @PIQUET_PLAN_DIGEST@\n",
        AGENT: b"#!/usr/bin/python3\n",
        **extra,
    }
    modes = {AGENT: "0755"}
    records: list[dict[str, Any]] = [
        {
            "path": path,
            "kind": "file",
            "mode": modes.get(path, "0644"),
            "sha256": hashlib.sha256(data).hexdigest(),
            "size": len(data),
            "fill": b"@PIQUET_PLAN_DIGEST@" in data,
        }
        for path, data in contents.items()
    ]
    link = "/etc/systemd/system/timers.target.wants/piquet-reconcile.timer"
    records.append({"path": link, "kind": "link", "target": "../piquet-reconcile.timer"})
    phases = [
        {"number": number, "mode": "block", "start": int(host.now) + begins, "end": int(host.now) + ends}
        for number, (begins, ends) in enumerate([(start, end), *later], 1)
    ]
    entries = [
        {
            "name": site,
            "key": entry_key(site),
            "phases": list(shares.get(site, [p["number"] for p in phases])),
            "provider": "nginx",
            "probe": host.target(site) if site in SITES else None,
        }
        for site in (*SITES, *wider)
    ]
    manifest = canonical(
        {
            "piquet_manifest": 1, "host": name, "campaign": "test", "contact": "https://example.org/",
            "timezone": "UTC", "providers": ["nginx"], "variants": {"nginx": "include"}, "scheduler": scheduler,
            "seal": SEAL, "phases": phases,
            "entries": entries, "files": sorted(records, key=lambda r: r["path"]),
        }
    )  # fmt: skip
    plan = canonical({"piquet_plan": 1, "hosts": {name: {"manifest": hashlib.sha256(manifest).hexdigest()}}})
    members = {"plan.json": plan, "manifest.json": manifest}
    members |= {f"files/{hashlib.sha256(data).hexdigest()}": data for data in contents.values()}
    return hashlib.sha256(plan).hexdigest(), members


def proof_maps(folder: str, seal: str) -> str:
    """The file that a question of the host itself names, by its address or by its header."""
    word, file = "(?<piquet_word>[0-9a-f]{32})$", f"{folder}/$piquet_word"
    return (
        f"map $request_uri $piquet_asked {{ default ''; '~^/.well-known/piquet/proof/{word}' {file}; }}\n"
        f"map $http_x_piquet_nonce $piquet_proof {{ default ''; '' $piquet_asked; '~^{word}' {file}-{seal}; }}\n"
        "map $host $piquet_nonce { default ''; }\n"
    )


def canonical(document: Any) -> bytes:
    """Canonical JSON."""
    return (json.dumps(document, sort_keys=True, separators=(",", ":")) + "\n").encode()
