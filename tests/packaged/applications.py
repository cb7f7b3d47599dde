# SPDX-License-Identifier: GPL-3.0-or-later
"""Which packaged configurations there are, under which names they are reached, and what is asked of them. Plain data.

The packages' own files stay where they are: an owner's vhosts name them by path, or copies are made on the host.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from testbed.host import Provider
from tests.corpus.cases import Case

DOMAIN = "packaged.example"
QUIET = f"quiet.{DOMAIN}"
"""A name that the campaign leaves out."""
STRANGE = f"elsewhere.{DOMAIN}"
"""A name that no vhost has: the default server answers."""

DOORS = ("/api/", "/cgit-css/", "/mailman3/static/", "/phpsysinfo/xml.php", "/wp-includes/")
"""Open paths of the campaign, some of them inside the applications."""

METHODS = ("HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND")
_WITH_BODY = ("POST", "PUT", "PATCH")
EVERYWHERE = (
    "/robots.txt",
    "/.well-known/acme-challenge/t",
    "/.well-known/piquet.json",
    "/.well-known/piquet/strike.css",
    "/.well-known/piquet/missing",
    "/deep/er/missing",
)
"""Doors, addresses that are ours inside the window, and one that nobody has."""


@dataclass(frozen=True)
class Application:
    """One package's configuration on one server.

    Attributes:
        provider: nginx or Apache.
        package: that ships it.
        names: selected names under which it is reached.
        quiet: names that are not selected, under which it is reached too.
        paths: its front page first, then a file of it, then pages, interfaces, forbidden and missing addresses.
        is_slow: its answers take long: it is asked less.
        is_inside: only the host itself reaches it.
        is_deaf: a program that ends without reading a request's body. Apache's mod_cgid and mod_proxy_uwsgi then close
            the connection unanswered, or answer 503, up to one time in three, nginx answers 502 instead of fcgiwrap's
            403 one time in twenty, all of it without us: so it is asked without.
    """

    provider: Provider
    package: str
    names: tuple[str, ...]
    quiet: tuple[str, ...]
    paths: tuple[str, ...]
    is_slow: bool = False
    is_inside: bool = False
    is_deaf: bool = False

    def __str__(self) -> str:
        """For test names and reports."""
        return f"{self.provider}: {self.package}"

    def cases(self, secret: str) -> dict[str, tuple[Case, ...]]:
        """What is asked in every state, by host name.

        Args:
            secret: of the bypass.
        """
        selected = tuple(self._selected(secret))
        quiet = (*(Case("GET", path) for path in self.paths), self._case("POST", self.paths[0]))
        return {**dict.fromkeys(self.names, selected), **dict.fromkeys(self.quiet, quiet)}

    def bodies(self) -> dict[str, tuple[Case, ...]]:
        """What is asked inside the window besides, by host name: with a body, where `cases` leaves it out."""
        paths = (
            (self.paths[0], *self.paths[2:]) if self.is_deaf else ()
        )  # without its file, which may be a door
        cases = tuple(Case(method, path) for method in _WITH_BODY for path in paths)
        return dict.fromkeys(self.names, cases)

    def _selected(self, secret: str) -> list[Case]:
        front, file = self.paths[:2]
        cookie = (("Cookie", f"a=b; piquet_bypass={secret}"),)
        always = [
            *(Case("GET", path) for path in (*self.paths, *EVERYWHERE)),
            *(self._case(method, front) for method in METHODS),
            Case("HEAD", file),
            self._case("POST", file),
            Case("GET", file, (("If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT"),)),
            Case("GET", file, (("Range", "bytes=1-9"),)),
            Case("GET", file, (("Accept-Encoding", "gzip"),)),
            Case("GET", file, cookie),
            Case("GET", front, (("Accept", "application/json"), ("Accept-Language", "en"))),
            Case("GET", f"/.well-known/piquet/bypass/{secret}"),
        ]
        more = [
            *(self._case("POST", path) for path in (*self.paths[1:], *EVERYWHERE)),
            *(Case("GET", path, cookie) for path in self.paths),
            *(self._case(method, file) for method in METHODS),
        ]
        return always if self.is_slow else always + more

    def _case(self, method: str, path: str) -> Case:
        if not self.is_deaf or method not in _WITH_BODY:
            return Case(method, path)
        sent = f"{method} {path} HTTP/1.1\r\nHost: @HOST@\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        return Case(method, path, sent=sent.encode())


def _server_wide(package: str, *paths: str, is_slow: bool = False, is_deaf: bool = False) -> Application:
    """A configuration that Debian's Apache reads at server level: part of every vhost, the default one too."""
    names = (f"apps.apache.{DOMAIN}",)
    return Application("apache", package, names, (QUIET, STRANGE), paths, is_slow, is_deaf=is_deaf)


