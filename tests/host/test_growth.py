# SPDX-License-Identifier: GPL-3.0-or-later
"""What a verb does grows with the files of the host and no faster, counted: read, parsed, synced, processes started."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from piquet.host.servers.nginx import config as nginx_config
from piquet.host.servers.nginx import hook_line
from piquet.host.system import commands
from tests.host.folder_host import FolderHost

_heard: list[str] = []
"""Names of files that were opened."""
_is_listening: list[bool] = []


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    if _is_listening and event == "open":
        _heard.append(str(arguments[0]))


sys.addaudithook(_hear)


def counts(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> Counter[str]:
    """How often it reads a file of the owner's, parses one, syncs one, and starts a process."""
    found: Counter[str] = Counter()

    def counted(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def inner(*arguments: object, **named: object) -> Any:
            found[name] += 1
            return real(*arguments, **named)

        return inner

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", counted("synced", os.fsync))
        patch.setattr(commands, "execute", of_nginx(counted("processes", commands.execute), commands.execute))
        for module in (nginx_config, hook_line):
            patch.setattr(module, "parse_directives", counted("parsed", module.parse_directives))
        _heard.clear()
        _is_listening.append(True)
        act()
        _is_listening.clear()
    found["opened"] = sum("/sites-available/many" in name for name in _heard)
    return found


def of_nginx(counted: Callable[..., Any], real: Callable[..., Any]) -> Callable[..., Any]:
    """The one for nginx, the other for Apache, which is asked more where any runs on this machine."""
    return lambda argv, **named: (counted if argv[0] == "nginx" else real)(argv, **named)


def many(host: FolderHost, sites: int) -> None:
    """So many more server blocks, in a file each."""
    folder = host.root / "etc/nginx"
    for number in range(sites):
        name = f"many{number}"
        text = f"server {{ listen 127.0.0.1:{host.port}; server_name {name}.test; return 200 '{name}'; }}\n"
        (folder / "sites-available" / name).write_text(text)
        (folder / "sites-enabled" / name).symlink_to(f"../sites-available/{name}")


def costs(host: FolderHost, monkeypatch: pytest.MonkeyPatch) -> dict[str, Counter[str]]:
    """Each verb on a host with so many files as it has now."""
    found: dict[str, Counter[str]] = {}
    found["survey"] = counts(monkeypatch, lambda: host.good("survey"))
    survey = host.good("survey").survey
    assert survey is not None
    hooked = {"files": survey["nginx"]["files"], "allow_unloaded": True}
    found["hook"] = counts(monkeypatch, lambda: host.good("hook", **hooked))
    digest, members = host.bundle()
    found["stage"] = counts(
        monkeypatch, lambda: host.good("stage", members, plan_digest=digest, allow_unloaded=True)
    )
    found["arm"] = counts(monkeypatch, lambda: host.good("arm", plan_digest=digest))
    found["status"] = counts(monkeypatch, lambda: host.good("status"))
    found["rollback"] = counts(monkeypatch, lambda: host.good("rollback"))
    found["unhook"] = counts(monkeypatch, lambda: host.good("unhook"))
    host.good("hook", **hooked)
    found["remove"] = counts(monkeypatch, lambda: host.good("remove"))
    return found


def test_each_file_more_costs_a_verb_the_same(
    host: FolderHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of thirty files more: how often each is opened, parsed and synced; no process more is started for them."""
    costs(host, monkeypatch)  # makes folders that stay
    few = costs(host, monkeypatch)
    many(host, 30)
    more = costs(host, monkeypatch)
    grown = {
        verb: tuple((more[verb][what] - few[verb][what]) / 30 for what in ("opened", "parsed", "synced"))
        for verb in more
    }
    assert grown == {
        "survey": (1, 1, 0),
        "hook": (3, 1, 1),
        "stage": (1, 1, 0),
        "arm": (1, 1, 0),
        "status": (1, 1, 0),
        "rollback": (1, 1, 0),
        "unhook": (3, 1, 1),
        "remove": (5, 2, 1),
    }
    assert {verb: cost["processes"] for verb, cost in more.items()} == {
        verb: cost["processes"] for verb, cost in few.items()
    }
