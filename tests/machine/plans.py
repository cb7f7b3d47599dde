# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans for the machine's host, each with a lease: what nginx or Apache is told to show, and when.

The bundle is small and of our own making, but has the parts of a real one: a drop-in, what it includes, what the hook
line includes, pages. A plan has two phases and two entries; the second entry is over when the first phase is.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from piquet.protocol.lease import number_pattern
from tests.host.folder_host import (
    AGENT,
    PAGE,
    PROOF_FIRST,
    PROOF_LAST,
    SEAL,
    SITES,
    FolderHost,
    canonical,
    proof_maps,
)

UNIT = "/etc/systemd/system/piquet-boot.service"
"""Stands for all of our unit files: whoever masks one puts a link in its place."""

FILL = b"@PIQUET_PLAN_DIGEST@"
KEYS = {"nginx": SITES, "apache": ("one.test", "two.test")}
SERVER_FILES = {
    "nginx": (
        "/etc/nginx/conf.d/00-piquet.conf",
        "/etc/piquet/nginx/http/piquet.conf",
        "/etc/piquet/nginx/server/piquet.conf",
    ),
    "apache": ("/etc/apache2/conf-enabled/00-piquet.conf", "/etc/piquet/apache/piquet.conf"),
}
"""What a server reads of ours, in the order in which it is reached."""

Window = tuple[int, int]


@dataclass(frozen=True)
class Plan:
    """One plan for one host.

    Attributes:
        provider: nginx or Apache, which serves all entries.
        root: of the host.
        ports: of its nginx and its Apache.
        base: epoch seconds; windows are counted from here.
        kind: other operators have other plans: other pages, other hours.
    """

    provider: str
    root: str
    ports: tuple[int, int]
    base: int
    kind: int

    @property
    def windows(self) -> tuple[Window, Window]:
        """Both phases, in epoch seconds."""
        first, second = ((0, 3600), (5400, 7200)) if self.kind == 0 else ((900, 2700), (4500, 6300))
        return (self.base + first[0], self.base + first[1]), (self.base + second[0], self.base + second[1])

    @property
    def keys(self) -> tuple[str, ...]:
        """Of the entries; names and keys are the same here."""
        return KEYS[self.provider]

    def windows_of(self, key: str) -> tuple[Window, ...]:
        """When an entry shows something."""
        return self.windows if key == self.keys[0] else self.windows[:1]

    def end_of(self, key: str) -> int:
        """End of an entry's last phase."""
        return self.windows_of(key)[-1][1]

    @property
    def end(self) -> int:
        """End of the last phase."""
        return self.windows[-1][1]

    @cached_property
    def contents(self) -> Mapping[str, bytes]:
        """Path → bytes, with room for the digest."""
        page = f"<h1>On strike, plan {self.kind}</h1>\n".encode() + FILL + b"\n"
        texts = _nginx(self) if self.provider == "nginx" else _apache(self)
        server = dict(zip(SERVER_FILES[self.provider], (text.encode() for text in texts), strict=True))
        extra = {"/var/lib/piquet/www/second.html": b"only in this plan\n"} if self.kind else {}
        return {**server, PAGE: page, AGENT: b"#!/usr/bin/python3\n", UNIT: b"[Service]\n", **extra}

    @cached_property
    def members(self) -> Mapping[str, bytes]:
        """The payload of stage."""
        manifest = canonical(_manifest(self))
        promised = {"host": {"manifest": hashlib.sha256(manifest).hexdigest()}}
        plan = canonical({"piquet_plan": 1, "hosts": promised})
        files = {f"files/{hashlib.sha256(data).hexdigest()}": data for data in self.contents.values()}
        return {"plan.json": plan, "manifest.json": manifest, **files}

    @cached_property
    def digest(self) -> str:
        """Of the plan."""
        return hashlib.sha256(self.members["plan.json"]).hexdigest()

    def is_intact(self, host: FolderHost) -> bool:
        """Whether every file lies in the host as this plan has it."""
        for path, data in self.contents.items():
            file, mode = host.root / path[1:], 0o755 if path == AGENT else 0o644
            if not file.is_file() or file.stat().st_mode & 0o777 != mode:
                return False
            if file.read_bytes() != data.replace(FILL, self.digest.encode()):
                return False
        own = {"manifest.json": host.paths.manifest, "plan.json": host.paths.plan}
        return all(path.is_file() and path.read_bytes() == self.members[name] for name, path in own.items())

    def config_parts(self, host: FolderHost) -> tuple[int, int]:
        """How many of our server files are there, and how many belong there."""
        names = SERVER_FILES[self.provider]
        return sum((host.root / name[1:]).exists() for name in names), len(names)


def phase_of(texts: Mapping[str, str], provider: str, key: str, now: float) -> int | None:
    """The phase in which a server that has loaded these texts looks for the entry's flag at that instant."""
    if any(name not in texts for name in SERVER_FILES[provider]):
        return None
    decide = texts[SERVER_FILES[provider][1]]
    phases = re.findall(r"^# lease (\d) (\S+)$", decide, re.MULTILINE)
    found = (number for number, pattern in phases if re.fullmatch(pattern, str(int(now))))
    return next((int(number) for number in found if f"# entry {number} {key}\n" in decide), None)


