# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong on one host on the night: the classes, and `CATALOGUE`, the list that is dealt out over a fleet."""

from __future__ import annotations

import os
import re
import signal
import time

from piquet.host.servers.nginx import hook_line
from piquet.protocol.places import END_IT_NOW
from testbed import Fleet, reload_server
from testbed.host import Host
from tests import drive
from tests.drive import Drill
from tests.e2e.clock_faults import ClockBack, ClockForward
from tests.e2e.fault import RECONCILE, SERVICE, EndsIt, Fault

MAIN_FILE = {"nginx": "/etc/nginx/nginx.conf", "apache": "/etc/apache2/apache2.conf"}
TEST = {"nginx": "nginx -t", "apache": "apache2ctl configtest"}
SITE_FILE = {
    "nginx": "/etc/nginx/sites-available/static.conf",
    "apache": "/etc/apache2/sites-available/static.conf",
}
SITE = "static.corpus.example"
DROP_IN = {"nginx": "/etc/nginx/conf.d", "apache": "/etc/apache2/conf-enabled"}
UPGRADE = {
    "nginx": "cp -p /usr/sbin/nginx /usr/sbin/nginx.new && mv /usr/sbin/nginx.new /usr/sbin/nginx && "
    "old=$(cat /run/nginx.pid) && kill -USR2 $old && sleep 1 && kill -QUIT $old && "
    "sleep 1 && test $(cat /run/nginx.pid) != $old",
    "apache": "cp -p /usr/sbin/apache2 /usr/sbin/apache2.new && mv /usr/sbin/apache2.new /usr/sbin/apache2 && "
    "systemctl restart apache2",
}
RESTART_S = 3.0
"""As long as a server may need to come back when its owner restarts it."""


class PowerCutBefore(Fault):
    """The plug is pulled and put back between arm and start: the start is on time."""

    says = "power cut between arm and start"

    def before(self, host: Host, drill: Drill) -> None:
        """Cut and boot."""
        host.power_cut()
        host.boot()
        self.back_at = time.time()

    def missed_s(self, drill: Drill) -> float:
        """Nothing, unless this machine boots slowly."""
        return max(0.5, self.back_at - drill.start_at)


class PowerCutInside(Fault):
    """The plug is pulled and put back inside the window: the picket comes back with the host, until the end."""

    says = "power cut inside the window"

    def inside(self, host: Host, drill: Drill) -> None:
        """Cut and boot."""
        host.power_cut()
        host.boot()
        self.back_at = time.time()
        assert self.back_at < drill.end_at - 2, "booted too late to show anything"

    def after(self, host: Host, drill: Drill) -> None:
        """The boot, not the operator, put the flags back."""
        assert "boot" in host.run("cat /var/lib/piquet/journal.jsonl").stdout

    def missed_s(self, drill: Drill) -> float:
        """As long as the host was down."""
        return self.back_at - drill.start_at


class PowerCutAcrossEnd(Fault):
    """The host is without power at the end and comes back afterwards: as usual, at once."""

    says = "no power across the end"

    def inside(self, host: Host, drill: Drill) -> None:
        """Cut, wait for the end, boot."""
        host.power_cut()
        self.cut_at = time.time()
        drive.sleep_until(drill.end_at + 0.5)
        host.boot()

    def missed_s(self, drill: Drill) -> float:
        """From the cut to the end."""
        return drill.end_at - self.cut_at + 1


class TimersDeleted(Fault):
    """Somebody deletes our units: the lease alone ends it."""

    says = "our units deleted"

    def inside(self, host: Host, drill: Drill) -> None:
        """Nothing of ours runs on this host any more."""
        host.run(
            "systemctl stop 'piquet-*.timer' 'piquet-*.service';"
            " find /etc/systemd -name 'piquet-*' -delete; systemctl daemon-reload"
        )
        assert "piquet" not in host.run("systemctl list-timers --all --no-legend", check=False).stdout


