# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine's host: a host whose owner's files are kept as the owner last wrote them, with servers told or live.

*Told* servers are quick: whether a configuration passes is the real server's own verdict, asked once per set of bytes;
what it answers is worked out from the bytes that it loaded last. *Live* servers are real processes on a calendar that
the host sets (libfaketime), asked over HTTP. The agent is the same, and cannot tell.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from piquet.host import request, takedown
from piquet.host.machine import Machine
from piquet.host.outcome import Outcome, Request
from piquet.host.servers import probe
from piquet.host.servers.apache.server import Apache
from piquet.host.servers.nginx.server import Nginx
from piquet.host.system import commands, processes
from piquet.host.system.commands import Result
from piquet.host.system.schedule import Schedule
from piquet.protocol.findings import Finding
from piquet.protocol.http import PROOF_PREFIX
from tests.corpus.chroot import faketime_library
from tests.host.folder_host import FolderHost
from tests.machine import restores
from tests.machine.plans import KEYS, SEAL, SERVER_FILES, UNIT, Plan, phase_of

EPOCH = 1_800_000_000
CALENDAR = ("FAKETIME_TIMESTAMP_FILE", "FAKETIME_FMT", "FAKETIME_NO_CACHE", "FAKETIME_DONT_FAKE_MONOTONIC")
_STATE = ("etc", "run", "var", "usr", "proc")
_READ = {"nginx": ("etc/nginx", "etc/piquet"), "apache": ("etc/apache2", "etc/piquet")}
_BROKEN = {"nginx": "etc/nginx/conf.d/zz-broken.conf", "apache": "etc/apache2/conf-enabled/zz-broken.conf"}


