# SPDX-License-Identifier: GPL-3.0-or-later
"""Apache 2.4 as a provider: test, graceful reload, and a survey. No virtual host is ever touched."""

from __future__ import annotations

import glob
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

from piquet.host import apache_config, apache_owners, commands, processes
from piquet.host.apache_config import Statement, Vhost
from piquet.host.apache_owners import DROPIN
from piquet.host.commands import Result
from piquet.host.findings import Finding
from piquet.host.paths import Paths
from piquet.host.platforms import APACHE_DROPINS, APACHE_PIDS, Platform
from piquet.host.servers import Server, Survey

NEEDED_MODULES = ("alias_module", "headers_module")
_USEFUL = ("filter", "lua", "substitute")
"""Modules that the answers of more than a block need."""
_PROGRAMS = ("apache", "httpd")

_BARRING = {
    "substitutes": ("own-substitute", "mod_substitute is used by a site itself and would act twice."),
    "recached": (
        "own-lifetime",
        "An <If> within others of a site itself says how long pages are kept, after our no-store.",
    ),
    "retyped": (
        "own-type",
        "A Header of a site itself makes another type of a page, after the banner is in it.",
    ),
    "stores_no_store": ("own-store", "mod_cache stores for a site what it is asked not to store."),
}
"""Part of the survey → the finding for the virtual hosts that it names."""

_DECIDE = "/etc/piquet/apache/20-decide.conf"
_LOAD = "/etc/piquet/apache/10-load.conf"