class UnitsHeld(Fault):
    """Systemd does not run our units, from before the start: start and end need none."""

    says = "systemd does not run our units"
    _hold = "/run/systemd/system/piquet-{unit}.service.d/hold.conf"

    def before(self, host: Host, drill: Drill) -> None:
        """A condition that never holds."""
        text = "[Unit]\nConditionPathExists=/nonexistent\n"
        host.write_files({self._hold.format(unit=unit): text for unit in ("reconcile", "boot")})
        host.run("systemctl daemon-reload")

    def inside(self, host: Host, drill: Drill) -> None:
        """One that ran already may have waited for the start; from now on there is none."""
        host.run("while systemctl -q is-active piquet-reconcile.service; do sleep 0.1; done")
        self.journal = host.run("cat /var/lib/piquet/journal.jsonl").stdout

    def after(self, host: Host, drill: Drill) -> None:
        """Really none has run; the flags still lie there, and nothing shows them."""
        assert self.journal == host.run("cat /var/lib/piquet/journal.jsonl").stdout
        assert host.run("test -e /run/piquet/live", check=False).returncode == 0

    def undo(self, host: Host, fleet: Fleet) -> None:
        """Let them run again; the next one takes the flags away."""
        host.run("rm -rf /run/systemd/system/piquet-*.service.d; systemctl daemon-reload")
        host.run(f"{RECONCILE} && test ! -e /run/piquet/live")


class SystemdHangs(Fault):
    """Process 1 of the host hangs, from inside the window until after the end."""

    says = "process 1 hangs across the end"
    pid = 0

    def inside(self, host: Host, drill: Drill) -> None:
        """Stop it; whatever it would do at the end, it does not."""
        self.pid = host.init_pid()
        os.kill(self.pid, signal.SIGSTOP)

    def undo(self, host: Host, fleet: Fleet) -> None:
        """Let it go on."""
        if self.pid:
            os.kill(self.pid, signal.SIGCONT)
            host.run("systemctl is-system-running --wait", check=False)


class ConfigurationBroken(Fault):
    """Somebody else breaks the server's configuration inside the window: no reload works, the end does."""

    says = "configuration broken by somebody else"
    good: bytes | None = None

    def inside(self, host: Host, drill: Drill) -> None:
        """One line of nonsense, as a hurried edit leaves it; a reload is tried and fails."""
        self.path = MAIN_FILE[host.provider]
        self.good = host.read_file(self.path)
        host.write_file(self.path, self.good + b"\nthis is no directive {\n")
        assert host.run(TEST[host.provider], check=False).returncode != 0

    def undo(self, host: Host, fleet: Fleet) -> None:
        """The line is still there: nobody took away what the owner wrote last."""
        if self.good is None:
            return
        assert host.read_file(self.path) == self.good + b"\nthis is no directive {\n"
        host.write_file(self.path, self.good)


class BrokenThenRolledBack(EndsIt, ConfigurationBroken):
    """With the configuration broken, an operator rolls back from the controller: normal at once."""

    says = "configuration broken, then rollback"
    verbs = 1

    def inside(self, host: Host, drill: Drill) -> None:
        """Break, then roll back this host only."""
        super().inside(host, drill)
        done = drill.verb("rollback", only=[host])
        self.at = time.time()
        assert host.name in done.stdout


class RolledBackWithoutNetwork(EndsIt):
    """The host has no network any more; somebody at its console rolls back: normal, and for good."""

    says = "rollback at the console, network down"
    _commands = (
        "ip link set host0 down; piquet-host rollback >/run/said 2>&1; echo $? >/run/status; "
        "sleep 3; ip link set host0 up; networkctl reconfigure host0"
    )

    def inside(self, host: Host, drill: Drill) -> None:
        """From the cut on nothing is reachable; three seconds after the rollback everything is again."""
        host.run(f"systemd-run --quiet --collect sh -c '{self._commands}'")
        self.at = time.time() + 1.5
        deadline = time.time() + 40
        while host.run("cat /run/status", check=False).stdout != "0\n":
            assert time.time() < deadline, host.run("cat /run/said", check=False).stdout
            time.sleep(0.5)
        assert "as usual" in host.run("cat /run/said").stdout


