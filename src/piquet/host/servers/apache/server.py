# SPDX-License-Identifier: GPL-3.0-or-later
"""Apache 2.4 as a provider: test, graceful reload, and a survey. No virtual host is ever touched.

What the configuration means is asked of the server: it tells its tree once (`tree`), and every question of the
survey is answered from that. Only which files are read and loaded is looked up in texts (`apache_text`).
"""

from __future__ import annotations

import glob
import re
import socket
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from piquet.host.servers.apache import (
    hosts as apache_hosts,
)
from piquet.host.servers.apache import (
    owners as apache_owners,
)
from piquet.host.servers.apache import (
    passes as apache_passes,
)
from piquet.host.servers.apache import (
    text as apache_text,
)
from piquet.host.servers.apache import (
    tree as apache_tree,
)
from piquet.host.servers.apache.hosts import ApacheHost, names_of
from piquet.host.servers.apache.owners import Place
from piquet.host.servers.apache.packages import APACHE_DROPINS, APACHE_PACKAGES, APACHE_PIDS
from piquet.host.servers.apache.staged_names import names_that_are_not_left_out
from piquet.host.servers.apache.tree import Read, Statement, TreeError
from piquet.host.servers.web_server import Survey, WebServer
from piquet.host.state.manifest import StagedEntry
from piquet.host.system import commands, files, processes
from piquet.host.system.commands import Result
from piquet.host.system.paths import Paths
from piquet.host.system.platforms import Platform
from piquet.protocol.findings import Finding
from piquet.protocol.lease import Span
from piquet.protocol.places import CODE_DIR, DROPIN, ETC

_USEFUL = ("filter", "lua", "substitute")
"""Modules that the answers of more than a block need."""
_PROGRAMS = ("apache", "httpd")
_CARRIED = ("-D", "-d", "-f")
"""Options of the running server that decide what it reads."""
_WITH_VALUE = (*_CARRIED, "-C", "-c", "-E", "-e", "-k")
_STRICT = re.compile(r"\btx\.(?:blocking_)?paranoia_level=['\"]?[2-9]", re.I)
"""From this level on the core rule set takes a 503 for a fault of the application. Source: its rule 950100."""
_LUA_LIBRARY = re.compile(rb"\bliblua-?([0-9]+\.[0-9]+)\.so")

_DECIDE, _LUA, _LOAD = "20-decide.conf", "20-lua.conf", "10-load.conf"
_CODE = re.compile(rf'^LuaQuickHandler "({re.escape(CODE_DIR)}/[0-9a-f]{{64}}\.lua)"', re.M)


class Told(NamedTuple):
    """What the server says of itself besides its tree.

    Attributes:
        modules: that are loaded, in their order.
        files: that it reads, the main file first.
    """

    modules: Tuple[str, ...]
    files: Tuple[str, ...]


