# SPDX-License-Identifier: GPL-3.0-or-later
"""Drive Ansible through ansible-runner: playbook `piquet.fleet.VERB`, configured as the user configures Ansible."""

from __future__ import annotations

import configparser
import contextlib
import json
import os
import re
import shutil
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from piquet.engines.ansible_events import Translator
from piquet.engines.base import Drive, EngineRequest
from piquet.engines.processes import interrupt, kill, mentioning
from piquet.errors import EngineError, FleetError

FORKS = 50
"""Hosts at a time, unless the user's configuration says it; Ansible starts no more than there are hosts."""

_POLL_S = 0.2
_JOIN_S = 15.0
_HOSTS_FAILED = 2 | 4 | 8
"""The bits of an exit status that say something of hosts: failed, unreachable, play broken off."""

_CONFIGURATIONS = (Path("~/.ansible.cfg"), Path("/etc/ansible/ansible.cfg"))
_KEPT = ("ANSIBLE_HOST_KEY_CHECKING",)
"""What ansible-runner would set on its own and is the user's to say."""

_NO_COLLECTION = re.compile(r"playbook: piquet\.fleet\.\w+ could not be found", re.IGNORECASE)
_NO_HOST = re.compile(r"no hosts to target|no host in the inventory|does not match any hosts", re.IGNORECASE)
_COLLECTION_HINT = (
    "the package brings the collection along: pip install --force-reinstall piquet (or PATH-OF-THE-CHECKOUT); the "
    "collection alone: ansible-galaxy collection build, in the checkout, then install the file that it made"
)


class AnsibleDrive(Drive):
    """One `ansible-playbook`, in a private folder that goes with it."""

    def __init__(self, verb: str, request: EngineRequest) -> None:
        """Start it.

        Raises:
            EngineError: ansible-playbook is not installed.
        """
        super().__init__()
        self._pid: int | None = None
        self._rc: int | None = None
        self._crash: BaseException | None = None
        self._has_results = False
        self._translator = Translator()
        program = _program()
        self._folder = Path(tempfile.mkdtemp(prefix="piquet-"))
        self._thread = threading.Thread(target=self._run, args=(program, verb, request), daemon=True)
        self._thread.start()

    def _run(self, program: str, verb: str, request: EngineRequest) -> None:
        """The whole life of the runner, in a thread of its own."""
        try:
            self._rc = self._runner(program, verb, request).run()[1]
        except BaseException as err:
            self._crash = err
        finally:
            self._heard.put(None)

    def _runner(self, program: str, verb: str, request: EngineRequest) -> Any:
        from ansible_runner.config.runner import RunnerConfig
        from ansible_runner.runner import Runner

        (self._folder / "env").mkdir(mode=0o700)
        (self._folder / "env/extravars").write_text(json.dumps(dict(request.variables)), "utf-8")
        flags = [*(["--check"] if request.check else []), *(["--diff"] if request.diff else [])]
        config = RunnerConfig(
            private_data_dir=str(self._folder),
            project_dir=str(Path.cwd()),  # where Ansible looks for the user's ansible.cfg
            playbook=f"piquet.fleet.{verb}",
            inventory=[request.inventory],
            limit=request.limit,
            forks=_forks(),
            cmdline=" ".join(flags) or None,
            fact_cache_type="the user's own",
            quiet=True,
            passwords={r"(?i)(password|passphrase)[^\n]*: ?$": ""},  # nobody could answer: fail, do not wait
        )
        config.prepare()
        config.command[0] = program
        config.pexpect_timeout, config.suppress_output_file = _POLL_S, True
        config.env = _environment(config.env)
        return Runner(
            config, event_handler=self._hear, cancel_callback=lambda: self._is_stopped and not self._pid
        )

    def _hear(self, data: Mapping[str, Any]) -> bool:
        """Take one event of the runner; false: keep no file of it."""
        self._pid = self._pid or data.get("pid")
        for event in self._translator.events(data):
            self._has_results = self._has_results or event.kind == "result"
            self._heard.put(event)
            self._forget(str(event.result.get("show") or ""))
        if data.get("event") in ("verbose", "error", "warning") and data.get("stdout"):
            self._noise.extend(re.sub(r"\x1b\[[0-9;]*m", "", str(data["stdout"])).splitlines())
        return False

    def _forget(self, shown: str) -> None:
        """What a result shows is no noise, though Ansible displays it too."""
        lines = frozenset(shown.splitlines())
        kept = [line for line in self._noise if line not in lines]
        self._noise.clear()
        self._noise.extend(kept)

    def _pids(self) -> list[int]:
        return [self._pid] if self._pid and self._is_alive() else []

    def _is_alive(self) -> bool:
        return self._thread.is_alive()

    def _ask_to_stop(self) -> bool:
        """Before its first word nothing runs on any host, and the runner kills it."""
        if self._pid:
            interrupt(self._pid)
        return self._pid is not None

    def _judge(self) -> None:
        if self._crash:
            raise EngineError(
                f"ansible-runner failed: {type(self._crash).__name__}: {self._crash}"
            ) from self._crash
        if self._rc and not self._has_results:
            raise _could_not_run(self.noise(), self._rc)
        if self._rc is None or self._rc & ~_HOSTS_FAILED:
            raise EngineError(f"Ansible ended early (with status {self._rc})\n{_quoted_noise(self.noise())}")

    def _clean(self) -> None:
        self._thread.join(_JOIN_S)
        if self._rc is None or self._is_stopped:
            kill(mentioning(str(self._folder)))  # workers that outlived it: each has a session of its own
        shutil.rmtree(self._folder, ignore_errors=True)