class VarReadOnly(Fault):
    """`/var` cannot be written any more at the end: as usual, and a boot brings nothing back."""

    says = "/var read-only at the end"

    def inside(self, host: Host, drill: Drill) -> None:
        """As a file system does after an error."""
        host.run("mount --bind /var /var && mount -o remount,bind,ro /var")
        assert host.run("touch /var/lib/piquet/x", check=False).returncode != 0

    def after(self, host: Host, drill: Drill) -> None:
        """The flags are gone all the same."""
        deadline = time.time() + 5
        while host.run("test -e /run/piquet/live", check=False).returncode == 0:
            assert time.time() < deadline, "the flags stay"
            time.sleep(0.2)
        assert host.run("test -e /var/lib/piquet/armed.json", check=False).returncode == 0

    def undo(self, host: Host, fleet: Fleet) -> None:
        """Writable again: the next look disarms."""
        host.run("while umount --lazy /var 2>/dev/null; do :; done; touch /var/lib/piquet-writable")
        host.run(f"rm /var/lib/piquet-writable; {RECONCILE}", check=False)
        assert host.run("test -e /var/lib/piquet/armed.json", check=False).returncode != 0


class RolledBackReadOnly(EndsIt):
    """`/var` cannot be written when somebody rolls back, but at the next boot: nothing comes back."""

    says = "rollback with /var read-only, then a reboot"

    def inside(self, host: Host, drill: Drill) -> None:
        """The armed state cannot be deleted, so the stop must be recorded elsewhere."""
        host.run("mount --bind /var /var && mount -o remount,bind,ro /var")
        host.run("piquet-host rollback", check=False)
        self.at = time.time()
        assert host.run("test -e /var/lib/piquet/armed.json", check=False).returncode == 0
        host.power_cut()
        host.boot()
        host.run("touch /var/lib/piquet-writable && rm /var/lib/piquet-writable")


class ServerRestarted(Fault):
    """The owner restarts the web server inside the window: on strike again as soon as it answers."""

    says = "web server restarted"

    def inside(self, host: Host, drill: Drill) -> None:
        """What people type."""
        host.run(f"systemctl restart {SERVICE[host.provider]}")

    def missed_s(self, drill: Drill) -> float:
        """As long as a restart takes."""
        return RESTART_S


class ServerUpgraded(Fault):
    """The web server's program is replaced inside the window, as a package upgrade does it on Debian."""

    says = "web server upgraded in place"

    def inside(self, host: Host, drill: Drill) -> None:
        """A new file under the same name; nginx hands its sockets over, Apache is restarted."""
        host.run(UPGRADE[host.provider])

    def undo(self, host: Host, fleet: Fleet) -> None:
        """Systemd's own process again."""
        host.run(f"systemctl restart {SERVICE[host.provider]}")

    def missed_s(self, drill: Drill) -> float:
        """As long as a restart takes."""
        return RESTART_S


class SiteFileEdited(Fault):
    """The owner edits a site's file inside the window and reloads: on strike, and the edit stays when we are gone."""

    says = "a hooked file edited by its owner"
    edit = b"# edited by its owner on the night\n"
    was: bytes | None = None

    def inside(self, host: Host, drill: Drill) -> None:
        """A line at its end."""
        self.was = host.read_file(SITE_FILE[host.provider])
        host.write_file(SITE_FILE[host.provider], self.was + self.edit)
        reload_server(host, host.provider)

    def undo(self, host: Host, fleet: Fleet) -> None:
        """Unhooking takes exactly our lines out; then the owner takes the edit back, and all is hooked again."""
        if self.was is None:
            return
        path = SITE_FILE[host.provider]
        drive.run_verb(fleet, "unhook", only=[host])
        assert host.read_file(path) == hook_line.remove_hook(self.was, hook_line.INCLUDE) + self.edit
        host.write_file(path, hook_line.remove_hook(self.was, hook_line.INCLUDE))
        reload_server(host, host.provider)
        rehook(host, fleet)


class SiteFileRewritten(EndsIt):
    """The owner's configuration management writes a site's file anew: that site is as usual, also hooked again."""

    servers = ("nginx",)
    says = "a vhost rewritten by configuration management, then hooked again"
    names = (SITE,)
    verbs = 3
    was: bytes | None = None

    def inside(self, host: Host, drill: Drill) -> None:
        """Our line is gone; status and verify name the site. Hooked again it was stopped, which status says."""
        self.was = host.read_file(SITE_FILE[host.provider])
        host.write_file(SITE_FILE[host.provider], hook_line.remove_hook(self.was, hook_line.INCLUDE))
        reload_server(host, host.provider)
        self.at = time.time()
        said = drill.verb("status", only=[host], check=False).stdout
        assert SITE_FILE[host.provider].rpartition("/")[2] in said, said
        run = drill.verb("verify", piquet_hosts=host.name, piquet_verify_ca=drill.fleet.ca_file, check=False)
        named = re.findall(r"^error: (\S+)", run.stdout, re.MULTILINE)
        assert {SITE} == set(named), run.stdout
        rehook(host, drill.fleet)
        assert hook_line.has_ours(host.read_file(SITE_FILE[host.provider]), hook_line.INCLUDE)
        assert host.run(f"test -e /run/piquet/live/{SITE}", check=False).returncode != 0
        run = drill.verb("status", only=[host], check=False)
        assert run.returncode != 0 and "so the site was stopped" in run.stdout, run.stdout

    def undo(self, host: Host, fleet: Fleet) -> None:
        """Hooked again for the next campaign."""
        if self.was is not None:
            rehook(host, fleet)


