# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx as a provider: test, reload, and a survey of its modules, names, hooks and what stands in our way."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Set, Tuple

from piquet.host.servers.hooked_server import HookedServer, NotHookableError
from piquet.host.servers.nginx import (
    config as nginx_config,
)
from piquet.host.servers.nginx import (
    flag_cache,
    hook_line,
)
from piquet.host.servers.nginx import (
    inherited as nginx_inherited,
)
from piquet.host.servers.nginx import (
    panels as nginx_panels,
)
from piquet.host.servers.nginx import (
    passes as nginx_passes,
)
from piquet.host.servers.nginx import (
    times as nginx_times,
)
from piquet.host.servers.nginx.config import Block, Configuration
from piquet.host.servers.nginx.inherited import Placed
from piquet.host.servers.nginx.packages import NGINX_PACKAGES
from piquet.host.servers.nginx.staged_names import names_that_differ
from piquet.host.servers.nginx.tokens import ConfigSyntaxError
from piquet.host.servers.web_server import Survey
from piquet.host.state.manifest import StagedEntry
from piquet.host.system import commands, files, processes
from piquet.host.system.commands import Result
from piquet.host.system.paths import Paths
from piquet.host.system.platforms import Platform
from piquet.protocol.findings import Finding
from piquet.protocol.lease import Span
from piquet.protocol.modules import EARLY_LUA, HEADERS_MORE
from piquet.protocol.places import FIRST_DROPIN

_DEFAULT_MODULES = (
    "access auth_basic autoindex browser charset empty_gif fastcgi geo grpc gzip limit_conn limit_req map memcached"
    " mirror proxy referer rewrite scgi split_clients ssi upstream_hash upstream_ip_hash upstream_keepalive"
    " upstream_least_conn upstream_random upstream_zone userid uwsgi"
)
"""By this module our own configuration may change what the visitor asked for."""

_MAP_HASH_DEFAULTS = (2048, 64)
"""What nginx settles on at an owner's first `map`; setting sizes after it would be a duplicate."""