class World(FolderHost):
    """One host that begins anew for each example; `provider` serves what a plan selects."""

    is_live = False

    def __init__(self, root: Path, provider: str) -> None:
        """Make the host once; `begin` brings it back to how it is now."""
        super().__init__(root)
        self.provider = provider
        self._verdicts: dict[tuple[str, bytes], Result] = {}
        self._plans: dict[tuple[int, int], Plan] = {}
        self.version_text = commands.execute(["nginx", "-V"]).output
        self._add_sites()
        for name in _STATE:
            (root / name).mkdir(exist_ok=True)
        shutil.copytree(root, root.with_name("pristine"), symlinks=True)
        self.begin()

    def begin(self) -> None:
        """A host on which nobody has ever used piquet."""
        for name in _STATE:
            shutil.rmtree(self.root / name, ignore_errors=True)
            shutil.copytree(self.root.with_name("pristine") / name, self.root / name, symlinks=True)
        self.boots = self.saved = 0
        self.is_installed, self.units = True, "running"
        self.is_going_down = False
        shutil.rmtree(self.root.with_name("copies"), ignore_errors=True)
        self.backups = 0
        self.reboot()
        self.set_clock(EPOCH)
        self.owned = {path: path.read_bytes() for path in self._owners_files()}
        self.broken = self.root / _BROKEN[self.provider]
        self.start()

    def _add_sites(self) -> None:
        """Forms that the hook must get in and out of: CRLF, and a block in one line."""
        text = self._site(KEYS["nginx"][1])
        text.write_bytes(text.read_bytes().replace(b"\n", b"\r\n"))
        one = f"server {{ listen 127.0.0.1:{self.port}; server_name www.c.test; return 200 c; }}\n"
        (self.conf.parent / "conf.d/own.conf").write_text(one)
        (self.conf.parent / "conf.d/own.conf").chmod(0o640)
        kept = "".join(f"env {name};\n" for name in CALENDAR)
        self.conf.write_text(kept + self.conf.read_text())

    def _site(self, name: str) -> Path:
        return self.conf.parent / "sites-available" / name

    def _owners_files(self) -> list[Path]:
        folders = (self.conf.parent, self.apache_conf.parent)
        return sorted(p for f in folders for p in f.rglob("*") if p.is_file() and not p.is_symlink())

    # the calendar, and boots

    def set_clock(self, at: float) -> None:
        """Set the calendar of the agent, and of live servers."""
        self.now = float(int(at))
        (self.root / "calendar").write_text(f"{int(at)}.5\n")

    def reboot(self) -> None:
        """A new boot: /run is empty, nothing runs."""
        self.boots = getattr(self, "boots", 0) + 1
        shutil.rmtree(self.root / "run", ignore_errors=True)
        boot_id = self.root / "proc/sys/kernel/random/boot_id"
        boot_id.parent.mkdir(parents=True, exist_ok=True)
        boot_id.write_text(f"boot-{self.boots}\n")
        self.stop()

    # plans

    def plan(self, kind: int) -> Plan:
        """What an operator would plan now: the first window is open already, or opens soon."""
        base = int(self.now) // 1800 * 1800
        if (kind, base) not in self._plans:
            ports = (self.port, self.apache_port)
            self._plans[kind, base] = Plan(self.provider, str(self.root), ports, base, kind)
        return self._plans[kind, base]

    # the owner

    def own(self, path: Path, data: bytes, on_disk: bytes | None = None) -> None:
        """The owner writes a file; `on_disk` if our line is in it."""
        self.owned[path] = data
        path.write_bytes(data if on_disk is None else on_disk)
        self.saved += 1  # a run must not depend on two saves falling into one tick of the file system's clock
        os.utime(path, (EPOCH + self.saved, EPOCH + self.saved))

    def foreign_damage(self) -> list[str]:
        """Owner's files that are not what the owner last wrote, our line aside; and files nobody expects."""
        found = [str(path) for path, data in self.owned.items() if not self._is_owners(path, data)]
        ours = ("00-piquet.conf", ".piquet")
        strange = [p for p in self._owners_files() if p not in self.owned and not p.name.endswith(ours)]
        return found + [str(path) for path in strange]

    def _is_owners(self, path: Path, data: bytes) -> bool:
        return path.is_file() and without_hook(path.read_bytes(), self.paths.hook_include) == data

    def is_hooked(self, path: Path) -> bool:
        """Whether our line is in a file."""
        return b"# piquet hook" in path.read_bytes()

    def temporary_files(self) -> list[str]:
        """Names of ours that only a death may leave."""
        return [str(path) for path in self.root.rglob(".*.piquet")]

    def leftovers(self) -> list[str]:
        """Anything of ours."""
        names = [str(p) for p in self.root.rglob("*piquet*")]
        return names + [str(p) for p in self.owned if p.is_file() and self.is_hooked(p)]

    def flags(self) -> frozenset[str]:
        """Keys whose flag is up."""
        live = self.paths.live
        return frozenset(p.name for p in live.iterdir() if p.is_file()) if live.is_dir() else frozenset()

    def passes(self) -> frozenset[str]:
        """Names of passes of a rehearsal."""
        return frozenset(path.name for path in self.paths.rehearse.glob("*"))

    # copies, units, packages

    def meet_another(self) -> None:
        """Live once as another machine that is armed with the first plan, and keep what it has."""
        (self.root / "etc/machine-id").write_text("f" * 32 + "\n")
        plan, survey = self.plan(0), self.machine().servers["nginx"].survey()
        assert survey is not None
        self.good("hook", files=survey.document["files"])
        self.good("stage", dict(plan.members), plan_digest=plan.digest)
        self.good("arm", plan_digest=plan.digest)
        restores.save(self.root, self.root.with_name("foreign"))
        self.begin()

    def can_be_saved(self) -> bool:
        """Not amidst a transaction: whoever restores its register later would undo what is long done."""
        return self.paths.manifest.exists() and not self.paths.checkpoint.exists()

    def save(self) -> None:
        """Keep a copy; of four the oldest goes."""
        own = self._own_copies()
        if len(own) >= 4:
            shutil.rmtree(own[0])
        self.backups += 1
        restores.save(self.root, self.root.with_name("copies") / f"{self.backups:06d}")

    def copies(self) -> list[Path]:
        """Own ones, oldest first, and another host's."""
        return [*self._own_copies(), self.root.with_name("foreign")]

    def _own_copies(self) -> list[Path]:
        return sorted(self.root.with_name("copies").glob("*"))

    def bring_back(self, saved: Path, places: Sequence[str], way: str) -> None:
        """Restore."""
        restores.bring_back(saved, self.root, places, way)

    def mask(self) -> bool:
        """Put a link to nothing in the place of a unit file, if there is one of ours."""
        path = self.root / UNIT[1:]
        if path.is_symlink() or not path.is_file():
            return False
        path.unlink()
        path.symlink_to("/dev/null")
        return True

    def unmask(self) -> None:
        """The unit file as it was."""
        path = self.root / UNIT[1:]
        if path.is_symlink():
            path.unlink()
            path.write_bytes(b"[Service]\n")
            path.chmod(0o644)

    def reconcile(self, boot: bool = False, is_stopping: bool = False, is_shutdown: bool = False) -> Outcome:
        """What the schedule calls."""
        self.is_going_down = is_shutdown
        asked = Request("reconcile", options={"boot": boot, "stopping": is_stopping})
        return request.carry_out(self.machine("schedule"), asked)

    def ask(self, verb: str, members: dict[str, bytes] | None = None, **document: Any) -> Outcome:
        """A verb; owners of this host save without reloading, and let our reloads load what they wrote."""
        return super().ask(verb, members, **{"allow_unloaded": True, **document})

    # servers

    def machine(self, role: str = "controller") -> Machine:
        """A fresh look at the host, with servers that are told."""
        machine = super().machine(role)
        machine.servers["nginx"]._version = self.version_text
        if not self.is_live:
            machine.servers["nginx"] = ToldNginx(self)
            machine.servers["apache"] = ToldApache(self)
        machine.schedules = {"none": Units(self)}
        return machine

    def verdict(self, name: str) -> Result:
        """What the real server says about the files as they are; asked once per set of bytes."""
        key = (name, json.dumps(self._texts(name), sort_keys=True).encode())
        if key not in self._verdicts:
            self._verdicts[key] = commands.execute(self.platform.packaged[name].test)
        return self._verdicts[key]

    def _texts(self, name: str) -> dict[str, str]:
        files = (p for f in _READ[name] for p in (self.root / f).rglob("*") if p.suffix != ".piquet")
        return {
            f"/{p.relative_to(self.root)}": p.read_bytes().decode("latin-1") for p in files if p.is_file()
        }

    def load(self, name: str) -> None:
        """A told server takes up its configuration."""
        loaded = {"at": processes.uptime_s(), "texts": self._texts(name)}
        (self.root / f"loaded-{name}.json").write_text(json.dumps(loaded))

    def loaded(self, name: str) -> dict[str, Any] | None:
        """What a told server runs with; None if it does not run."""
        path = self.root / f"loaded-{name}.json"
        return json.loads(path.read_text()) if path.exists() else None

    def start(self) -> None:
        """Start what does not run and can."""
        for name in ("nginx", "apache") if self.is_installed else ():
            if not (self.root / f"loaded-{name}.json").exists() and self.verdict(name).ok:
                self.load(name)

    def stop(self) -> None:
        """Nothing runs any more."""
        for name in ("nginx", "apache"):
            (self.root / f"loaded-{name}.json").unlink(missing_ok=True)

    def is_running(self) -> bool:
        """Whether the server of the plan's entries serves."""
        return self.loaded(self.provider) is not None

    def shows(self, key: str) -> bool:
        """Whether a visitor of the entry sees the strike."""
        return self.phase_shown(key) is not None

    def phase_shown(self, key: str) -> int | None:
        """Whose strike a told server shows: flag, hook and lease of what it has loaded."""
        loaded = self.loaded(self.provider)
        if loaded is None or key not in self.flags():
            return None
        is_reached = self.provider == "apache" or self._reaches_hook(loaded["texts"], key)
        return phase_of(loaded["texts"], self.provider, key, self.now) if is_reached else None

    def proves(self, key: str, word: str) -> bool:
        """Whether a told server shows that it sees a file: what it has loaded, and its hook, are ours."""
        texts = (self.loaded(self.provider) or {}).get("texts", {})
        is_ours = all(name in texts for name in SERVER_FILES[self.provider])
        is_reached = is_ours and (self.provider == "apache" or self._reaches_hook(texts, key))
        return is_reached and (self.paths.proof / word).is_file()

    def _reaches_hook(self, texts: dict[str, str], key: str) -> bool:
        return "# piquet hook" in texts[f"/{self._site(key).relative_to(self.root)}"]

    def settle_quickly(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """No pauses between questions to a server that answers at once; a told one is not asked over HTTP."""
        monkeypatch.setattr(takedown, "_PAUSE_S", 0.0)
        if not self.is_live:
            monkeypatch.setattr(probe, "probe", told_answer(self))

    def target_of(self, key: str) -> dict[str, Any]:
        """Where to ask for an entry."""
        return self.target(key, self.provider)


class LiveWorld(World):
    """The same with real processes; only the plan's own server runs."""

    is_live = True

    def start(self) -> None:
        """Start the server if it does not run and can."""
        if self.is_running() or not self.is_installed or not self.verdict(self.provider).ok:
            return
        command = (
            self.platform.packaged["nginx"].command
            if self.provider == "nginx"
            else (*self.platform.packaged["apache"].command, "-k", "start")
        )
        values = (str(self.root / "calendar"), "%s", "1", "1")
        calendar = {"LD_PRELOAD": faketime_library(), "FAKETIME_DISABLE_SHM": "1", "NO_FAKE_STAT": "1"}
        env = {**os.environ, **calendar, **dict(zip(CALENDAR, values, strict=True))}
        subprocess.run([*command], check=True, env=env)
        self._wait(lambda: self.is_running() and probe.probe(self.target_of("x.test")).status is not None)

    def stop(self) -> None:
        """Stop it by its own pid file, and wait until its port is free."""
        for pid_file in (self.root / "nginx.pid", self.root / "apache.pid"):
            with contextlib.suppress(OSError, ValueError):
                pid = int(pid_file.read_text())
                os.kill(pid, signal.SIGTERM)
                self._wait(lambda pid=pid: processes.process(pid) is None)  # type: ignore[misc]
                pid_file.unlink(missing_ok=True)

    def is_running(self) -> bool:
        """Whether its process is there."""
        machine = self.machine()
        return (
            machine.servers["nginx"] if self.provider == "nginx" else machine.servers["apache"]
        ).is_running()

    def shows(self, key: str) -> bool:
        """What it really answers."""
        return probe.probe(self.target_of(key)).mark is not None

    def _wait(self, is_so: Any) -> None:
        deadline = time.monotonic() + 10
        while not is_so():
            assert time.monotonic() < deadline, "the server neither starts nor stops"
            time.sleep(0.01)


class Units(Schedule):
    """Our units, as systemd would run them."""

    name = "none"
    folder = UNIT.rpartition("/")[0] + "/"

    def __init__(self, world: World) -> None:
        self.world = world

    def is_usable(self) -> bool:
        return True

    def take_up(self) -> Result:
        self.world.units = "running"
        return Result(True, "")

    def stop(self) -> None:
        self.world.units = "stopped"

    def timer(self, now: float) -> tuple[bool, float | None]:
        return self.world.units == "running", None

    def fault(self, now: float) -> Finding | None:
        return None if self.timer(now)[0] else Finding("error", "timer-inactive", "units", "They do not run.")

    def is_going_down(self) -> bool:
        return self.world.is_going_down


class ToldNginx(Nginx):
    """An nginx whose process is a note of what it loaded."""

    def __init__(self, world: World) -> None:
        super().__init__(world.platform, world.paths)
        self.world = world
        self._version = world.version_text

    def is_present(self) -> bool:
        return self.world.is_installed

    def _test(self) -> Result:
        return self.world.verdict(self.name)

    def is_running(self) -> bool:
        return self.world.loaded(self.name) is not None

    def reload(self) -> None:
        if self.is_running() and self.world.verdict(self.name).ok:
            self.world.load(self.name)

    def is_loaded_since(self, uptime_s: float) -> bool:
        loaded = self.world.loaded(self.name)
        return loaded is not None and loaded["at"] + 0.05 >= uptime_s


class ToldApache(Apache):
    """An Apache whose process is a note of what it loaded."""

    def __init__(self, world: World) -> None:
        super().__init__(world.platform, world.paths)
        self.world = world

    is_present = ToldNginx.is_present  # type: ignore[assignment]
    _test = ToldNginx._test  # type: ignore[assignment]
    is_running = ToldNginx.is_running  # type: ignore[assignment]
    reload = ToldNginx.reload  # type: ignore[assignment]
    is_loaded_since = ToldNginx.is_loaded_since  # type: ignore[assignment]


def told_answer(world: World) -> Any:
    """What the agent's own question to the local server is answered, in a told world."""

    def ask(target: Any, path: str = "/", timeout_s: float = 0.0, nonce: str = "") -> probe.ProbeAnswer:
        if not world.is_running():
            return probe.ProbeAnswer(None, None, "ConnectionRefusedError: nobody listens")
        if path.startswith(PROOF_PREFIX) and world.proves(target["host"], path[len(PROOF_PREFIX) :]):
            return probe.ProbeAnswer(204, "test/proof")
        number = world.phase_shown(target["host"])
        repeated = nonce if (world.paths.proof / f"{nonce}-{SEAL}").is_file() else None
        return (
            probe.ProbeAnswer(503, f"test/{number}/block", nonce=repeated)
            if number
            else probe.ProbeAnswer(200, None)
        )

    return ask


def without_hook(text: bytes, include: str) -> bytes:
    """The text without our line; written apart from the agent's own way of doing it."""
    line = re.escape(b"include " + include.encode() + b"; # piquet hook")
    text = re.sub(rb"\r?\n {4}" + line + rb", inline\r?\n", b"", text)
    return re.sub(rb"\r?\n[ \t]*" + line, b"", text)


def root_in_memory(name: str) -> Path:
    """A folder whose syncs cost nothing."""
    shm = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix=f"machine-{name}-", dir=shm if shm.is_dir() else None))