class Apache(WebServer):
    """The Apache of this machine."""

    name, title = "apache", "Apache"
    dropin = DROPIN
    programs = ("apache2", "httpd")
    packages = APACHE_PACKAGES
    test_in_words = "apachectl -t"
    vhosts_in_words = ("vhosts", "virtual hosts")
    answers_first = "rules, modules and <Location> sections"
    several_in_words = ", or makes an instance of it (Debian's setup-instance, /etc/apache2-SUFFIX)"
    access_logs: Tuple[str, ...] = ("var/log/apache2/*access*.log", "var/log/httpd/*access*log")
    dropin_sign = b"\n# Take it all out again: piquet-host remove\n"

    def __init__(self, platform: Platform, paths: Paths) -> None:
        """Nothing is read yet."""
        super().__init__(platform, paths)
        self._pid_file: Optional[Path] = None
        self._forget_all()

    def _forget_all(self) -> None:
        self._answers: Dict[str, Result] = {}
        self._texts: Dict[str, str] = {}
        self._tree: Optional[Statement] = None
        self._untold = ""
        self._carried_options: Optional[List[str]] = None

    def is_present(self) -> bool:
        """Whether it is installed with a configuration that exists."""
        return commands.is_program(self.packaged.command) and self._main_conf().is_file()

    def forget(self) -> None:
        """Files have changed."""
        super().forget()
        self._forget_all()

    def ask(self, *options: str) -> str:
        """What the server prints for some options; asked once until `forget`."""
        key = " ".join(options)
        if key not in self._answers:
            self._answers[key] = commands.execute([*self.packaged.command, *options])
        return self._answers[key].output

    def name_faults(
        self,
        texts: Sequence[str],
        entries: Sequence[StagedEntry],
        windows: Mapping[int, Span],
        spared: Sequence[str],
    ) -> Optional[List[Tuple[str, str]]]:
        """See `WebServer`."""
        return names_that_are_not_left_out(texts, entries, windows, spared)

    def master(self) -> Optional[processes.Process]:
        """The process that its pid file names; the server is not asked for it while nothing of that name runs."""
        if not any(program in name for name in processes.names() for program in _PROGRAMS):
            return None
        pid_file = _matched_text(r'PidFile: "(.*)"', self.ask("-t", "-D", "DUMP_RUN_CFG"))
        names = [p for p in [pid_file, *self._fallback_pid_files()] if p]
        for name, program in ((n, program) for n in names for program in _PROGRAMS):
            if found := processes.from_pid_file(Path(name), program):
                self._pid_file = Path(name)
                return found
        return None

    def loaded_age_s(self) -> Optional[float]:
        """By the pid file, which is written at each start and each graceful restart."""
        master = self.master()
        try:
            return time.time() - self._pid_file.stat().st_mtime if master and self._pid_file else None
        except OSError:
            return None

    def reads(self) -> List[Path]:
        """As the server itself tells them, with the folders that they lie in but its own."""
        read = [Path(name) for name in self.told().files]
        own = self._main_conf().parent
        folders = {path.parent for path in read if path.parent != own and path.parent.name != "piquet"}
        return [*read, *sorted(folders)]

    def carried(self) -> List[str]:
        """Options by which the running server reads what it reads, but for those that our own command has."""
        if self._carried_options is None:
            master = self.master()
            words = _carried_options(processes.arguments(master.pid)) if master else ()
            self._carried_options = [
                w for option, value in words if option not in self.packaged.command for w in (option, value)
            ]
        return self._carried_options

    def told(self) -> Told:
        """Modules and files, by one question."""
        text = self.ask(*self.carried(), "-t", "-D", "DUMP_MODULES", "-D", "DUMP_INCLUDES")
        files = re.findall(r"^\s*\([*\d]+\) (/.*)$", text, re.MULTILINE)
        modules = re.findall(r"^ (\w+_module) \(", text, re.MULTILINE)
        return Told(tuple(modules), tuple(dict.fromkeys(files)) or (str(self._main_conf()),))

    def tree(self) -> Statement:
        """The configuration as the server understood it, or as far as its texts tell it; read once until `forget`."""
        if self._tree is None:
            try:
                self._tree, self._untold = apache_tree.parse_tree(self._dump()), ""
            except TreeError as error:
                self._tree = apache_text.read_texts(self.told().files[0], self._text, self._follow)
                self._untold = str(error)
        return self._tree

    def _dump(self) -> str:
        """What the server tells of its configuration; mod_info does, which is loaded for this one process only.

        Raises:
            TreeError: it tells nothing.
        """
        told = self.told()
        loads: List[str] = []
        if "info_module" not in told.modules:
            path = next((p for p in self._module_files("info") if p.is_file()), None)
            if path is None:
                raise TreeError("mod_info.so lies beside none of its modules")
            loads = ["-c", f'LoadModule info_module "{path}"']
        asked = [*self.packaged.command, *self.carried(), "-t", "-D", "DUMP_CONFIG", *loads]
        result = commands.execute(asked, with_errors=False)
        if not result.ok:
            raise TreeError("its configuration does not pass its own test")
        return result.output

    def survey(self) -> Optional[Survey]:
        """Everything of the survey's `apache` part."""
        if not self.is_present():
            return None
        tested, root, told = self.test(), self.tree(), self.told()
        folder, includer = self._dropin(told.files)
        owners = [f for f in told.files if f"{ETC}/" not in f and f != f"{folder}/{DROPIN}"]
        loading = apache_text.loading(map(self._text, owners))
        modules = self._owners_modules(told, loading)
        is_mapped = "IPv4-mapped addresses enabled" in self.ask("-V")
        hosts = apache_hosts.hosts(root, told.files[0], "ssl_module" in modules, _resolve, is_mapped)
        reads = list(apache_tree.walk(root))
        document: Dict[str, Any] = {
            "version": _matched_text(r"Server version: Apache/(\S+)", self.ask("-V")),
            "modules": modules,
            "running": self.is_running(),
            "test": {"ok": tested.ok, "output": tested.output[-4000:]},
            "told": not self._untold,
            "dropin_dir": folder,
            "use_canonical_name": _says(reads, "usecanonicalname", "on", "dns"),
            "quick_handler_cache": _is_quick_cache(reads, hosts),
            "trace": any(host.value("traceenable") != "off" for host in hosts),
            "own_rules_first": names_of(hosts, apache_hosts.with_own_rules_first),
            "server_rules": apache_hosts.has_server_rules(root),
            "lua": {
                "usable": "lua_module" in modules,
                "own": _speaks_lua(reads),
                "version": self._lua_version(),
            },
            "loadable": self._loadable(modules),
            "headers_first": _is_before(told.modules, "headers_module", "dir_module"),
            "conditional": list(loading.awaited),
            "https_first": apache_hosts.redirected_to_https(root, hosts),
            "filtered": apache_owners.users(reads, _is_filtering, hosts),
            "filtered_strictly": any(_STRICT.search(read.row.args) for read in reads),
            "encoded_slashes": _that_take_slashes(hosts),
            **_users(root, reads, hosts, folder, includer),
            "vhosts": [{**host.record(), **apache_passes.passes_record(host)} for host in hosts],
        }
        caches = ("mod_cache",) if any(read.row.name == "cacheenable" for read in reads) else ()
        return Survey(document, tuple(_unread_findings(self.name, hosts, self._untold)), caches)

    idle_code = b"function piquet_answer(r)\n  return apache2.DECLINED\nend\n"

    def code_file(self) -> Optional[Path]:
        """As our own configuration has it, where mod_lua runs no code that stands in that."""
        try:
            named = _CODE.search(self._included_file(_LUA).read_text("utf-8", "replace"))
        except OSError:
            return None
        return self.paths.at(named.group(1)) if named else None

    def drop_code(self) -> None:
        """Without this file nothing of ours asks for Lua."""
        files.remove(self._included_file(_LUA))

    def readiness(self) -> List[Finding]:
        """Rules that have come to the server level since the survey: with ours, virtual hosts inherit them."""
        try:
            ours = self._included_file(_DECIDE).read_bytes()
        except OSError:
            return []
        if b"InheritDownBefore" not in ours or not apache_hosts.has_server_rules(self.tree()):
            return []
        message = (
            "Rewrite rules have come to the server level since the survey; with ours, sites take them over."
        )
        hint = "survey again, then plan and stage: ours are then left to the server level"
        return [Finding("error", "server-level-rules", self.name, message, hint=hint)]

    def _owners_modules(self, told: Told, loading: apache_text.Loading) -> List[str]:
        """The modules that are loaded, without those that only our own file loads."""
        ours = apache_text.loading([self._text(str(self._included_file(_LOAD)))]).modules
        return sorted(set(told.modules) - (set(dict(ours)) - set(dict(loading.modules))))

    def _loadable(self, modules: List[str]) -> Dict[str, str]:
        """Modules of use to us that are not loaded, though their file lies beside those that are."""
        names = [name for name in _USEFUL if f"{name}_module" not in modules]
        found = {name: next((p for p in self._module_files(name) if p.is_file()), None) for name in names}
        return {f"{name}_module": str(path) for name, path in sorted(found.items()) if path}

    def _lua_version(self) -> str:
        """The Lua that the server's own mod_lua is linked with, as `5.3`; "" if there is none, or it does not tell.

        Source: the name of the library in the module's file: `liblua5.4.so.0` on Debian, `liblua-5.4.so` on Fedora.
        """
        path = next((p for p in self._module_files("lua") if p.is_file()), None)
        try:
            found = _LUA_LIBRARY.search(path.read_bytes()) if path else None
        except OSError:
            return ""
        return found.group(1).decode("ascii") if found else ""

    def _module_files(self, name: str) -> Iterator[Path]:
        """Where a module of the server's own may lie: in the folders that others are loaded from."""
        for file in self.told().files:
            for _, path in apache_text.loading([self._text(file)]).modules:
                yield (self._root() / path).parent / f"mod_{name}.so"

    def _included_file(self, name: str) -> Path:
        """One of the files that our drop-in includes."""
        return self.paths.at(f"{ETC}/{self.name}/{name}")

    def _test(self) -> Result:
        return commands.execute([*self.packaged.test, *self.carried()])

    def _reload(self) -> Result:
        return commands.execute(self.packaged.reload)

    def _judge_age(self, are_new: Sequence[bool]) -> bool:
        """Old workers finish their requests for as long as these take: one new worker is enough."""
        return any(are_new)

    def _fallback_pid_files(self) -> List[str]:
        """Where to look while the configuration is too broken to say it."""
        if "-f" in self.packaged.command:
            rows = (
                apache_text.read_texts(str(self._main_conf()), self._text, lambda _: [])
                .level()
                .get("pidfile", [])
            )
            return [row.words[0] for row in rows if row.words]
        return [self.packaged.pid, *APACHE_PIDS]

    def _main_conf(self) -> Path:
        command = self.packaged.command
        if "-f" in command:
            return Path(command[command.index("-f") + 1])
        text = self.ask("-V")
        root = _matched_text(r'HTTPD_ROOT="(.*)"', text) or "/"
        return Path(root) / (_matched_text(r'SERVER_CONFIG_FILE="(.*)"', text) or self.packaged.conf)

    def _root(self) -> Path:
        """ServerRoot, to which relative names refer."""
        text = self.ask("-t", "-D", "DUMP_RUN_CFG")
        return Path(_matched_text(r'ServerRoot: "(.*)"', text) or str(self._main_conf().parent))

    def _text(self, name: str) -> str:
        """The text of a file, read once until `forget`; none of one that cannot be read."""
        if name not in self._texts:
            try:
                self._texts[name] = Path(name).read_text("utf-8", "replace")
            except OSError:
                self._texts[name] = ""
        return self._texts[name]

    def _follow(self, pattern: str) -> List[str]:
        """Files that an Include names; a folder stands for all files in it."""
        path = self._root() / pattern
        pattern = f"{path}/*" if path.is_dir() else str(path)
        names = sorted(glob.glob(pattern))  # noqa: PTH207 - the pattern may be absolute
        return [name for name in names if Path(name).is_file()]

    def _dropin(self, files: Sequence[str]) -> Tuple[Optional[str], Optional[Place]]:
        """The folder of an `IncludeOptional …/*.conf` that has a name which people know, and where that line is.

        A folder with files of which the server reads none is not included after all: some condition is not met.
        """
        for row in apache_text.server_includes(files[0], self._text, self._follow):
            pattern = row.words[0]
            folder = (self._root() / pattern).parent
            if not pattern.endswith("*.conf") or folder.name not in APACHE_DROPINS or not folder.is_dir():
                continue
            there = self._follow(str(folder / "*.conf"))
            if not there or set(there) & set(files) or not self.test().ok:
                return str(folder), (row.file, row.line)
        return None, None