start = AnsibleDrive


def _program() -> str:
    """`ansible-playbook` of our own Python environment, else the one on the path."""
    beside = Path(sys.executable).parent / "ansible-playbook"
    found = str(beside) if beside.is_file() else shutil.which("ansible-playbook")
    if not found:
        raise EngineError("ansible-playbook is not installed\n\n  hint: pip install ansible-core")
    return found


def _forks() -> int | None:
    """Ours, unless the user's environment or ansible.cfg says a number.

    Asking Ansible itself would take longer than asking a host.

    Source: Ansible Configuration Settings, "The configuration file": the first of these files is read, no other.
    """
    if os.environ.get("ANSIBLE_FORKS"):
        return None
    named = Path(os.environ.get("ANSIBLE_CONFIG", "ansible.cfg")).expanduser()
    files = (named / "ansible.cfg" if named.is_dir() else named, Path("ansible.cfg"), *_CONFIGURATIONS)
    chosen = next((file for file in files if file.expanduser().is_file()), None)
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    with contextlib.suppress(OSError, configparser.Error, UnicodeDecodeError):
        parser.read([chosen.expanduser()] if chosen else [], "utf-8")
    return None if parser.has_option("defaults", "forks") else FORKS


def _environment(prepared: Mapping[str, str]) -> dict[str, str]:
    """The user's environment with what the runner's callback needs; the user keeps the say on host keys."""
    ours = {"MAX_EVENT_RES": str(10**9), "PIQUET_READS_RESULTS": "1"}
    kept = {key: value for key, value in prepared.items() if key != "ORIGINAL_STDOUT_CALLBACK"}
    for name in _KEPT:
        kept.pop(name, None)
        if name in os.environ:
            kept[name] = os.environ[name]
    return kept | ours


def _could_not_run(noise: str, status: int) -> EngineError | FleetError:
    """Why there is not one result, in words."""
    said = _quoted_noise(noise)
    if _NO_COLLECTION.search(noise):
        missing = "Ansible does not find the collection piquet.fleet"
        return EngineError(f"{missing}\n{said}\n\n  hint: {_COLLECTION_HINT}")
    if _NO_HOST.search(noise):
        hint = "are the paths and patterns after -i and -l right?"
        return FleetError(f"the inventory leaves no host\n{said}\n\n  hint: {hint}")
    return EngineError(f"Ansible could not run (it ended with {status})\n{said}")


def _quoted_noise(noise: str) -> str:
    return "\n".join(f"  | {line}" for line in noise.splitlines())