def _leases(plan: Plan) -> list[tuple[int, str]]:
    return [(n, number_pattern(start, end - 1)) for n, (start, end) in enumerate(plan.windows, 1)]


def _shows(plan: Plan) -> list[tuple[int, str]]:
    """Phase and key of all that is shown."""
    return [(n, key) for n in (1, 2) for key in plan.keys if plan.windows[n - 1] in plan.windows_of(key)]


def _notes(plan: Plan) -> str:
    """The same for whoever evaluates the text without a server."""
    leases = "".join(f"# lease {number} {pattern}\n" for number, pattern in _leases(plan))
    return leases + "".join(f"# entry {number} {key}\n" for number, key in _shows(plan))


def _nginx(plan: Plan) -> tuple[str, str, str]:
    live = f"{plan.root}/run/piquet/live"
    phases = "".join(f'  "~^{pattern}\\." {number};\n' for number, pattern in _leases(plan))
    flags = "".join(f'  "{number} {key}" {live}/{key};\n' for number, key in _shows(plan))
    http = (
        f'{_notes(plan)}map $msec $piquet_phase {{\n  volatile;\n  default "";\n{phases}}}\n'
        f'map "$piquet_phase $host" $piquet_flag {{\n  volatile;\n  default "";\n{flags}}}\n'
    )
    http += proof_maps(f"{plan.root}/run/piquet/proof", SEAL)
    server = (
        f"{PROOF_FIRST}if (-f $piquet_flag) {{ rewrite ^ piquet: last; }}\n"
        "location ^~ piquet: {\n  internal;\n"
        "  add_header X-Piquet test/$piquet_phase/block always;\n  "
        f"add_header X-Piquet-Nonce $piquet_nonce always;\n  return 503 'strike {plan.kind}';\n}}\n{PROOF_LAST}"
    )
    return f"include {plan.root}/etc/piquet/nginx/http/*.conf;\n", http, server


def _apache(plan: Plan) -> tuple[str, str]:
    live, parts = f"{plan.root}/run/piquet/live", []
    for (number, pattern), keys in zip(_leases(plan), (plan.keys, plan.keys[:1]), strict=True):
        hosts = "|".join(re.escape(key) for key in keys)
        parts.append(
            f"<If \"%{{HTTP_HOST}} =~ m#^(?:{hosts})$# && req_novary('X-Piquet-At') =~ m#^t={pattern}[0-9]{{6}}$#"
            f" && -f '{live}/%{{HTTP_HOST}}'\">\n  Redirect 503\n"
            f'  Header always set X-Piquet "test/{number}/block"\n'
            f'  Header always set X-Piquet-Nonce "expr=%{{req:X-Piquet-Nonce}}" "expr={_echoes(plan)}"\n</If>\n'
        )
    parts.append(
        '<If "%{THE_REQUEST} =~ m#^GET /.well-known/piquet/proof/([0-9a-f]{32}) #'
        f" && -f '{plan.root}/run/piquet/proof/$1'\">\n  Redirect 204\n"
        '  Header always set X-Piquet "test/proof"\n</If>\n'
    )
    decide = f'RequestHeader set X-Piquet-At "%t" early\n<Location "/">\n{"".join(parts)}</Location>\n'
    return f"IncludeOptional {plan.root}/etc/piquet/apache/*.conf\n", _notes(plan) + decide


def _echoes(plan: Plan) -> str:
    word = "req('X-Piquet-Nonce') =~ m#^([0-9a-f]{32})$#"
    return f"{word} && -f '{plan.root}/run/piquet/proof/$1-{SEAL}'"


_VARIANTS = {"nginx": "include", "apache": "rules"}


def _manifest(plan: Plan) -> dict[str, Any]:
    records: list[dict[str, Any]] = [
        {
            "path": path, "kind": "file", "mode": "0755" if path == AGENT else "0644",
            "sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "fill": FILL in data,
        }
        for path, data in plan.contents.items()
    ]  # fmt: skip
    port = plan.ports[0] if plan.provider == "nginx" else plan.ports[1]
    entries = [
        {
            "name": key, "key": key, "provider": plan.provider,
            "phases": [n for n, other in _shows(plan) if other == key],
            "probe": {"address": "127.0.0.1", "port": port, "tls": False, "host": key},
        }
        for key in plan.keys
    ]  # fmt: skip
    phases = [
        {"number": n, "mode": "block", "start": start, "end": end}
        for n, (start, end) in enumerate(plan.windows, 1)
    ]
    return {
        "piquet_manifest": 1, "host": "host", "campaign": "test", "contact": "https://example.org/",
        "timezone": "UTC", "providers": [plan.provider], "variants": _VARIANTS, "scheduler": "none",
        "seal": SEAL, "phases": phases,
        "entries": entries, "files": sorted(records, key=lambda record: str(record["path"])),
    }  # fmt: skip