class DropInPurged(EndsIt):
    """Configuration management deletes what it does not know from the server's folder: as usual, and for good."""

    says = "our drop-in purged by configuration management"

    def inside(self, host: Host, drill: Drill) -> None:
        """Our drop-in goes, then a reload is tried, as such tools do."""
        folder = DROP_IN[host.provider]
        assert "piquet" in host.run(f"ls {folder}").stdout
        host.run(f"rm {folder}/*piquet*; systemctl reload {SERVICE[host.provider]}", check=False)
        deadline = time.time() + 10
        host.run(RECONCILE, check=False)
        while host.run("test -e /var/lib/piquet/armed.json", check=False).returncode == 0:
            assert time.time() < deadline, "still armed"
            time.sleep(0.2)
        host.run(TEST[host.provider])
        self.at = time.time()


class PrintedLineRemembered(EndsIt):
    """The printed line where nginx remembers flags for an hour: over with the first reconcile, asked, and then said."""

    servers = ("nginx",)
    says = "the printed line, with open_file_cache valid 1h"
    file = "/etc/nginx/conf.d/owners-cache.conf"

    def prepare(self, host: Host) -> None:
        """The owner's own choice, made before anything of ours is armed; its survey is older."""
        host.write_file(self.file, "open_file_cache max=1000;\nopen_file_cache_valid 1h;\n")
        reload_server(host, host.provider)

    def inside(self, host: Host, drill: Drill) -> None:
        """Nothing but the line and the schedule ends it, and nobody calls it usual before it is."""
        host.run(END_IT_NOW)
        host.run(RECONCILE)
        self.at = time.time()
        assert "release-confirmed" in host.run("cat /var/lib/piquet/journal.jsonl").stdout
        for verb in ("status", "rollback"):
            assert "asked and are as usual" in host.run(f"piquet-host {verb}").stdout

    def undo(self, host: Host, fleet: Fleet) -> None:
        """The owner's choice leaves with them."""
        host.run(f"rm -f {self.file}")
        reload_server(host, host.provider)


class StoppedByHand(EndsIt):
    """Somebody deletes flags: normal at once, still normal after three minutes and after a reboot."""

    hours_s = 600
    """The window of such a round; it would still be on strike at the end of the test."""

    def __init__(self, command: str, names: tuple[str, ...] = ()) -> None:
        """Take the shell command, and the only names that it stops (none: all)."""
        self.command, self.names, self.says = command, names, f"stopped by hand: {command}"

    def inside(self, host: Host, drill: Drill) -> None:
        """The documented one-line kinds of stop; each is on disk at once, in case a power cut follows."""
        host.run(self.command)
        self.at = time.time()
        noticed = "tail -n 3 /var/lib/piquet/journal.jsonl | grep -q stopped.by.hand"
        if (
            host.run("systemctl is-active piquet-watch.path", check=False).returncode == 0
        ):  # takes inotify instances
            host.run(f"for try in $(seq 30); do {noticed} && exit 0; sleep 0.1; done; exit 1")


PLACES = "/etc/piquet /var/lib/piquet /var/spool/piquet"
SAVE = (
    "rm -rf /root/saved && mkdir -p /root/saved/etc /root/saved/var/lib /root/saved/var/spool && "
    f"for place in {PLACES}; do cp -a $place /root/saved$place || exit 1; done"
)
RESTORE = (
    f"for place in {PLACES}; do rm -rf $place && cp -a /root/saved$place $place || exit 1; done; "
    "rm -r /root/saved"
)


