# SPDX-License-Identifier: GPL-3.0-or-later
"""A real campaign over the corpus: the bundle of a server's kinds, its installation, and what each request must get.

The bundle is piquet's own, byte for byte; what an answer must be comes from piquet's table of answers. Which names are
selected is worked out here once more, by the words of the design and not by piquet's code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import repeat
from types import MappingProxyType

from piquet import answers
from piquet.bundle import File, build_bundles, pages_folder
from piquet.campaign.model import Campaign, Doors, Limits, Mode, Phase, Selection
from piquet.fleet.model import ServerFacts, Variant
from piquet.host.servers.apache import (
    hosts as apache_hosts,
)
from piquet.host.servers.apache import (
    owners as apache_owners,
)
from piquet.host.servers.apache import (
    text as apache_text,
)
from piquet.host.servers.apache import (
    tree as apache_tree,
)
from piquet.host.servers.nginx import hook_line
from piquet.host.servers.nginx import server as nginx
from piquet.host.servers.nginx.config import Configuration
from piquet.pages.source import PageSource
from piquet.plan import Entry, HostPlan, Plan
from piquet.protocol.http import ASSET_PREFIX, SIGN_HEADER, TARGETED
from piquet.protocol.modules import HEADERS_MORE
from piquet.servers.apache.facts import ApacheFacts
from piquet.servers.view import campaign_view
from tests.server_facts import made_facts

from . import bannered
from .cases import Case
from .chroot import of_system, system
from .client import Response, Wire, parse
from .kinds import BASE_MODULES, Ask, Kind, Provider, modules
from .servers import Server

SECRET = "0123456789abcdef0123456789abcdef"
KEY = "fedcba9876543210fedcba9876543210"
CAMPAIGN = "greve-2026-12-17"
WWW = pages_folder(KEY, CAMPAIGN)
LANGUAGES = ("fr", "en", "es")
DEFAULT_WINDOW = (datetime(2026, 12, 16, 23, tzinfo=UTC), datetime(2026, 12, 17, 23, tzinfo=UTC))
OCCUPIED = ("/", "/files/one.txt", "/deep/er/missing", "/robots.txt", "/api/x")
"""Paths that the occupying campaign lists: two of them are doors, which stay open."""
_DIGEST = "d" * 64
_REFUSED = answers.Answer("refused")
"""Apache answers 404 to an encoded slash before any rule is asked. Source: AllowEncodedSlashes, default Off.

