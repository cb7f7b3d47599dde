# SPDX-License-Identifier: GPL-3.0-or-later
"""Sites that a browser visits: the preview, and real nginx and Apache over HTTPS with a strict policy of their own.

All show the same sample site and the same campaign, so that one test holds for each of them.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Protocol

from piquet.bundle import build_bundles
from piquet.fleet.model import Variant
from piquet.load import LoadedCampaign, load_campaign
from piquet.plan import Entry, HostPlan, Plan
from piquet.preview.rendered_campaign import SECRET
from piquet.preview.sample import PATHS
from piquet.preview.server import PreviewServer, serving
from piquet.preview.view import PreviewMoment
from piquet.resources import templates
from piquet.servers.apache.facts import ApacheFacts
from tests.corpus.kinds import Ask, Kind, Provider, host_name
from tests.corpus.picket import KEY, Picket, facts, key, ms
from tests.corpus.servers import Server, plant
from tests.preview.campaigns import BAR, BLOCK, MODAL, OCCUPY

Policy = Literal["self", "none"]
"""The site's own `Content-Security-Policy: default-src '…'`."""

DOMAIN_RULES = "MAP *.corpus.example 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE *.localhost"
"""Names that a browser may look up; any other leads nowhere."""

_LOADABLE = {
    f"{name}_module": f"/usr/lib/apache2/modules/mod_{name}.so" for name in ("lua", "substitute", "filter")
}
_DIGEST = b"d" * 64
_NGINX = """# a journal that allows nothing but its own
server {{
    listen @HTTP@;
    listen @HTTPS@ ssl;
    server_name @NAME@;
    ssl_certificate @CERT@;
    ssl_certificate_key @KEY@;
    root @ROOT@;
    charset utf-8;
    add_header Content-Security-Policy "default-src '{policy}'" always;
    location = / {{ try_files /front.html =404; }}
    location = /article {{ default_type text/html; alias @ROOT@/article.html; }}
}}
"""
_APACHE_SITE = """<VirtualHost *:{port}>
    ServerName @NAME@
    DocumentRoot @ROOT@
    DirectoryIndex front.html
    AddDefaultCharset utf-8
    Alias /article @ROOT@/article.html
    {tls}
    Header always set Content-Security-Policy "default-src '{{policy}}'"
    <Directory @ROOT@>
        Require all granted
    </Directory>
</VirtualHost>
"""
_TLS = "SSLEngine on\n    SSLCertificateFile @CERT@\n    SSLCertificateKeyFile @KEY@"
_APACHE = (
    "# a journal that allows nothing but its own\n"
    + _APACHE_SITE.format(port="@HTTP@", tls="")
    + _APACHE_SITE.format(port="@HTTPS@", tls=_TLS)
)


@dataclass(frozen=True)
class Visit:
    """A visitor's way to a site: its origin without a slash at the end, and the language that the browser asks for."""

    origin: str
    language: str
    has_pictures: bool = True

    def url(self, path: str = "/") -> str:
        """An address of the site."""
        return self.origin + path


class Site(Protocol):
    """What tests need of a site."""

    @property
    def name(self) -> str:
        """For the names of tests and pictures."""

    @property
    def secret(self) -> str:
        """What opens it for a tester."""

    def visit(
        self, number: int, language: str = "fr", moment: PreviewMoment = "during", policy: Policy = "self"
    ) -> Visit:
        """The way to the site at a moment of a phase."""


@dataclass(frozen=True)
class Previewed:
    """The preview's own sites; their policy is always `self`."""

    server: PreviewServer
    name: str = "preview"
    secret: str = SECRET
    _visitors: Iterator[int] = field(default_factory=itertools.count)

    def visit(
        self, number: int, language: str = "fr", moment: PreviewMoment = "during", policy: Policy = "self"
    ) -> Visit:
        """Each view and each visitor has a host name of its own."""
        assert policy == "self"
        host = f"{moment}-{number}-{language.lower()}.v{next(self._visitors)}.piquet.localhost"
        return Visit(f"http://{host}:{self.server.port}", language)