class Nginx(HookedServer):
    """The nginx of this machine."""

    name = title = "nginx"
    dropin = FIRST_DROPIN
    programs = ("nginx", "openresty")
    lean_in_words = "; by Lua (piquet_nginx: lua) nothing of ours stands in each of them"
    packages = NGINX_PACKAGES
    test_in_words = "nginx -t"
    vhosts_in_words = ("blocks", "server blocks")
    answers_first = "what stands before the hook in its blocks"
    access_logs = ("var/log/nginx/*access*.log",)

    def __init__(self, platform: Platform, paths: Paths) -> None:
        """Nothing is read yet."""
        super().__init__(platform, paths)
        self._read: Optional[Configuration] = None
        self._known: nginx_config.Parsed = {}
        self._files: Optional[Dict[Path, List[Block]]] = None
        self._kept: Optional[Dict[Path, bool]] = None
        self._version: Optional[str] = None
        self._pid_file: Optional[Path] = None

    def is_present(self) -> bool:
        """Whether it is installed and has a configuration."""
        return commands.is_program(self.packaged.command) and self.conf.is_file()

    def version_text(self) -> str:
        """What `nginx -V` prints."""
        if self._version is None:
            self._version = commands.execute([self.packaged.command[0], "-V"]).output
        return self._version

    @property
    def conf(self) -> Path:
        """The main configuration file: `-c` of the platform's command, else compiled in."""
        command = self.packaged.command
        if "-c" in command:
            return Path(command[command.index("-c") + 1])
        return Path(_option(self.version_text(), "conf-path") or self.packaged.conf)

    def configuration(self) -> Configuration:
        """The files as they are; read once until `forget`."""
        if self._read is None:
            there, include = nginx_panels.panels_of(self.paths), self.paths.hook_include
            self._read = nginx_config.read_configuration(self.conf, include, there, self._known)
        return self._read

    def forget(self) -> None:
        """Files have changed."""
        super().forget()
        self._known = self._read.known() if self._read else self._known
        self._read = self._files = self._kept = None

    def blocks(self) -> Sequence[Block]:
        """Server blocks of http."""
        return self.configuration().blocks

    def flag_lag_s(self) -> int:
        """By the longest open_file_cache of all blocks."""
        configuration = self.configuration()
        return flag_cache.longest_s(configuration, _owners_at_http(configuration, self.paths))

    def with_hook(self, file: Path) -> bytes:
        """The line in every server block that has none; lines that something stands before are put first again."""
        blocks = self._blocks_of(file)
        is_late = any(block.is_late and not block.via for block in blocks)
        configuration, kept = self.configuration(), self._is_kept()
        text, context = configuration.files[file], configuration.contexts[file]
        elsewhere = {block.via for block in blocks if block.via and block.hooked == "owner"}
        elsewhere |= {block.place.glob for block in blocks if block.place and kept[block.place.file]}
        try:
            if is_late:
                return hook_line.insert_first(text, context, self.paths.hook_include, elsewhere)
            said = configuration.parsed[file]
            return hook_line.insert_hook(text, context, self.paths.hook_include, elsewhere, said)
        except (
            ConfigSyntaxError,
            hook_line.RemainsError,
        ) as error:  # it was read before: remains, most likely
            raise NotHookableError(str(error)) from error

    def own_files(self, file: Path) -> Dict[Path, Optional[bytes]]:
        """One line each, in the places of a panel."""
        line, kept = hook_line.line(self.paths.hook_include) + b"\n", self._is_kept()
        places = [block.place.file for block in self._blocks_of(file) if block.place]
        return {place: line if kept[place] else None for place in places}

    def is_own_file(self, path: Path) -> bool:
        """By its name."""
        return nginx_panels.is_own_name(path.name)

    def _blocks_of(self, file: Path) -> List[Block]:
        """Those that stand in a file; sorted by file once until `forget`."""
        if self._files is None:
            self._files = {}
            for block in self.blocks():
                self._files.setdefault(block.file, []).append(block)
        return self._files.get(file, [])

    def _is_kept(self) -> Dict[Path, bool]:
        """Whether our line can come from a panel's place, in every block that includes it; twice it cannot come in."""
        if self._kept is None:
            self._kept = self._look_for_places()
        return self._kept

    def _look_for_places(self) -> Dict[Path, bool]:
        found: Dict[Path, bool] = {}
        for block in self.blocks():
            if block.place:
                has_other = block.hooked is not None and block.via != block.place.glob
                is_good = block.place.file.parent.is_dir() and not (block.place.before or has_other)
                found[block.place.file] = found.get(block.place.file, True) and is_good
        return found

    def without_hook(self, text: bytes) -> bytes:
        """The text without our lines, also when it is broken or was edited."""
        return hook_line.remove_hook(text, self.paths.hook_include)

    def has_hook(self, text: bytes) -> bool:
        """Whether a line of ours is anywhere in it."""
        return hook_line.has_ours(text, self.paths.hook_include)

    def name_faults(
        self,
        texts: Sequence[str],
        entries: Sequence[StagedEntry],
        windows: Mapping[int, Span],
        spared: Sequence[str],
    ) -> Optional[List[Tuple[str, str]]]:
        """See `WebServer`."""
        return names_that_differ(texts, entries, spared)

    def master(self) -> Optional[processes.Process]:
        """The process that its pid file names."""
        if self._pid_file is None:
            self._pid_file = self._find_pid_file()
        return processes.from_pid_file(self._pid_file, "nginx")

    def loaded_age_s(self) -> Optional[float]:
        """By the oldest worker that accepts connections: they are all made anew at a reload."""
        master = self.master()
        workers = self._workers(master) if master else []
        return processes.uptime_s() - min(w.started_s for w in workers) if workers else None

    def reads(self) -> List[Path]:
        """By our own reader."""
        configuration = self.configuration()
        folders = [Path(pattern).parent for pattern in configuration.includes if "*" in pattern]
        entries = [
            entry for folder in folders if folder.is_dir() for entry in folder.iterdir() if entry.is_symlink()
        ]
        return [self.conf, *configuration.files, *folders, *entries]

    def _find_pid_file(self) -> Path:
        """From nginx.conf, also a broken one, else as compiled in; it stands in no included file."""
        try:
            text = self.conf.read_text("utf-8", "replace")
        except OSError:
            text = ""
        names: List[str] = re.findall(r"^[ \t]*pid\s+[\"']?([^\s;\"']+)[\"']?\s*;", text, re.MULTILINE)
        name = (names or [_option(self.version_text(), "pid-path") or self.packaged.pid])[-1]
        return Path(_option(self.version_text(), "prefix") or "/") / name

    def survey(self) -> Optional[Survey]:
        """Everything of the survey's `nginx` part."""
        if not self.is_present():
            return None
        configuration, tested = self.configuration(), self.test()
        document: Dict[str, Any] = {
            "version": _first(r"nginx version: \S+?/(\S+)", self.version_text()),
            "modules": sorted(modules(self.version_text(), configuration)),
            "running": self.is_running(),
            "test": {"ok": tested.ok, "output": tested.output[-4000:]},
            "conf": str(self.conf),
            "dropin_dir": dropin_folder(configuration),
            "http": http_facts(configuration, self.paths),
            "lua": {"usable": self._is_lua_usable(configuration)},
            "own": sorted(configuration.own | _own_at_http(configuration, self.paths)),
            "files": {
                str(file): self._owners_digest(configuration, file)
                for file in dict.fromkeys(block.file for block in configuration.blocks)
            },
            "inherited": [
                one.to_json() for one in self._inherited_directives(_owners_http(configuration, self.paths))
            ],
            "blocks": [*self._block_records(configuration)],
            "panels": [*_panels(nginx_panels.panels_of(self.paths), configuration.blocks)],
        }
        return Survey(
            document,
            (*configuration.findings, *_block_findings(configuration.blocks), *self._master_findings()),
            _own_caches(configuration),
        )

    def _master_findings(self) -> Iterator[Finding]:
        """Its master reads our files at each reload, and what only root needs only root may read."""
        master = self.master()
        user = processes.user_of(master.pid) if master else None
        if master and user:
            message = (
                "Its master does not run as root, so it cannot read our files: no reload would take them up."
            )
            hint = "have its owner start it as root (its workers run as `user` says); what is not held stays as it is"
            yield Finding(
                "error", "master-not-root", f"process {master.pid}", message, "root", f"uid {user}", hint
            )

    def _inherited_directives(
        self, directives: Iterable[Placed]
    ) -> Tuple[nginx_inherited.InheritedDirective, ...]:
        return nginx_inherited.inherited(directives, (self.paths.live, self.paths.rehearse))

    def _block_records(self, configuration: Configuration) -> Iterator[Dict[str, Any]]:
        """Every server block with what it hands down and where it passes requests on to."""
        http = [directive for _, directive in _owners_http(configuration, self.paths)]
        upstreams, believed = nginx_passes.upstreams(http), nginx_passes.believed(http)
        owners = _owners_at_http(configuration, self.paths)
        for block in configuration.blocks:
            own = [directive for _, directive in block.directives]
            yield {
                **block_record(block),
                "flag_lag_s": flag_cache.lag_s(block, owners),
                "inherited": [one.to_json() for one in self._inherited_directives(block.directives)],
                "passes": [one.to_json() for one in nginx_passes.passes(http, own, upstreams)],
                "realip": nginx_passes.believed(own) or believed,
            }

    def _is_lua_usable(self, configuration: Configuration) -> bool:
        """Whether a Lua module that knows `server_rewrite_by_lua` is loaded, or compiled in (OpenResty)."""
        prefix = Path(_option(self.version_text(), "prefix") or "/")
        names = [d.arguments[0] for d in configuration.main if d.name == "load_module" and d.arguments]
        carriers = [prefix / name for name in names if name.endswith("ngx_http_lua_module.so")]
        if re.search(r"--add-module=\S*lua", self.version_text()):
            carriers.append(Path(shutil.which(self.packaged.command[0]) or self.packaged.command[0]))
        return any(_holds(carrier, EARLY_LUA.encode()) for carrier in carriers)

    def _owners_digest(self, configuration: Configuration, file: Path) -> str:
        """Of a file without our line: what counts is what its owner wrote, hooked or not."""
        return files.sha256(self.without_hook(configuration.files[file]))

    def _test(self) -> Result:
        return commands.execute(self.packaged.test)

    def _reload(self) -> Result:
        return commands.execute(self.packaged.reload)

    def _workers(self, master: processes.Process) -> List[processes.Process]:
        return [p for p in super()._workers(master) if p.title.endswith("worker process")]