Any server may answer 304 or 412 where it would send 200 and a condition is asked that no browser asks of a page:
`If-None-Match: *`, `If-Match`, `If-Unmodified-Since`. Source: RFC 9110, 13.1."""
_CONDITIONS = frozenset({"if-none-match", "if-match", "if-unmodified-since"})
_WWW = f"{WWW}/"

Mutation = Callable[[str, bytes], bytes]
"""Path and bytes of a rendered file → the bytes to install instead."""


_LIFETIMES = re.compile(
    rf"(?im)^(?:{'|'.join(('Cache-Control', 'Expires', *TARGETED))}):[^\r\n]*\r\n".encode()
)
"""Headers by which caches are told what to keep."""


@dataclass(frozen=True)
class Picket:
    """One campaign with one or more block phases on one server.

    Attributes:
        kinds: of the server, selected or not.
        campaign: all that was decided.
        files: the bundle, as the agent would write it: the plan digest filled in.
        keys: flag names of the selected entries.
        hooked: whether `hook` puts the line in; a planted fault leaves it out.
    """

    kinds: tuple[Kind, ...]
    campaign: Campaign
    files: Mapping[str, File]
    keys: tuple[str, ...]
    hooked: bool = True
    contents: Mapping[str, bytes] = field(default_factory=dict)
    fragments: Mapping[tuple[int, str], str] = field(default_factory=dict)
    variant: Variant = "include"

    @property
    def before_ms(self) -> int:
        """The last millisecond before the first start."""
        return ms(self.campaign.phases[0].start_at) - 1

    @property
    def inside_ms(self) -> int:
        """The first instant of the first window."""
        return ms(self.campaign.phases[0].start_at)

    @property
    def after_ms(self) -> int:
        """The first instant behind the last window."""
        return ms(self.campaign.phases[-1].end_at)

    def phase_at(self, at_ms: int) -> Phase | None:
        """The phase whose `[start, end)` holds an instant."""
        return next((p for p in self.campaign.phases if ms(p.start_at) <= at_ms < ms(p.end_at)), None)

    def hook(self, server: Server) -> None:
        """Put the line into the owners' server blocks by the agent's own function; only that variant needs it."""
        if self.variant == "include" and self.hooked:
            for path in server.vhost_files():
                path.write_bytes(hook_line.insert_hook(path.read_bytes(), "http"))

    def stage(self, server: Server) -> None:
        """Install the bundle at its production paths.

        Raises:
            AssertionError: the server refuses the configuration.
        """
        for path, content in self.contents.items():
            server.chroot.write(path, content, int(self.files[path].mode, 8))
        assert server.test() == ""

    def withdraw(self, server: Server) -> None:
        """Take the bundle and the line away again."""
        server.drop_flags()
        server.remove(tuple(self.contents))
        if server.provider == "nginx":
            for path in server.vhost_files():
                path.write_bytes(hook_line.remove_hook(path.read_bytes()))

    def is_selected(self, host: str) -> bool:
        """Whether a host name is a selected site: exact names first, then the longest wildcard above it."""
        known = {name for kind in self.kinds for name in names_of(kind)}
        selected = {name for kind in self.kinds for name in kind.sites}
        above = ["*." + host.split(".", n)[n] for n in range(1, host.count(".") + 1)]
        found = next((name for name in (host, *above) if name in known), None)
        return found in selected

    def expected(self, way: Ask, case: Case, at_ms: int) -> answers.Answer | None:
        """The row of the table for a request at an instant; None where the table has none."""
        if not self.is_selected(way.host):
            return answers.USUAL
        if case.meaning is None:
            return None
        headers = {name.lower(): value for name, value in case.headers}
        request = answers.SiteRequest(case.method, case.meaning, way.host, headers, way.source(case.source))
        if (
            self.variant == "include"
            and self.campaign.phases[0].mode == "occupy"
            and _CONDITIONS & headers.keys()
        ):
            return _REFUSED
        phase = self.phase_at(at_ms)
        files = (path.removeprefix(_WWW) for path in self.contents)
        assets = answers.asset_names(files, phase.number) if phase else ()
        answer = answers.expect(self.campaign, phase, request, SECRET, assets)
        if self.variant == "rules" and "%2f" in case.meaning.partition("?")[0].lower():
            return replace(
                _REFUSED, is_apart=answer.is_apart
            )  # by itself, or with the owner's error document
        return answer

    def is_usual(self, way: Ask, case: Case) -> bool:
        """Whether the site itself must answer inside the window, with or without a banner."""
        answer = self.expected(way, case, self.inside_ms)
        return answer is not None and answer.kind in ("usual", "banner")

    def deviation(
        self, way: Ask, case: Case, got: Wire, unhooked: Wire, usual: Wire | None, at_ms: int | None = None
    ) -> tuple[str, bytes, bytes] | None:
        """What is wrong with an answer, as (reason, expected, got); None if nothing is.

        Args:
            way: scheme and host asked.
            case: what was asked.
            got: what came.
            unhooked: what the server without us answered.
            usual: what it answered when asked only what the table calls usual, for limits and caches.
            at_ms: the instant, by default the middle of the window.
        """
        answer = self.expected(way, case, self.inside_ms if at_ms is None else at_ms)
        if answer is not None and answer.kind == "usual":
            site = usual or unhooked
            if answer.is_apart or case.method == "TRACE":  # refused unread; its error page is fetched by GET
                return self._apart_deviation(way, got, site)
            return None if got == site else ("usual, but not identical", site.received, got.received)
        response = parse(got.received)
        if answer is None or answer.kind == "refused":
            is_ours = b"\r\nx-piquet: " in got.received.lower() or b" data-piquet=" in got.received
            if is_ours or got == unhooked:
                return None
            if answer is not None and answer.is_apart:
                return self._apart_deviation(way, got, usual or unhooked)
            if self.campaign.phases[0].mode == "banner":
                return self.banner_deviation(answers.Answer("banner", language=LANGUAGES[0]), got, unhooked)
            return "neither ours nor as usual", unhooked.received, got.received
        if answer.kind == "banner":
            return self.banner_deviation(answer, got, usual or unhooked)
        if response is None:
            return f"{answer.kind}: no answer ({got.ended})", b"", got.received
        wrong = self._wrong(answer, case, response)
        return (
            (f"{answer.kind}: {'; '.join(wrong)}", str(answer.status).encode(), got.received)
            if wrong
            else None
        )

    def _apart_deviation(self, way: Ask, got: Wire, site: Wire) -> tuple[str, bytes, bytes] | None:
        """What is wrong with the site's own answer that few may see: it says that nobody may keep it, and that is all.

        nginx leaves an owner's own `add_header` in its place; Apache says nothing of what it could not read.
        """
        if b"\r\nX-Cache: " in site.received and b"no-store" in got.received:
            return (
                None  # the site's own cache keeps it no more than another, and so has something else to say
            )
        if _LIFETIMES.sub(b"", got.received) != _LIFETIMES.sub(b"", site.received) or got.ended != site.ended:
            return "apart, but not identical", site.received, got.received
        response = parse(got.received)
        stored = ", ".join(response.values("cache-control")) if response else "no-store"
        is_free = self.kinds[0].provider == "nginx" or (response is not None and response.status != 200)
        if "no-store" in stored or is_free:
            return None
        return "apart, and a cache may keep it", b"no-store", got.received

    def banner_deviation(
        self, answer: answers.Answer, got: Wire, unhooked: Wire
    ) -> tuple[str, bytes, bytes] | None:
        """What is wrong with a page in a banner's window: nothing if it has exactly one, or is as without us."""
        if got == unhooked:
            return None
        fragment = self.fragments[1, answer.language].encode()
        was, now = (bannered.last_answer(wire.received) for wire in (unhooked, got))
        reasons = [] if was == now else bannered.wrong(parse(was), parse(now), fragment)
        return ("banner: " + "; ".join(reasons), unhooked.received, got.received) if reasons else None

    def is_missed(self, way: Ask, case: Case, got: Wire, unhooked: Wire) -> bool:
        """Whether a page could carry the banner, and does not."""
        answer, usual = self.expected(way, case, self.inside_ms), parse(unhooked.received)
        may = answer is not None and answer.kind == "banner" and usual is not None
        now = parse(got.received)
        return bool(may and usual and now and now.body == usual.body and bannered.could_carry(usual))

    def _wrong(self, answer: answers.Answer, case: Case, response: Response) -> list[str]:
        wrong = [] if response.status == answer.status else [f"status {response.status}"]
        for name, value in answer.headers.items():
            if response.values(name.lower()) != [value]:
                wrong.append(f"{name} {response.values(name.lower())}")
        wrong += [f"{name} is there" for name in answer.absent if response.values(name.lower())]
        places = {"bypass": "/", "to-usual": (case.meaning or "").partition("?")[0]}
        if answer.kind in places and not _leads_to(response.values("location"), places[answer.kind]):
            wrong.append(f"Location {response.values('location')}")
        body = self._body(answer, case)
        if body is not None and response.body != (b"" if case.method == "HEAD" else body):
            wrong.append(f"body of {len(response.body)} bytes instead of {len(body)}")
        length = response.values("content-length")
        if length and body is not None and length != [str(len(body))]:
            wrong.append(f"Content-Length {length}")
        return wrong

    def _body(self, answer: answers.Answer, case: Case) -> bytes | None:
        number = answer.headers[SIGN_HEADER].split("/")[1]
        if answer.kind == "front":
            return self.contents[f"{_WWW}front/{number}/{answer.language}.html"]
        if answer.kind in ("page", "json"):
            return self.contents[
                f"{_WWW}page/{number}/{answer.language}.{'html' if answer.kind == 'page' else 'problem'}"
            ]
        if answer.kind == "about":
            return self.contents[f"{_WWW}asset/{number}/piquet.json"]
        if answer.kind == "asset":
            path = (case.meaning or "").partition("?")[0]
            return self.contents[f"{_WWW}asset/{number}/{path.removeprefix(ASSET_PREFIX)}"]
        return None