class Apache(Server):
    """The Apache of this machine."""

    name = "apache"

    def __init__(self, platform: Platform, paths: Paths) -> None:
        """Nothing is read yet."""
        super().__init__()
        self.platform = platform
        self.paths = paths
        self._answers: Dict[str, Result] = {}

    def is_present(self) -> bool:
        """Whether it is installed with a configuration that exists."""
        return commands.exists(self.platform.apache) and self._main_conf().is_file()

    def forget(self) -> None:
        """Files have changed."""
        super().forget()
        self._answers.clear()

    def ask(self, *options: str) -> str:
        """What the server prints for some options; asked once until `forget`."""
        key = " ".join(options)
        if key not in self._answers:
            self._answers[key] = commands.run([*self.platform.apache, *options])
        return self._answers[key].output

    def master(self) -> Optional[processes.Process]:
        """The process that its pid file names; the server is not asked for it while nothing of that name runs."""
        if not any(program in name for name in processes.names() for program in _PROGRAMS):
            return None
        pid_file = _quoted(r'PidFile: "(.*)"', self.ask("-t", "-D", "DUMP_RUN_CFG"))
        names = [p for p in [pid_file, *self._fallback_pid_files()] if p]
        found = (processes.from_pid_file(Path(p), program) for p in names for program in _PROGRAMS)
        return next((master for master in found if master), None)

    def survey(self) -> Optional[Survey]:
        """Everything of the survey's `apache` part."""
        if not self.is_present():
            return None
        tested, rows = self.test(), self._global_statements()
        owners = self._owners_statements()
        modules = self._owners_modules(owners)
        vhosts, others = self._vhosts(rows, modules)
        document: Dict[str, Any] = {
            "version": _quoted(r"Server version: Apache/(\S+)", self.ask("-v")),
            "modules": modules,
            "running": self.is_running(),
            "test": {"ok": tested.ok, "output": tested.output[-4000:]},
            "dropin_dir": self._dropin_folder(rows),
            "use_canonical_name": _says(rows, "usecanonicalname", "on", "dns"),
            "quick_handler_cache": _is_quick_cache(rows, modules),
            "trace": not _has(rows, "traceenable") or _says(rows, "traceenable", "on", "extended"),
            "ignores_inherited_rules": self._ignores_inherited_rules(vhosts),
            "server_rules": self._has_server_rules(),
            "lua": {"usable": "lua_module" in modules, "own": apache_config.speaks_lua(owners)},
            "loadable": self._loadable(rows, modules),
            "headers_first": self._is_before("headers_module", "dir_module"),
            "conditional": apache_config.awaited_modules(owners),
            **self._users(rows, modules, vhosts),
            "vhosts": vhosts,
        }
        caches = ("mod_cache",) if "cache_module" in modules and _has(rows, "cacheenable") else ()
        return Survey(document, tuple(_findings(document, others)), caches)

    def _ignores_inherited_rules(self, vhosts: List[Dict[str, Any]]) -> bool:
        """Whether a file of virtual hosts refuses the rules of the server level."""
        rows = (
            row for file in {v["file"] for v in vhosts} for row in apache_config.statements(self._text(file))
        )
        return any(
            row.name == "rewriteoptions" and "ignoreinherit" in {word.lower() for word in row.words}
            for row in rows
        )

    def hands_down_rules_of_others(self) -> bool:
        """Whether rules have come to the server level since the survey: with ours, virtual hosts inherit them."""
        try:
            ours = self.paths.at(_DECIDE).read_bytes()
        except OSError:
            return False
        return b"InheritDownBefore" in ours and self._has_server_rules()

    def _has_server_rules(self) -> bool:
        """Whether rewrite rules of others stand at server level."""
        return apache_config.has_server_rules(self.ask("-t", "-D", "DUMP_INCLUDES"), self._text)

    def _owners_modules(self, owners: List[Statement]) -> List[str]:
        """The modules that are loaded, without those that only our own file loads."""
        loaded = set(re.findall(r"^ (\w+_module) \(", self.ask("-M"), re.MULTILINE))
        ours = apache_config.loaded_modules(apache_config.statements(self._text(str(self.paths.at(_LOAD)))))
        return sorted(loaded - (set(ours) - set(apache_config.loaded_modules(owners))))

    def _is_before(self, first: str, second: str) -> bool:
        """Whether a module was loaded before another: hooks of the same rank run in this order."""
        loaded = re.findall(r"^ (\w+_module) \(", self.ask("-M"), re.MULTILINE)
        return first in loaded and second in loaded and loaded.index(first) < loaded.index(second)

    def _users(
        self, rows: List[Statement], modules: List[str], vhosts: List[Dict[str, Any]]
    ) -> Dict[str, List[str]]:
        """Sort of statement → names of the virtual hosts that have some; `*` where one stands outside of them."""
        reads = list(apache_owners.read_in_order(self.ask("-t", "-D", "DUMP_INCLUDES"), self._text))
        late = apache_owners.behind(reads, str(self._root()), self._dropin_folder(rows))
        caches = "cache_module" in modules and _has(rows, "cacheenable")
        return {
            "substitutes": apache_owners.users(reads, apache_owners.substitutes, vhosts),
            "recached": apache_owners.users(late, apache_owners.says_lifetime, vhosts),
            "retyped": apache_owners.users(reads, apache_owners.retypes, vhosts),
            "stores_no_store": apache_owners.users(
                reads if caches else [], apache_owners.stores_no_store, vhosts
            ),
        }

    def _loadable(self, rows: List[Statement], modules: List[str]) -> Dict[str, str]:
        """Modules of use to us that are not loaded, though their file lies beside those that are."""
        loads = (row.words[1] for row in rows if row.name == "loadmodule" and len(row.words) > 1)
        folders = sorted({str((self._root() / path).parent) for path in loads})
        names = [name for name in _USEFUL if f"{name}_module" not in modules]
        found = {name: Path(folder) / f"mod_{name}.so" for folder in reversed(folders) for name in names}
        return {f"{name}_module": str(path) for name, path in sorted(found.items()) if path.is_file()}

    def _test(self) -> Result:
        return commands.run(self.platform.apache_test)

    def _reload(self) -> Result:
        return commands.run(self.platform.apache_reload)

    def _judge_age(self, are_new: Sequence[bool]) -> bool:
        """Old workers finish their requests for as long as these take: one new worker is enough."""
        return any(are_new)

    def _fallback_pid_files(self) -> List[str]:
        """Where to look while the configuration is too broken to say it."""
        if "-f" in self.platform.apache:
            rows = apache_config.statements(self._text(str(self._main_conf())))
            return [row.words[0] for row in rows if row.name == "pidfile" and row.words]
        return [self.platform.apache_pid, *APACHE_PIDS]

    def _main_conf(self) -> Path:
        command = self.platform.apache
        if "-f" in command:
            return Path(command[command.index("-f") + 1])
        text = self.ask("-V")
        root = _quoted(r'HTTPD_ROOT="(.*)"', text) or "/"
        return Path(root) / (_quoted(r'SERVER_CONFIG_FILE="(.*)"', text) or self.platform.apache_conf)

    def _root(self) -> Path:
        """ServerRoot, to which relative names refer."""
        text = self.ask("-t", "-D", "DUMP_RUN_CFG")
        return Path(_quoted(r'ServerRoot: "(.*)"', text) or str(self._main_conf().parent))

    def _text(self, name: str) -> str:
        try:
            return Path(name).read_text("utf-8", "replace")
        except OSError:
            return ""

    def _follow(self, pattern: str) -> List[str]:
        """Texts that an Include names; a folder stands for all files in it."""
        path = self._root() / pattern
        pattern = f"{path}/*" if path.is_dir() else str(path)
        names = sorted(glob.glob(pattern))  # noqa: PTH207 - the pattern may be absolute
        return [self._text(name) for name in names if Path(name).is_file()]

    def _global_statements(self) -> List[Statement]:
        """Every statement of every file that the server says it read."""
        names = apache_config.included_files(self.ask("-t", "-D", "DUMP_INCLUDES")) or [
            str(self._main_conf())
        ]
        return [row for name in dict.fromkeys(names) for row in apache_config.statements(self._text(name))]

    def _owners_statements(self) -> List[Statement]:
        """The same without our own files."""
        names = apache_config.included_files(self.ask("-t", "-D", "DUMP_INCLUDES"))
        owners = [n for n in dict.fromkeys(names) if "/etc/piquet/" not in n and Path(n).name != DROPIN]
        return [row for name in owners for row in apache_config.statements(self._text(name))]

    def _dropin_folder(self, rows: List[Statement]) -> Optional[str]:
        """The folder of an `IncludeOptional …/*.conf` of the main file that has a name which people know."""
        patterns = [row.words[0] for row in rows if row.name in ("include", "includeoptional") and row.words]
        for pattern in patterns:
            folder = (self._root() / pattern).parent
            if pattern.endswith("*.conf") and folder.name in APACHE_DROPINS and folder.is_dir():
                return str(folder)
        return None

    def _vhosts(
        self, rows: List[Statement], modules: List[str]
    ) -> Tuple[List[Dict[str, Any]], List[Tuple[str, str]]]:
        """The virtual hosts, and names that no campaign can select with their place."""
        protocols = apache_config.listen_protocols(rows)
        records, others = [], []
        for vhost in self._known_vhosts(rows, protocols):
            self._complete(vhost, protocols, "ssl_module" in modules)
            names, strange = apache_config.split_names(vhost.names)
            others += [(f"{vhost.file}:{vhost.line}", name) for name in strange]
            records.append(_record(vhost, names))
        return records, others

    def _known_vhosts(self, rows: List[Statement], protocols: Dict[int, str]) -> List[Vhost]:
        """As the server prints them; a server without any is its own main host."""
        found = apache_config.parse_vhosts(self.ask("-t", "-D", "DUMP_VHOSTS"))
        names = [row.words[0].lower() for row in rows if row.name == "servername" and row.words]
        if not found and names:
            main = re.sub(r":\d+$", "", names[0])
            found = [Vhost("0.0.0.0", p, str(self._main_conf()), 1, [main], True) for p in protocols]  # noqa: S104
        expanded = []
        for vhost in found:
            ports = [vhost.port] if vhost.port else sorted(protocols)
            expanded += [replace(vhost, port=port, names=list(vhost.names)) for port in ports]
        return expanded

    def _complete(self, vhost: Vhost, protocols: Dict[int, str], has_ssl: bool) -> None:
        """Add from the text what the server does not print."""
        section = apache_config.section_at(self._text(vhost.file), vhost.line, self._follow)
        written = apache_config.names_in(section)
        if written and not any(row.name == "servername" for row in section):
            vhost.names = vhost.names[1:]
        elif not written and section:
            vhost.names = []
        vhost.names += [name for name in written if "${" not in name]
        engine = apache_config.ssl_engine(section)
        vhost.tls = engine if engine is not None else has_ssl and protocols.get(vhost.port) == "https"