def modules(version_text: str, configuration: Configuration) -> Set[str]:
    """Modules that can be used: compiled in, or dynamic and loaded; names such as `http_ssl`."""
    found = {f"http_{name}" for name in _DEFAULT_MODULES.split()}
    found |= set(re.findall(r"--with-((?:http|stream|mail)_\w+?)_module(?=\s|$)", version_text))
    found -= set(re.findall(r"--without-((?:http|stream|mail)_\w+?)_module", version_text))
    found |= {HEADERS_MORE} if re.search(r"--add-module=\S*headers-more", version_text) else set()
    loaded = (d.arguments[0] for d in configuration.main if d.name == "load_module" and d.arguments)
    return found | {name for path in loaded for name in re.findall(r"ngx_(\w+?)_module\.so$", path)}


def _holds(file: Path, word: bytes) -> bool:
    """Whether a program or module knows a directive."""
    try:
        return word in file.read_bytes()
    except OSError:
        return False


def _owners_http(configuration: Configuration, paths: Paths) -> List[Placed]:
    """The owner's own directives of http, without the server blocks."""
    return [(path, directive) for path, directive in configuration.http if _is_owners(path, paths)]


def _own_at_http(configuration: Configuration, paths: Paths) -> Set[str]:
    """What the owner set at http level that decides what ours can do there."""
    found = (nginx_config.own_words(d, "http") for _, d in _owners_http(configuration, paths))
    return {word for words in found for word in words}