def _carried_options(words: List[str]) -> Iterator[Tuple[str, str]]:
    """Those options that decide what is read, with their values, attached or not."""
    left = iter(words)
    for word in left:
        option = word[:2]
        value = word[2:] or (next(left, "") if option in _WITH_VALUE else "")
        if option in _CARRIED and value:
            yield option, value


def _resolve(name: str) -> List[str]:
    """Addresses of a name in the place of one, as the server looks it up; none if nobody knows it."""
    try:
        return sorted({str(found[4][0]) for found in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)})
    except (OSError, UnicodeError):
        return []


def _users(
    root: Statement,
    reads: List[Read],
    hosts: List[ApacheHost],
    folder: Optional[str],
    includer: Optional[Place],
) -> Dict[str, List[str]]:
    """Sort of statement → names of the virtual hosts that have some; `*` where one stands outside of them."""
    late = apache_owners.behind(root, folder, includer)
    caches = any(read.row.name == "cacheenable" for read in reads)
    return {
        "substitutes": apache_owners.users(reads, apache_owners.substitutes, hosts),
        "recached": apache_owners.users(late, apache_owners.says_lifetime, hosts),
        "retyped": apache_owners.users(reads, apache_owners.retypes, hosts),
        "stores_no_store": apache_owners.users(reads if caches else [], apache_owners.stores_no_store, hosts),
    }