def _included(package: str, *paths: str, is_slow: bool = False, is_deaf: bool = False) -> Application:
    """A snippet that nginx reads where the owner includes it: in a selected block and in one that is not."""
    return Application("nginx", package, (f"apps.nginx.{DOMAIN}",), (QUIET,), paths, is_slow, is_deaf=is_deaf)


APPLICATIONS = (
    _server_wide(
        "cgit",
        "/cgit/",
        "/cgit-css/cgit.css",
        "/cgit",
        "/cgit/picket.git/",
        "/cgit/missing/log/",
        is_deaf=True,
    ),
    Application(
        "apache",
        "davical",
        (f"apps.apache.{DOMAIN}", f"rules.{DOMAIN}"),
        (QUIET, STRANGE),
        (
            "/davical/",
            "/davical/davical.css",
            "/davical/caldav.php/",
            "/davical/index.php",
            "/davical/missing",
            "/.well-known/caldav",
            "/principals/users/x",
            "/pretty/style.css",
        ),
    ),
    _server_wide(
        "dokuwiki",
        "/dokuwiki/",
        "/dokuwiki/lib/images/favicon.ico",
        "/dokuwiki/doku.php",
        "/dokuwiki/doku.php?id=start&do=edit",
        "/dokuwiki/feed.php",
        "/dokuwiki/lib/exe/xmlrpc.php",
        "/dokuwiki/lib/exe/css.php",
        "/dokuwiki/sites/other/doku.php",
        "/dokuwiki/install.php",
        "/dokuwiki/data/pages/x",
        "/dokuwiki/bin/indexer.php",
    ),
    _server_wide(
        "gitweb",
        "/gitweb/",
        "/gitweb/static/gitweb.css",
        "/gitweb/?p=picket.git",
        "/gitweb/?a=opml",
        "/gitweb/?p=missing.git",
        "/gitweb/missing",
        is_slow=True,
    ),
    _server_wide(
        "javascript-common", "/javascript/", "/javascript/jquery/jquery.js", "/javascript/missing.js"
    ),
    _server_wide(
        "mailman3-web",
        "/mailman3/",
        "/mailman3/static/postorius/css/style.css",
        "/mailman3/postorius/lists/",
        "/mailman3/archives/",
        "/mailman3/accounts/login/",
        "/mailman3/admin/",
        "/mailman3/archives/api/",
        "/mailman3/favicon.ico",
        "/mailman3/missing",
        is_deaf=True,
    ),
    _server_wide(
        "munin", "/munin/", "/munin/static/style.css", "/munin-cgi/munin-cgi-graph/x", "/munin/missing"
    ),
    _server_wide(
        "nagios4-cgi",
        "/nagios4/",
        "/nagios4/stylesheets/common.css",
        "/nagios4/cgi-bin/status.cgi",
        "/nagios4/cgi-bin/cmd.cgi",
        "/cgi-bin/nagios4/cmd.cgi",
        "/nagios4/missing",
    ),
    _server_wide(
        "php8.2-fpm",
        "/owner/",
        "/owner/style.css",
        "/owner/index.php/x?a=b",
        "/owner/missing.php",
        "/owner/x.phps",
    ),
    _server_wide(
        "phpmyadmin",
        "/phpmyadmin/",
        "/phpmyadmin/themes/pmahomme/css/theme.css",
        "/phpmyadmin/index.php?route=/server/databases",
        "/phpmyadmin/js/messages.php",
        "/phpmyadmin/setup/",
        "/phpmyadmin/libraries/x",
        "/phpmyadmin/missing",
    ),
    _server_wide(
        "phpsysinfo",
        "/phpsysinfo/",
        "/phpsysinfo/templates/phpsysinfo.css",
        "/phpsysinfo/js.php?name=phpsysinfo",
        "/phpsysinfo/data/x",
        "/phpsysinfo/missing",
    ),
    Application(
        "apache",
        "radicale",
        (f"calendar.{DOMAIN}",),
        (f"calendar.{QUIET}",),
        ("/", "/.web/css/main.css", "/.web/", "/.well-known/caldav", "/user/", "/user/calendar.ics"),
        is_deaf=True,
    ),
    Application(
        "apache",
        "roundcube",
        (f"webmail.{DOMAIN}",),
        (f"webmail.{QUIET}",),
        (
            "/",
            "/skins/elastic/styles/styles.min.css",
            "/?_task=login",
            "/?_task=mail&_mbox=INBOX",
            "/program/js/app.js",
            "/config/config.inc.php",
            "/.htaccess",
            "/missing",
        ),
    ),
    _server_wide(
        "smokeping",
        "/smokeping/",
        "/smokeping/images/smokeping.png",
        "/smokeping/smokeping.cgi?target=missing",
        "/smokeping/missing",
        is_slow=True,
    ),
    _included(
        "fcgiwrap",
        "/cgi-bin/gitweb.cgi",
        "/cgi-bin/missing.cgi",
        "/cgi-bin/gitweb.cgi?p=picket.git",
        "/cgi-bin/",
        is_slow=True,
        is_deaf=True,
    ),
    Application(
        "nginx",
        "mailman3-web",
        ("mailman.example.com",),
        (),
        (
            "/",
            "/mailman3/static/postorius/css/style.css",
            "/postorius/lists/",
            "/archives/",
            "/accounts/login/",
            "/archives/api/",
            "/mailman3/static/favicon.ico",
            "/missing",
        ),
    ),
    Application(
        "nginx",
        "munin",
        ("localhost",),
        (),
        ("/munin/", "/munin/static/style.css", "/munin-cgi/munin-cgi-graph/x", "/"),
        is_inside=True,
    ),
    Application(
        "nginx",
        "nginx-doc",
        ("domain.com", "www.domain.com", "example.net", "any.example.net"),
        (),
        (
            "/",
            "/style.css",
            "/index.php?q=x",
            "/missing",
            "/notes.txt",
            "/backup",
            "/favicon.ico",
            "/sites/x.css",
        ),
    ),
    Application(
        "nginx",
        "nginx-common",
        (f"php.{DOMAIN}",),
        (f"php.{QUIET}",),
        ("/", "/style.css", "/index.php?a=b", "/index.php/x", "/missing.php", "/missing"),
    ),
    _included(
        "phpsysinfo",
        "/phpsysinfo/",
        "/phpsysinfo/templates/phpsysinfo.css",
        "/phpsysinfo/js.php?name=phpsysinfo",
        "/phpsysinfo/data/x",
        "/phpsysinfo/missing",
    ),
    _included(
        "radicale",
        "/radicale/",
        "/radicale/.web/css/main.css",
        "/radicale/.web/",
        "/radicale/user/",
        "/radicale",
    ),
    Application(
        "nginx",
        "rss-bridge",
        (),
        ("",),
        ("/", "/static/style.css", "/?action=list", "/index.php?action=display&bridge=x", "/missing"),
    ),
    Application(
        "nginx",
        "wordpress",
        ("wordpress.local",),
        (),
        (
            "/",
            "/wp-includes/js/jquery/jquery.min.js",
            "/wp-admin/",
            "/wp-login.php",
            "/xmlrpc.php",
            "/wp-json/wp/v2/posts",
            "/readme.html",
            "/wp-content/themes/x.css",
            "/favicon.ico",
        ),
    ),
)

ENTRIES: Mapping[str, str] = {"any.example.net": "*.example.net"}
"""Name asked → the site that it belongs to, where that is another word."""