def picket(
    server: Server,
    *windows: tuple[datetime, datetime],
    mutation: Mutation | None = None,
    hooked: bool = True,
    known: ServerFacts | None = None,
    paths: tuple[str, ...] = ("/api/",),
    networks: tuple[str, ...] = ("127.0.0.9/32",),
    mode: Mode = "block",
    modes: tuple[Mode, ...] = (),
    variant: Variant | None = None,
    shares: Mapping[str, tuple[int, ...]] = MappingProxyType({}),
    health_paths: tuple[str, ...] = (),
) -> Picket:
    """A campaign over a server's kinds: a phase per window (start, end), `/api/` and a network open, a bypass.

    Args:
        server: with its kinds.
        windows: by default one day.
        mutation: a fault to plant into the bundle.
        hooked: whether the line is put in.
        known: what a survey said of the server, where one was made.
        paths: doors.
        networks: doors.
        mode: of every phase.
        modes: of each phase, where they differ.
        shares: site → phases that it takes part in, by default all.
        variant: by which way the server shows the strike, by default as its facts say.
        health_paths: doors of this host alone.
    """
    has = facts(server) if known is None else known
    has = _with_modules(replace(has, variant=variant or has.variant))
    spans = windows or (DEFAULT_WINDOW,)
    phases = tuple(
        Phase(n, of, start, end, page="pages/greve", paths=OCCUPIED if of == "occupy" else ())
        for n, ((start, end), of) in enumerate(zip(spans, modes or repeat(mode), strict=False), 1)
    )
    campaign = Campaign(
        name=CAMPAIGN,
        timezone="Europe/Paris",
        languages=LANGUAGES,
        contact="https://example.org/greve",
        phases=phases,
        sites=Selection(("*",), (), {}),
        doors=Doors(paths, networks, True),
        limits=Limits(timedelta(days=8), 100),
        mandate=None,
    )
    sites = sorted({name for kind in server.kinds for name in kind.sites})
    entries = tuple(
        Entry(name, key(name), shares.get(name, tuple(p.number for p in phases)), server.provider, None)
        for name in sites
    )
    names = tuple(sorted({name for kind in server.kinds for name in names_of(kind)}))
    host = HostPlan("corpus", "127.0.0.1", (has,), entries, names, health_paths=health_paths)
    plan = Plan(campaign, (host,), ())
    pages = [
        PageSource(
            p.number, name, f"pages/greve/{name}.md", "markdown", f"# Grève · {name}\n\nPhase {p.number}.\n"
        )
        for p in phases
        for name in LANGUAGES
    ]
    (bundle,) = build_bundles(plan, pages, SECRET, KEY)
    files = {file.path: file for file in bundle.files if file.kind == "file"}
    contents = {
        path: file.content.replace(b"@PIQUET_PLAN_DIGEST@", _DIGEST.encode()) for path, file in files.items()
    }
    if mutation:
        contents = {path: mutation(path, content) for path, content in contents.items()}
    keys = tuple(entry.key for entry in entries)
    fragments = campaign_view(campaign, SECRET, pages, WWW).fragments
    return Picket(server.kinds, campaign, files, keys, hooked, contents, fragments, has.variant)


