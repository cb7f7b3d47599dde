#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands where a host's Python would (`piquet_python`): answers the agent protocol from one small state file.

It lets the roles run over many hosts on one machine without touching its web servers. The state file's name
is the inventory name in the folder `PIQUET_STAND_IN`; what a host must fail at is in `<host>.fails`, where it answers
nonsense in `<host>.lies`, what it adds to the texts of its failures in `<host>.forges`, and its survey, where that is
one of its own, in `<host>.survey.json`; where there is `<host>.hooked`, hook has nothing to do. A question that no
test expects ends it with an error. Every request is kept in `<host>.asked`, one JSON per line.
"""

from __future__ import annotations

import json
import os
import sys
import zipfile
from pathlib import Path

NEXT_STATE = {"stage": "staged", "arm": "armed", "rollback": "stopped", "remove": "absent"}


def main() -> int:
    """Answer one request."""
    file, flag = sys.argv[1:]
    assert flag == "--request" and Path(file).stat().st_mode & 0o077 == 0
    with zipfile.ZipFile(file) as archive:
        request, members = json.loads(archive.read("request.json")), archive.namelist()
    folder, host, verb = Path(os.environ["PIQUET_STAND_IN"]), request["host"], request["verb"]
    with (folder / f"{host}.asked").open("a") as stream:
        stream.write(json.dumps({**request, "members": members, "payload_file": file}) + "\n")
    fails = folder / f"{host}.fails"
    step = "check" if request.get("only_check") else verb
    if fails.exists() and step in fails.read_text().split():
        problem = {"severity": "error", "code": "config-broken", "subject": host, "message": "nginx -t fails",
                   "got": "unknown directive", "hint": "mend the configuration"}  # fmt: skip
        forged = folder / f"{host}.forges"
        if forged.exists():
            problem = {k: v if k == "severity" else v + forged.read_text() for k, v in problem.items()}
        return _answer(request, folder, ok=False, changed=False, problems=[problem])
    if (folder / f"{host}.lies").exists() and step == (folder / f"{host}.lies").read_text():
        print(json.dumps({"piquet": 1, "verb": verb, "ok": True, "status": {"now": "half past three"}}))
        return 0
    return _answer(request, folder, ok=True, changed=_act(request, folder, members), problems=[])


def _state(folder: Path, host: str) -> str:
    file = folder / f"{host}.state"
    return file.read_text() if file.exists() else "absent"


def _act(request: dict, folder: Path, members: list[str]) -> bool:
    verb, host = request["verb"], request["host"]
    if verb == "stage":
        assert {"plan.json", "manifest.json"} <= set(members)
    if verb in ("survey", "status", "hook", "unhook") or request.get("only_check"):
        return verb == "hook" and not (folder / f"{host}.hooked").exists()
    if verb in ("rehearse", "stop"):
        return True
    changed = _state(folder, host) != NEXT_STATE[verb]
    if changed and not request["check"]:
        (folder / f"{host}.state").write_text(NEXT_STATE[verb])
    return changed


def _answer(request: dict, folder: Path, **fields: object) -> int:
    verb, host = request["verb"], request["host"]
    document = {
        "piquet": 1, "verb": verb, "check": request["check"], "message": f"{verb} on {host}", **fields,
        "diff": [{"path": "/etc/piquet/x", "before": None, "after": "new\n"}] if request["diff"] else [],
        "status": {"state": _state(folder, host), "entries": [{"key": "a.example", "flag": True}]},
    }  # fmt: skip
    if verb in ("survey", "hook", "unhook"):
        own = folder / f"{host}.survey.json"
        text = (own if own.exists() else folder / "survey.json").read_text()
        document["survey"] = json.loads(text) | {"at": request["at"]}
    if verb == "rehearse" and fields["ok"] and not request["check"] and not request["end"]:
        path = f"/.well-known/piquet/rehearse/{request['phase'] or 1}-{'0a' * 16}"
        document["rehearsal"] = {"phase": request["phase"] or 1, "until": 1_800_000_000, "path": path, "sites": 9,
                                 "links": [f"https://a.{host}{path}", f"http://b.{host}{path}"]}  # fmt: skip
    print("Welcome to this host!\n" + json.dumps(document))
    return 0 if fields["ok"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
