# SPDX-License-Identifier: GPL-3.0-or-later
"""Where everything of ours lies on a host, below an optional root (tests only).

`/etc/piquet` holds what was staged, `/var/lib/piquet` pages and state, `/var/spool/piquet` the token of an arming,
`/run/piquet` flags and passes: the last one vanishes with a reboot, which is why a flag can never outlive what put it
there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Tuple

from piquet.protocol import places


@dataclass(frozen=True)
class Paths:
    """All places; `root` is "" on a real host."""

    root: str = ""

    def at(self, path: str) -> Path:
        """The file that a manifest calls `path` (absolute)."""
        return Path(self.root + path)

    def folder_mode(self, folder: Path) -> int:
        """Of a folder that we make: what was staged is root's, pages lie where nobody can list them."""
        for place, mode in ((self.etc, 0o700), (self.trust, 0o700), (self.lib, 0o711), (self.code, 0o711)):
            if folder == place or place in folder.parents:
                return mode
        return 0o755

    @property
    def etc(self) -> Path:
        """What was staged: configuration, manifest, plan (0700); the servers' parent processes read it."""
        return self.at(places.ETC)

    @property
    def lib(self) -> Path:
        """Pages, and the agent's state."""
        return self.at(places.LIB)

    @property
    def code(self) -> Path:
        """Code that workers read (0711); apart from what people delete, since without it nothing would be answered."""
        return self.at(places.CODE_DIR)

    @property
    def run(self) -> Path:
        """Flags and passes; gone after a reboot."""
        return self.at(places.RUN)

    @property
    def live(self) -> Path:
        """The link that switches every site of the host by one rename."""
        return self.run / "live"

    @property
    def rehearse(self) -> Path:
        """Passes of a rehearsal (0711): their names are secrets."""
        return self.run / "rehearse"

    @property
    def proof(self) -> Path:
        """By files here servers prove themselves (0711), each for one question: their names are secrets."""
        return self.run / "proof"

    @property
    def lock(self) -> Path:
        """One agent at a time; not in `/run/lock`, where anybody may make the file first and hold it."""
        return self.at(f"{places.RUN}.lock")

    @property
    def recall(self) -> Path:
        """When somebody last rolled back in this boot, by its time of change."""
        return self.at(f"{places.RUN}.recall")

    @property
    def boot_mark(self) -> Path:
        """Beside `run`, which people delete: somebody has looked in this boot, so that no reconcile puts flags up."""
        return self.at(f"{places.RUN}.boot")

    @property
    def manifest(self) -> Path:
        """What the bundle holds (0600)."""
        return self.etc / "manifest.json"

    @property
    def plan(self) -> Path:
        """The plan whose sha256 is the plan digest (0600)."""
        return self.etc / "plan.json"

    @property
    def decision(self) -> Path:
        """What people voted on, which the plan carries out (0600)."""
        return self.etc / places.DECISION_FILE

    @property
    def signatures(self) -> Path:
        """The signatures over it, by name (0600)."""
        return self.etc / "signatures.json"

    @property
    def trust(self) -> Path:
        """Apart from all else of ours (0700), since remove leaves it."""
        return self.at(places.TRUST)

    @property
    def signers(self) -> Path:
        """Who may decide for this host (0600); whoever is root here and deletes it ends that."""
        return self.trust / "signers.json"

    @property
    def stopped_decisions(self) -> Path:
        """Decisions that one of their signers has stopped for good (0600)."""
        return self.trust / "stopped.json"

    @property
    def pinned(self) -> Path:
        """That signers were pinned, apart from them: so that it is noticed when root has deleted them."""
        return self.lib / "pinned.json"

    @property
    def decided(self) -> Path:
        """Campaign → the revision and digest that were armed here last by a decision (0600)."""
        return self.trust / "decided.json"

    @property
    def armed(self) -> Path:
        """Exists while the host is armed, and only then."""
        return self.lib / "armed.json"

    @property
    def arming(self) -> Path:
        """What was armed last; it arms nothing, and tells what to ask for where somebody deleted all else."""
        return self.lib / "arming.json"

    @property
    def ended(self) -> Path:
        """What `armed.json` became when the host was disarmed."""
        return self.lib / "ended.json"

    @property
    def spool(self) -> Path:
        """The third place (0700): neither a copy of `etc` nor one of `lib` has it."""
        return self.at(places.SPOOL)

    @property
    def token(self) -> Path:
        """What must agree with `armed`; the host is armed only while both are there."""
        return self.spool / "armed"

    @property
    def seen(self) -> Path:
        """When somebody last looked after an armed host, by its time of change."""
        return self.spool / "seen"

    @property
    def logs(self) -> Path:
        """The machine's log files: signs of life that are not ours."""
        return self.at("/var/log")

    @property
    def withdrawn(self) -> Path:
        """Sites that took their consent back; it only ever grows, and goes with all else."""
        return self.lib / "withdrawn.json"

    @property
    def stopped(self) -> Path:
        """A stop that could not be recorded where `armed.json` lies; while it exists nothing is put up."""
        return self.etc / "stopped"

    @property
    def installed(self) -> Path:
        """Every file and folder that stage made."""
        return self.lib / "installed.json"

    @property
    def hooks(self) -> Path:
        """Foreign files that carry our one line."""
        return self.lib / "hooks.json"

    @property
    def boundaries(self) -> Path:
        """Which starts and ends were already looked at."""
        return self.lib / "boundaries.json"

    @property
    def checkpoint(self) -> Path:
        """The unfinished transaction, if there is one."""
        return self.lib / "checkpoint" / "steps.json"

    @property
    def journal(self) -> Path:
        """One JSON record per line."""
        return self.lib / "journal.jsonl"

    @property
    def moved_away(self) -> Path:
        """Where an escalation puts our own server configuration."""
        return self.lib / "moved-away"

    @property
    def agent(self) -> Path:
        """The installed agent."""
        return self.at("/usr/local/sbin/piquet-host")

    @property
    def timer_stamp(self) -> Path:
        """What systemd remembers of our timer (Persistent=true)."""
        return self.at("/var/lib/systemd/timers/stamp-piquet-reconcile.timer")

    @property
    def systemd(self) -> Path:
        """There only where systemd is process 1."""
        return self.at("/run/systemd/system")

    @property
    def boot_id(self) -> Path:
        """The kernel's name for this boot."""
        return self.at("/proc/sys/kernel/random/boot_id")

    @property
    def meminfo(self) -> Path:
        """How much memory the machine has."""
        return self.at("/proc/meminfo")

    @property
    def machine_ids(self) -> Tuple[Path, ...]:
        """What names this machine, the best first; a host without systemd may have only the last."""
        names = ("/etc/machine-id", "/var/lib/dbus/machine-id", "/sys/class/dmi/id/product_uuid")
        return tuple(self.at(name) for name in names)

    @property
    def os_release(self) -> Path:
        """The operating system's own description."""
        return self.at("/etc/os-release")

    @property
    def hook_include(self) -> str:
        """The glob that the hook line includes; it stays valid when nothing matches."""
        return f"{self.etc}/nginx/server/*.conf"