def _with_modules(known: ServerFacts) -> ServerFacts:
    """The facts with the modules of Apache that lie beside the loaded ones, where Debian has them."""
    if not isinstance(known, ApacheFacts) or known.loadable:
        return known
    paths = {name: f"/usr/lib/apache2/modules/mod_{name}.so" for name in ("filter", "lua", "substitute")}
    there = {f"{name}_module": path for name, path in paths.items() if f"{name}_module" not in known.modules}
    return replace(known, loadable=there)


def _leads_to(locations: list[str], path: str) -> bool:
    """Whether the one Location is this path, with or without scheme and host."""
    bare = [re.sub(r"^https?://[^/]*", "", location) for location in locations]
    return bare == [path]


def own_addresses(files: Mapping[str, File]) -> tuple[str, ...]:
    """Addresses that must belong to the site: each page and asset by its own name, by its place and by a whole path."""
    web = [path.removeprefix(_WWW) for path in sorted(files) if path.startswith(_WWW)]
    places = [path for path in sorted(files) if path.startswith(("/etc/piquet/", _WWW + "page/1/fr"))]
    return (
        *(f"/{name}" for name in web),
        *(f"/piquet:{name}" for name in web if name.startswith("asset")),
        *places,
        "/etc/piquet/manifest.json",
        f"/.well-known/piquet/bypass/{SECRET}",
    )