class BackupRestored(EndsIt):
    """A backup of all of ours is restored after a rollback and a power cut: nothing starts, nor at the next boot."""

    says = "a backup restored after a rollback"
    stop = "piquet-host rollback"

    def before(self, host: Host, drill: Drill) -> None:
        """The nightly backup."""
        host.run(SAVE)

    def inside(self, host: Host, drill: Drill) -> None:
        """Stop, lose the power, restore, look, and boot once more."""
        host.run(self.stop)
        self.at = time.time()
        self.boot_again(host)
        host.run(RESTORE)
        host.run(RECONCILE)
        assert host.run("test -e /run/piquet/live", check=False).returncode != 0
        host.run("test ! -e /var/lib/piquet/armed.json && test ! -e /var/spool/piquet")
        host.reboot()
        assert host.run("test -e /run/piquet/live", check=False).returncode != 0

    def boot_again(self, host: Host) -> None:
        """How it goes down."""
        host.power_cut()
        host.boot()


class BackupRestoredAfterThePaper(BackupRestored):
    """The same after the printed line and an orderly reboot."""

    says = "a backup restored after the printed line"
    stop = END_IT_NOW

    def boot_again(self, host: Host) -> None:
        """As people do it."""
        host.reboot()


class AnothersState(EndsIt):
    """What an armed host has is copied to one that was stopped: nothing starts there."""

    says = "another host's armed state"
    files = ("/var/lib/piquet/armed.json", "/var/spool/piquet/armed")

    def before(self, host: Host, drill: Drill) -> None:
        """While every host is armed."""
        other = next(h for h in drill.fleet if h.name != host.name)
        self.state = {path: other.read_file(path) for path in self.files}

    def inside(self, host: Host, drill: Drill) -> None:
        """Rolled back, given the other's state, looked at, rebooted."""
        host.run("piquet-host rollback")
        self.at = time.time()
        host.run("install -d -m 700 /var/spool/piquet")
        for path, data in self.state.items():
            host.write_file(path, data)
            host.run(f"chmod 600 {path}")
        host.run(RECONCILE)
        assert host.run("test -e /run/piquet/live", check=False).returncode != 0
        host.reboot()
        assert host.run("test -e /run/piquet/live", check=False).returncode != 0


class UnitsStoppedThenReleased(EndsIt):
    """Somebody stops our units, deletes what shows the strike, and reboots later: it stays away."""

    says = "our units stopped, /run/piquet deleted, reboot"

    def inside(self, host: Host, drill: Drill) -> None:
        """What somebody types who does not trust us."""
        host.run("systemctl stop 'piquet-*'; rm -rf /run/piquet")
        self.at = time.time()
        host.reboot()
        assert host.run("test -e /run/piquet/live", check=False).returncode != 0
        assert host.run("test -e /var/lib/piquet/armed.json", check=False).returncode != 0


class RebootInside(Fault):
    """An orderly reboot inside the window, which stops our units too, is no stop: the picket comes back."""

    says = "an orderly reboot inside the window"

    def inside(self, host: Host, drill: Drill) -> None:
        """Down and up."""
        host.reboot()
        self.back_at = time.time()
        assert self.back_at < drill.end_at - 2, "booted too late to show anything"
        assert host.run("test -e /run/piquet/live", check=False).returncode == 0

    def missed_s(self, drill: Drill) -> float:
        """As long as the host was down."""
        return self.back_at - drill.start_at


CATALOGUE: tuple[type[Fault], ...] = (
    PowerCutBefore,
    PowerCutInside,
    PowerCutAcrossEnd,
    TimersDeleted,
    UnitsHeld,
    SystemdHangs,
    ConfigurationBroken,
    BrokenThenRolledBack,
    RolledBackWithoutNetwork,
    RolledBackReadOnly,
    VarReadOnly,
    ServerRestarted,
    ServerUpgraded,
    SiteFileEdited,
    SiteFileRewritten,
    DropInPurged,
    BackupRestored,
    BackupRestoredAfterThePaper,
    AnothersState,
    UnitsStoppedThenReleased,
    RebootInside,
    PrintedLineRemembered,
    ClockForward,
    ClockBack,
)
"""Every fault that needs no parameter."""


def rehook(host: Host, fleet: Fleet) -> None:
    """Survey and hook one host again."""
    drive.run_verb(fleet, "survey", only=[host])
    drive.run_verb(fleet, "hook", only=[host])