def _that_take_slashes(hosts: List[ApacheHost]) -> List[str]:
    """Names of which every virtual host takes an encoded slash in a path; each says so itself, none takes it over."""
    refused = names_of(
        hosts, lambda host: _last_argument(host.own.get("allowencodedslashes", [])) not in ("on", "nodecode")
    )
    return sorted(set(names_of(hosts, lambda _: True)) - set(refused))


def _last_argument(rows: List[Statement]) -> str:
    return rows[-1].first if rows else ""


def _is_filtering(read: Read) -> bool:
    """Whether mod_security2 judges answers there."""
    return read.row.name == "secruleengine" and read.row.first == "on"


def _speaks_lua(reads: List[Read]) -> bool:
    """Whether a statement is one of mod_lua's, or names its handler."""
    return any(read.row.name.startswith("lua") or "lua-script" in read.row.args for read in reads)


def _is_quick_cache(reads: List[Read], hosts: List[ApacheHost]) -> bool:
    """Whether a virtual host caches in the quick handler, by its own statements or by those of the server level."""
    said: Dict[Optional[int], Dict[str, str]] = {None: {}}
    for read in reads:
        if read.row.name in ("cacheenable", "cachequickhandler"):
            said.setdefault(id(read.vhost) if read.vhost else None, {})[read.row.name] = read.row.first
    merged = [{**said[None], **said.get(id(host.row), {})} for host in hosts]
    return any("cacheenable" in one and one.get("cachequickhandler") != "off" for one in merged)


def _unread_findings(name: str, hosts: List[ApacheHost], untold: str) -> Iterator[Finding]:
    """What could not be read: the tree itself, if `untold` says why, and names that no campaign can select."""
    if untold:
        message = (
            "The server did not tell its configuration; what its texts say may lack names that macros make."
        )
        hint = "its own test must pass, and mod_info.so lie beside its other modules; it need not be loaded"
        yield Finding("warning", "configuration-untold", name, message, "DUMP_CONFIG", untold, hint)
    for host in hosts:
        file, line = host.row.place
        for strange in host.strange:
            message = "A name that no campaign can select."
            yield Finding("info", "name-not-selectable", f"{file}:{line}", message, got=strange)


def _is_before(modules: Sequence[str], first: str, second: str) -> bool:
    """Whether a module was loaded before another: hooks of the same rank run in this order."""
    return first in modules and second in modules and modules.index(first) < modules.index(second)


def _says(reads: List[Read], name: str, *values: str) -> bool:
    """Whether a statement has one of the values anywhere: what one virtual host says is not undone by the next."""
    return any(read.row.name == name and read.row.first in values for read in reads)


def _matched_text(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    return match.group(1) if match else ""