def names_of(kind: Kind) -> tuple[str, ...]:
    """Names that a kind's vhosts have, as a survey would find them; the default server has none worth the name."""
    if kind.name == "00-default":
        return ()
    return kind.sites or tuple(way.host for way in kind.asks)


def key(name: str) -> str:
    """A name's flag: itself, `_.` in front of a wildcard's rest."""
    return "_" + name[1:] if name.startswith("*.") else name


def facts(server: Server) -> ServerFacts:
    """What a survey would say of the server."""
    is_nginx = server.provider == "nginx"
    has_rules = not is_nginx and apache_hosts.has_server_rules(apache_tree.parse_tree(server.tree()))
    plain = plain_facts(server.provider, server.kinds, server_rules=has_rules)
    is_there = is_nginx and "headers_more" in server.read_text("/etc/nginx/nginx.conf")
    return replace(plain, modules=plain.modules | {HEADERS_MORE}) if is_there else plain


def plain_facts(provider: Provider, kinds: tuple[Kind, ...], *, server_rules: bool = False) -> ServerFacts:
    """The same, of a server that is not there."""
    is_nginx = provider == "nginx"
    names = _nginx_modules() if is_nginx else {f"{name}_module" for name in (*BASE_MODULES, *modules(kinds))}
    if is_nginx:
        limits = {
            n for kind in kinds for n in re.findall("^ *(limit_req|limit_conn) ", kind.text, re.MULTILINE)
        }
        return made_facts(provider, frozenset(names), _nginx_version(), inherited=frozenset(limits))
    return made_facts(
        provider,
        frozenset(names),
        "0",
        server_rules=server_rules,
        substitutes=_users_of(kinds, apache_owners.substitutes),
        recached=_users_of(kinds, apache_owners.says_lifetime, is_behind=True),
        retyped=_users_of(kinds, apache_owners.retypes),
        lua_version=_lua_version(),
        has_own_lua=any(re.search("^ *<?Lua", kind.text, re.MULTILINE) for kind in kinds),
    )


def _users_of(
    kinds: tuple[Kind, ...], judge: apache_owners.Judge, *, is_behind: bool = False
) -> frozenset[str]:
    """Names of the kinds of Apache whose text has a statement of some sort, if asked for one that wins over ours."""
    texts = {kind: kind.text for kind in kinds if kind.provider == "apache"}
    found = {kind for kind, text in texts.items() if any(map(judge, _read_alone(text, is_behind)))}
    return frozenset(name for kind in found for name in names_of(kind))


def _read_alone(text: str, is_behind: bool) -> Iterator[apache_tree.Read]:
    root = apache_text.read_texts("/kind.conf", lambda _: text, lambda _: [])
    return apache_owners.behind(root, None, None) if is_behind else apache_tree.walk(root)


def _nginx_version() -> str:
    """Of the nginx that chroots have, as a survey reads it."""
    said = of_system("/usr/sbin/nginx", "-v")
    return said.rpartition("/")[2].split()[0]


@cache
def _lua_version() -> str:
    """That the chroots' mod_lua is linked with."""
    (module,) = (system() / "usr/lib/apache2/modules").glob("mod_lua.so")
    (version,) = set(re.findall(rb"\bliblua([0-9.]+)\.so", module.read_bytes()))
    return str(version, "ascii")


def _nginx_modules() -> set[str]:
    said = of_system("/usr/sbin/nginx", "-V")
    return nginx.modules(said, Configuration())


def ms(instant: datetime) -> int:
    """Milliseconds since the epoch, as `Chroot.set_clock` wants them."""
    return round(instant.timestamp() * 1000)