def _record(vhost: Vhost, names: List[str]) -> Dict[str, Any]:
    """A virtual host as the survey writes it."""
    listen = {"address": vhost.address, "port": vhost.port, "tls": vhost.tls, "default": vhost.is_default}
    return {"file": vhost.file, "line": vhost.line, "names": names, "listens": [listen]}


def _findings(document: Dict[str, Any], others: List[Tuple[str, str]]) -> List[Finding]:
    """What stands in the way."""
    found = []
    if document["dropin_dir"] is None:
        message = "The main configuration includes no folder of *.conf files in which ours could lie."
        found.append(
            Finding("error", "no-dropin-folder", "apache", message, "IncludeOptional conf-enabled/*.conf")
        )
    for name in NEEDED_MODULES:  # under a broken configuration Apache names no module at all
        if document["test"]["ok"] and name not in document["modules"]:
            hint = "we load no module ourselves: that would wake other people's <IfModule> sections"
            found.append(
                Finding("error", "module-missing", "apache", f"Apache runs without {name}.", hint=hint)
            )
    if document["use_canonical_name"]:
        message = "UseCanonicalName On: an alias follows the flag of its vhost's ServerName."
        found.append(Finding("warning", "use-canonical-name", "apache", message))
    if document["quick_handler_cache"]:
        message = "mod_cache answers before anything else: what it holds is shown during a block."
        found.append(Finding("warning", "quick-handler-cache", "apache", message, "CacheQuickHandler off"))
    if document["trace"]:
        message = "TraceEnable On: the echo of a TRACE request shows a header of ours."
        found.append(Finding("warning", "trace-enabled", "apache", message, "TraceEnable Off", "On"))
    if document["ignores_inherited_rules"]:
        message = "RewriteOptions IgnoreInherit: own rules of that vhost that answer ([R], [G], [F]) win over a block."
        found.append(Finding("warning", "ignore-inherit", "apache", message))
    if document["server_rules"]:
        message = "Rewrite rules stand outside of every virtual host; with ours, virtual hosts would inherit them too."
        hint = "move them into the virtual host that they are for; until then own rules that answer win over a block"
        found.append(Finding("warning", "server-level-rules", "apache", message, hint=hint))
    found += [
        Finding(
            "warning",
            code,
            "apache",
            f"{message} No banner is shown there.",
            got=", ".join(document[part]),
            hint="its owner can take it out for as long as the banner is on; a block needs no change",
        )
        for part, (code, message) in _BARRING.items()
        if document[part]
    ]
    found += [
        Finding("info", "name-not-selectable", place, "A name that no campaign can select.", got=name)
        for place, name in others
    ]
    return found


def _is_quick_cache(rows: List[Statement], modules: List[str]) -> bool:
    """Whether a virtual host caches in the quick handler, by its own statements or by those of the server level."""
    server: Dict[str, str] = {}
    hosts: List[Dict[str, str]] = []
    here = server
    for row in rows:
        if row.name == "<virtualhost":
            here = {}
            hosts.append(here)
        elif row.name == "</virtualhost>":
            here = server
        elif row.name in ("cacheenable", "cachequickhandler") and row.words:
            here[row.name] = row.words[0].lower()
    merged = [{**server, **host} for host in hosts or [server]]
    is_on = any("cacheenable" in said and said.get("cachequickhandler") != "off" for said in merged)
    return "cache_module" in modules and is_on


def _has(rows: List[Statement], name: str) -> bool:
    return any(row.name == name for row in rows)


def _says(rows: List[Statement], name: str, *values: str) -> bool:
    """Whether a statement has one of the values anywhere: what one virtual host says is not undone by the next."""
    return any(row.name == name and row.words and row.words[0].lower() in values for row in rows)


def _quoted(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    return match.group(1) if match else ""