@dataclass(frozen=True)
class Real:
    """A web server in a chroot; a visit sets its clock."""

    name: str
    server: Server
    picket: Picket
    secret: str = SECRET

    def visit(
        self, number: int, language: str = "fr", moment: PreviewMoment = "during", policy: Policy = "self"
    ) -> Visit:
        """The same address at every moment."""
        phase = self.picket.campaign.phases[number - 1]
        start_ms, end_ms = ms(phase.start_at), ms(phase.end_at)
        at_ms = {"before": start_ms - 1, "during": (start_ms + end_ms) // 2, "after": end_ms}[moment]
        self.server.chroot.set_clock(at_ms)
        origin = f"https://{host_name(policy)}:{self.server.https}"
        return Visit(origin, language, has_pictures=self.name not in WITHOUT_PICTURES)

    def plain(self, number: int) -> Visit:
        """By HTTP: Chromium keeps nothing that came with a certificate which it does not know."""
        return replace(self.visit(number), origin=f"http://{host_name('self')}:{self.server.http}")


@contextmanager
def previewed(campaign: Path, folder: Path) -> Iterator[Previewed]:
    """The preview of a campaign."""
    with serving(campaign) as server:
        yield Previewed(server)


def real(provider: Provider, variant: Variant) -> Callable[[Path, Path], AbstractContextManager[Site]]:
    """A site on a real server, by one of piquet's variants for it."""

    @contextmanager
    def made(campaign: Path, folder: Path) -> Iterator[Site]:
        kinds = tuple(_kind(provider, policy) for policy in ("self", "none"))
        server = plant(provider, kinds, folder / f"{provider}-{variant}", 1, lua=variant == "lua")
        for kind in kinds:
            for name in PATHS.values():
                place = server.chroot.path(f"/srv/{kind.name}/{name}")
                shutil.copy(templates() / "preview/site" / name, place)
                place.chmod(0o644)
        picket = _picket(server, load_campaign(campaign), variant)
        picket.hook(server)
        picket.stage(server)
        server.make_flags(picket.keys)
        with server.serving():
            yield Real(f"{provider}-{variant}", server, picket)

    return made


SITES: dict[str, Callable[[Path, Path], AbstractContextManager[Site]]] = {
    "preview": previewed,
    "nginx-include": real("nginx", "include"),
    "nginx-lua": real("nginx", "lua"),
    "apache-rules": real("apache", "rules"),
    "apache-lua": real("apache", "lua"),
}
SHOWN = {
    "preview": (BAR, BLOCK, OCCUPY, MODAL),
    "nginx-include": (BAR, BLOCK, OCCUPY, MODAL),
    "nginx-lua": (BAR, BLOCK, OCCUPY, MODAL),
    "apache-rules": (BAR, BLOCK, MODAL),
    "apache-lua": (BAR, BLOCK, OCCUPY, MODAL),
}
"""Site → the phases that it can show."""

EVERY_RUN = {"nginx-include": (BAR, OCCUPY), "apache-rules": (BLOCK,), "apache-lua": (MODAL,)}
"""Site → phases that an ordinary run asks about: each on one of the servers. The bytes are the same on all."""

WITHOUT_PICTURES = frozenset({"apache-rules"})
"""An ErrorDocument's text cannot hold the bytes of a picture: during a block its address answers 503 there."""


class Town:
    """Every site, built when it is first visited, gone at the end."""

    def __init__(self, campaign: Path, folder: Path) -> None:
        """Nothing is started yet."""
        self._campaign, self._folder = campaign, folder
        self._stack = ExitStack()
        self._sites: dict[str, Site] = {}

    def __getitem__(self, name: str) -> Site:
        """The site of that name."""
        if name not in self._sites:
            self._sites[name] = self._stack.enter_context(SITES[name](self._campaign, self._folder))
        return self._sites[name]

    def close(self) -> None:
        """Stop every server."""
        self._stack.close()


def _kind(provider: Provider, policy: Policy) -> Kind:
    text = (_NGINX if provider == "nginx" else _APACHE).format(policy=policy)
    name = host_name(policy)
    modules = () if provider == "nginx" else ("ssl", "headers")
    return Kind(provider, policy, text, "a journal", (name,), (Ask("https", name),), modules, None, "")


def _picket(server: Server, loaded: LoadedCampaign, variant: Variant) -> Picket:
    """The bundle of the campaign for this server, as `tests.corpus.picket` makes it for others."""
    campaign = loaded.campaign
    names = sorted(name for kind in server.kinds for name in kind.sites)
    numbers = tuple(phase.number for phase in campaign.phases)
    entries = tuple(Entry(name, key(name), numbers, server.provider, None) for name in names)
    has = replace(facts(server), variant=variant)
    has = replace(has, loadable=_LOADABLE) if isinstance(has, ApacheFacts) else has
    host = HostPlan("browser", "127.0.0.1", (has,), entries, tuple(names))
    (bundle,) = build_bundles(Plan(campaign, (host,), ()), loaded.pages, SECRET, KEY)
    files = {file.path: file for file in bundle.files if file.kind == "file"}
    contents = {path: file.content.replace(b"@PIQUET_PLAN_DIGEST@", _DIGEST) for path, file in files.items()}
    keys = tuple(entry.key for entry in entries)
    return Picket(server.kinds, campaign, files, keys, contents=contents, variant=variant)