def _is_owners(path: Path, paths: Paths) -> bool:
    return path.name != FIRST_DROPIN and paths.etc.resolve() not in path.parents


def dropin_folder(configuration: Configuration) -> Optional[str]:
    """The folder of files that http includes as `…/conf.d/*.conf` (or `http.d`)."""
    for pattern in configuration.includes:
        folder, _, name = pattern.rpartition("/")
        if name in ("*.conf", "*") and folder.endswith((".d",)) and Path(folder).is_dir():
            return folder
    return None


def http_facts(configuration: Configuration, paths: Paths) -> Dict[str, Any]:
    """What the owner set at http level and we must not set again; our own files do not count."""
    owners = _owners_at_http(configuration, paths)

    def number(name: str) -> Optional[int]:
        words = owners.get(name)
        return int(words[0]) if words and words[0].isdigit() else None

    fixed = _MAP_HASH_DEFAULTS if "map" in owners else (None, None)
    return {
        "map_hash_max_size": number("map_hash_max_size") or fixed[0],
        "map_hash_bucket_size": number("map_hash_bucket_size") or fixed[1],
        "flag_lag_s": flag_cache.longest_s(configuration, owners),
        "timer_resolution_ms": timer_resolution_ms(configuration),
    }


def timer_resolution_ms(configuration: Configuration) -> Optional[int]:
    """For how long the server's clock stands still at most; None where it is looked at before every event.

    Source: nginx documentation, core module, `timer_resolution`; ngx_time_update is called at its ticks only.
    """
    said = [d.arguments for d in configuration.main if d.name == "timer_resolution" and d.arguments]
    return (nginx_times.milliseconds(said[-1][0]) or None) if said else None


def _owners_at_http(configuration: Configuration, paths: Paths) -> Dict[str, Tuple[str, ...]]:
    """Directives of the owner's at http level, by name."""
    return {d.name: d.arguments for _, d in _owners_http(configuration, paths)}


def block_record(block: Block) -> Dict[str, Any]:
    """A block as the survey writes it."""
    listens = [
        {
            "address": x.address,
            "port": x.port,
            "tls": x.tls,
            "default": x.is_default,
            "proxy_protocol": x.proxy_protocol,
        }
        for x in block.listens
    ]
    return {
        "file": str(block.file),
        "line": block.line,
        "offset": block.offset,
        "names": list(block.names),
        "listens": listens,
        "hooked": block.hooked,
        **({"quic": list(block.quic)} if block.quic else {}),
    }


def _panels(panels: Iterable[nginx_panels.Panel], blocks: Sequence[Block]) -> Iterator[Dict[str, Any]]:
    """Panels, with those of their blocks in which the line cannot come from their place, and what acts before it."""
    for panel in panels:
        written = {block.file for block in blocks if block.place and block.place.panel == panel}
        apart = [block for block in blocks if block.file in written and not block.kept_in]
        yield {
            **panel.to_json(),
            "apart": [
                {
                    "block": f"{block.file}:{block.line}",
                    "before": list(block.place.before) if block.place else [],
                }
                for block in apart
            ],
        }


def _block_findings(blocks: Iterable[Block]) -> Iterator[Finding]:
    """What stands in the way of a hook, serves nobody that can be chosen, or is out of verify's reach."""
    blocks = list(blocks)
    over_quic = sum(bool(block.quic) for block in blocks)
    if over_quic:
        message = "Server blocks answer over HTTP/3 (QUIC), too: they are held there as well, and verify does not ask."
        yield Finding("info", "http3", "nginx", message, got=f"{over_quic} of {len(blocks)} server blocks")
    for block in blocks:
        place = f"{block.file}:{block.line}"
        if block.before_hook:
            message = "The hook is not the first thing in its block: what stands before it wins."
            yield Finding("error", "hook-not-first", place, message, got=", ".join(block.before_hook))
        if block.others:
            message = "Names that no campaign can select are served here."
            yield Finding("info", "name-not-selectable", place, message, got=", ".join(block.others))
        if not block.listens:
            only = f"HTTP/3 at {', '.join(block.quic)}" if block.quic else ""
            yield Finding("info", "no-tcp-listen", place, "The block listens on no TCP address.", got=only)


def _own_caches(configuration: Configuration) -> Tuple[str, ...]:
    """Caches of nginx itself."""
    used = {d.name for _, d in configuration.http} | set(configuration.inner)
    return tuple(
        sorted(n for n in ("proxy_cache", "fastcgi_cache", "uwsgi_cache", "scgi_cache") if n in used)
    )


def _option(version_text: str, name: str) -> Optional[str]:
    return _first(rf"--{name}=(\S+)", version_text) or None


def _first(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    return match.group(1) if match else ""
