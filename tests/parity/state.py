# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host is in, without what differs between any two hosts: every file of ours and of the web server, and answers.

Times, boot names, process ids and stamps of files are replaced by their kinds; everything else has to be equal.
"""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Mapping
from typing import Any

from testbed.host import Host
from tests.parity.road import SITES, Road

TOPS = (
    "/etc/piquet", "/var/lib/piquet", "/var/spool/piquet", "/run/piquet", "/usr/local/sbin", "/etc/nginx",
    "/etc/apache2", "/etc/systemd/system", "/etc/cron.d", "/srv/parity",
)  # fmt: skip
SCHEDULE = re.compile(r"^/etc/(systemd/system|cron\.d)(/|$)")
"""Where the schedule's own files are, in which roads with different schedulers may differ."""

_PASSES = "/run/piquet/rehearse/"
_PASS = re.compile(r"\b([1-9][0-9]?)-[0-9a-f]{32}(?:-[0-9]{8,17}){1,3}(?:_[0-9]{9,17})?\b")
_MOMENT = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d+ \w{3}"
_UNTIL = re.compile(rf"until {_MOMENT} \d{{4}} [^)]*\)|{_MOMENT} \d\d:\d\d(?::\d\d)?(?! Europe)")
"""When a rehearsal ends, and when something was stopped: a verb later on one road than on another."""
PATHS = ("/", "/nothing", "/api/data.json", "/.well-known/piquet.json", "/robots.txt")
_TREE = """\
import base64, hashlib, json, os
for top in {tops!r}:
    for folder, folders, names in os.walk(top):
        for name in sorted([*names, *folders]):
            path = os.path.join(folder, name)
            stat = os.lstat(path)
            row = [path, oct(stat.st_mode), stat.st_uid, stat.st_gid]
            if os.path.islink(path):
                row.append("-> " + os.readlink(path))
            elif os.path.isfile(path):
                data = open(path, "rb").read()
                is_ours = path.startswith(("/var/lib/piquet/", "/etc/piquet/")) and "/www/" not in path
                is_state = is_ours and ".json" in path or path == "/var/spool/piquet/armed"
                row.append(data.decode() if is_state else hashlib.sha256(data).hexdigest())
            print(json.dumps(row))
"""
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_NGINX_SAYS = re.compile(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[(\w+)\] \d+#\d+:")
_SKEW = re.compile(r"clock [+-]\d+\.\d+")
_OF_THE_SCHEDULE = (
    (re.compile(r"(debian \d+), (systemd|other)"), r"\1, INIT"),
    (re.compile(r"\d+ files"), "SOME files"),
    (re.compile(r"\(\d+ bytes"), "(SOME bytes"),
    (
        re.compile(r"(?m)^[\w, -]+: Armed\. Looked after by cron: [^.]*\.\n\n"),
        "",
    ),  # alone, that line is left out
    (re.compile(r" Looked after by cron: [^.]*\."), ""),
    (_DIGEST, "DIGEST"),
)
"""In texts: which init was found, how many files there are, what is counted or digested over them, what cron is not."""
_CLOCKS = frozenset(
    {
        "at",
        "armed_at",
        "now",
        "uptime_s",
        "next",
        "ended_at",
        "disarmed_at",
        "surveyed_at",
        "skew_s",
        "asked_at",
        "stopped_at",
        "utc",
        "until",
    }
)
_STAMPS = frozenset({"watch", "token", "arming", "machine", "file"})
_SCHEDULERS_OWN = frozenset({"timer", "schedule", "scheduler"})


def tree(host: Host, is_across: bool) -> dict[str, str]:
    """Path → mode, owner and content of every file that we or the web server have.

    Args:
        host: a running host.
        is_across: for a comparison of schedulers: without the schedule's files, and digests only as such.
    """
    said = host.run("python3 -", stdin=_TREE.format(tops=TOPS)).stdout
    found = {}
    for path, mode, uid, gid, *content in map(json.loads, said.splitlines()):
        if is_across and SCHEDULE.search(path):
            continue
        text = "".join(_likened(path, one, is_across) for one in content)
        if path.startswith(_PASSES):
            path, text = _secretless(path), "PASS" if content else ""
        found[path] = f"{mode} {uid}:{gid} {text}"
    return found


def _likened(path: str, content: str, is_across: bool) -> str:
    """State files without clocks; a journal is one document per line."""
    if path.endswith((".json", "/armed")) and content.startswith("{"):
        return json.dumps(likened(json.loads(content), is_across), sort_keys=True)
    if path.endswith(".jsonl"):
        lines = [likened(json.loads(line), is_across) for line in content.splitlines()]
        return "\n".join(json.dumps(line, sort_keys=True) for line in lines)
    return (
        "DIGEST"
        if is_across and _DIGEST.fullmatch(content) and path.startswith("/var/lib/piquet/")
        else content
    )


def likened(value: Any, is_across: bool = False) -> Any:
    """A document without what differs between any two hosts."""
    if isinstance(value, dict):
        items = ((k, v) for k, v in value.items() if not (is_across and k in _SCHEDULERS_OWN))
        return {k: _value(k, v, is_across) for k, v in items if not _is_schedules(k, is_across)}
    if isinstance(value, list):
        kept = [one for one in value if not (is_across and _is_of_schedule(one))]
        return [likened(one, is_across) for one in kept]
    if isinstance(value, str) and value.startswith("{"):
        return _document(value, is_across)
    if isinstance(value, str):
        text = _NGINX_SAYS.sub(r"TIME [\1] PID:", _SKEW.sub("clock", _UUID.sub("BOOT", _secretless(value))))
        return _across(text) if is_across else text
    return value


def _document(text: str, is_across: bool) -> str:
    """A text that may be JSON, such as a manifest in a diff."""
    try:
        return json.dumps(likened(json.loads(text), is_across), sort_keys=True)
    except ValueError:
        return text


def _secretless(text: str) -> str:
    """Without the pass of a rehearsal, and without the minute at which it ends."""
    return _UNTIL.sub("until TIME", _PASS.sub(r"\1-SECRET", text))


def _across(text: str) -> str:
    for pattern, word in _OF_THE_SCHEDULE:
        text = pattern.sub(word, text)
    return text


def _value(key: str, value: Any, is_across: bool) -> Any:
    if key in _CLOCKS:  # the next look of a timer is unknown in the second in which it looks
        return "TIME"
    if is_across and key == "files" and isinstance(value, int):
        return "SOME"
    if key in _STAMPS or (key == "stopped" and isinstance(value, dict)):  # sites, and when
        return sorted(value) if isinstance(value, dict) else "STAMP"
    return likened(value, is_across)


def _is_schedules(key: str, is_across: bool) -> bool:
    return is_across and bool(SCHEDULE.search(key))


def _is_of_schedule(one: Any) -> bool:
    """A path of the schedule, or a record or a change about one."""
    if isinstance(one, dict):
        names = [one.get("path"), one.get("before_header"), one.get("after_header")]
        return any(isinstance(name, str) and SCHEDULE.search(name) for name in names)
    return isinstance(one, str) and bool(SCHEDULE.search(one))


def run_document(document: Mapping[str, Any], is_across: bool) -> dict[str, Any]:
    """What a verb said, without the engine's name and the time that it took."""
    kept = {key: value for key, value in document.items() if key != "engine"}
    kept["summary"] = {k: v for k, v in kept["summary"].items() if k != "seconds"}
    found: dict[str, Any] = likened(kept, is_across)
    return found


def answers(road: Road, is_across: bool = False) -> dict[str, str]:
    """Host, site and path → status, headers but Date, and body."""
    found = {}
    for name, host in road.hosts.items():
        for site in SITES:
            for path in PATHS:
                text = _ask(host.ip, site, path)
                found[f"{name} {site}{path}"] = _DIGEST.sub("DIGEST", text) if is_across else text
    return found


def _ask(address: str, site: str, path: str) -> str:
    connection = http.client.HTTPConnection(address, 80, timeout=20)
    try:
        connection.request("GET", path, headers={"Host": site, "Connection": "close", "User-Agent": "a test"})
        answer = connection.getresponse()
        body = answer.read().decode("utf-8", "replace")
    finally:
        connection.close()
    volatile = ("date", "last-modified", "etag")
    headers = [f"{k}: {v}" for k, v in answer.getheaders() if k.lower() not in volatile]
    return "\n".join([str(answer.status), *headers, "", body])


def without_seconds(text: str) -> str:
    """What was printed, without how long it took, what the clock said, and secrets."""
    text = _secretless(text)
    text = re.sub(r"\b\d+ (h|min)\b", "SOME TIME", text)
    return _SKEW.sub("clock", re.sub(r"\d+(\.\d+)? s\b", "SECONDS", text))
