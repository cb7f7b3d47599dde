# SPDX-License-Identifier: GPL-3.0-or-later
"""Configurations whose texts mislead: what is said of them, who is served, and what staging changes.

Each was silently wrong when files were read in the place of the server.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from piquet.fleet.model import Variant
from tests.corpus.apache_course import begin, is_ours
from tests.corpus.lifetimes import VHOST, answers_to, raised

from .cases import Case
from .conftest import Planter
from .kinds import Ask, host_name
from .picket import picket
from .runner import ask
from .servers import Server
from .surveyed import ask_agent, look

_SITES = "/etc/apache2/sites-enabled"
_SNIPPETS = "/etc/apache2/snippets"
_HOST = "<VirtualHost {at}:@HTTP@>\n  ServerName {name}\n  DocumentRoot /srv/static\n{more}\n</VirtualHost>\n"
_OPEN = "<Directory /srv/static>\n  Require all granted\n</Directory>\n"
_RULES = "RewriteEngine On\nRewriteRule ^/old$ /new [R=302,L]\n"
_TO_HTTPS = (
    "RewriteEngine On\nRewriteOptions {}\nRewriteRule ^ https://%{{HTTP_HOST}}%{{REQUEST_URI}} [R=301,L]\n"
)


def host(name: str, more: str = "", at: str = "*") -> str:
    """A virtual host."""
    return _HOST.format(at=at, name=name, more=more)


@dataclass(frozen=True)
class Told:
    """One configuration.

    Attributes:
        files: path → text, `@HTTP@` for the port.
        says: codes of findings that survey and plan must have.
        silent: codes that they must not have.
        names: that are served besides those of the kinds.
    """

    files: Mapping[str, str]
    says: frozenset[str] = frozenset()
    silent: frozenset[str] = frozenset()
    names: frozenset[str] = field(default_factory=frozenset)


def _lost_line() -> dict[str, str]:
    """A snippet is included on the line on which the main file opens a section: the server's own list mixes them up."""
    own = Path(__file__).parent.joinpath("base/apache2.conf").read_text("utf-8").split("\n")
    line = next(number for number, text in enumerate(own, 1) if text.startswith("    Options FollowSymLinks"))
    before = "#\n" * (line - 4)
    big = f"{before}<VirtualHost *:@HTTP@>\n  ServerName aaa.example\n  DocumentRoot /srv/static\n"
    return {
        f"{_SITES}/aa-big.conf": f"{big}  Include snippets/empty.conf\n</VirtualHost>\n",
        f"{_SNIPPETS}/empty.conf": "# empty\n",
        f"{_SITES}/ab-rules.conf": _RULES,
        f"{_SITES}/ac-site.conf": host("own.example", "  RewriteEngine On\n  RewriteRule ^/x$ /y [R=302,L]"),
    }


CONFIGURATIONS = {
    "rules behind a nested include": Told(
        _lost_line(), frozenset({"server-level-rules"}), names=frozenset({"aaa.example", "own.example"})
    ),
    "rules out of a macro": Told(
        {
            f"{_SITES}/a.conf": f"<Macro Moved>\n{_RULES}</Macro>\nUse Moved\n",
            f"{_SITES}/b.conf": host("own.example", "  RewriteEngine On\n  RewriteRule ^/x$ /y [R=302,L]"),
        },
        frozenset({"server-level-rules"}),
        names=frozenset({"own.example"}),
    ),
    "rules of a section that is closed": Told(
        {
            f"{_SITES}/a.conf": f"<IfModule mod_absent.c>\n{_RULES}</IfModule>\n<IfDefine X>\n{_RULES}</IfDefine>\n"
        },
        silent=frozenset({"server-level-rules"}),
    ),
    "an alias by a variable, alone at its address": Told(
        {
            f"{_SITES}/a.conf": "Define SITE single.example\n"
            + host("${SITE}", "  ServerAlias www.${SITE}", at="127.0.0.8")
        },
        names=frozenset({"single.example", "www.single.example"}),
    ),
    "an alias by the server's environment": Told(
        {
            f"{_SITES}/a.conf": host(
                "a.example", "  ServerAlias www.${APACHE_RUN_GROUP}.example", at="127.0.0.8"
            )
        },
        names=frozenset({"a.example", "www.www-data.example"}),
    ),
    "names by a macro in a macro": Told(
        {
            f"{_SITES}/a.conf": "<Macro Names $n>\nServerName $n.example\nServerAlias www.$n.example\n</Macro>\n"
            "<Macro Site $n>\n<VirtualHost *:@HTTP@>\nUse Names $n\n</VirtualHost>\n</Macro>\n"
            "Use Site one\nUse Site two\n"
        },
        names=frozenset({"one.example", "www.one.example", "two.example", "www.two.example"}),
    ),
    "names in an included file": Told(
        {
            f"{_SITES}/a.conf": "<VirtualHost *:@HTTP@>\n  Include snippets/*.names\n</VirtualHost>\n",
            f"{_SNIPPETS}/a.names": "<IfModule !mod_absent.c>\nServerName a.example\n</IfModule>\n"
            "ServerAlias \\\n b.example\n",
        },
        names=frozenset({"a.example", "b.example"}),
    ),
    "IgnoreInherit in an included file": Told(
        {
            f"{_SITES}/a.conf": host("snip.example", "  Include snippets/tohttps.conf"),
            f"{_SNIPPETS}/tohttps.conf": _TO_HTTPS.format("IgnoreInherit"),
        },
        frozenset({"ignore-inherit"}),
        names=frozenset({"snip.example"}),
    ),
    "Inherit out of a macro": Told(
        {
            f"{_SITES}/a.conf": f"<Macro ToHttps $how>\n{_TO_HTTPS.format('$how')}</Macro>\n"
            + host("snip.example", "  Use ToHttps Inherit")
        },
        frozenset({"ignore-inherit"}),
        names=frozenset({"snip.example"}),
    ),
    "UseCanonicalName in closed and open sections": Told(
        {f"{_SITES}/a.conf": "<IfModule mod_absent.c>\nUseCanonicalName On\n</IfModule>\n"},
        silent=frozenset({"use-canonical-name"}),
    ),
    "UseCanonicalName by a variable": Told(
        {f"{_SITES}/a.conf": "Define CANONICAL On\n" + host("a.example", "  UseCanonicalName ${CANONICAL}")},
        frozenset({"use-canonical-name"}),
        names=frozenset({"a.example"}),
    ),
    "a lifetime in more sections than ours, by a macro": Told(
        {
            f"{_SITES}/a.conf": '<Macro Kept>\nHeader set Cache-Control "max-age=9"\n</Macro>\n'
            + host(
                "a.example",
                '<If "true">\n<If "true">\n<If "true">\n<If "true">\n  Use Kept\n' + "</If>\n" * 4,
            )
        },
        frozenset({"own-lifetime"}),
        names=frozenset({"a.example"}),
    ),
}


@pytest.mark.parametrize("case", CONFIGURATIONS)
def test_what_the_server_understood_is_what_is_said(case: str, planted: Planter) -> None:
    """Findings of survey and plan, and every name that is served; staged, no answer changes."""
    told = CONFIGURATIONS[case]
    server = server_with(planted, told.files)
    strike = picket(server)
    seen = look(server, strike.campaign)
    for codes in (set(seen.survey), set(seen.plan)):
        assert told.says <= codes
        assert not told.silent & codes
    vhosts = ask_agent(server)["apache"]["vhosts"]
    assert {name for vhost in vhosts for name in vhost["names"]} == told.names | KINDS
    asked = [(name, Case("GET", path)) for name in sorted(told.names) for path in ("/", "/old", "/x")]
    server.chroot.set_clock(strike.before_ms)
    with server.serving():
        unstaged = [ask(server, Ask("http", name), one) for name, one in asked]
    picket(server, known=seen.facts).stage(server)
    with server.serving():
        assert [ask(server, Ask("http", name), one) for name, one in asked] == unstaged


KINDS = {"static.corpus.example", "default.invalid", "corpus.invalid"}


def server_with(planted: Planter, files: Mapping[str, str]) -> Server:
    """A server with rules, macros and one ordinary site, and these files."""
    server = planted("apache", "static", "macro", "redirect-rewrite", "00-default")
    for kind in ("macro", "redirect-rewrite"):  # only their modules are wanted
        server.chroot.path(f"{_SITES}/{kind}.conf").unlink()
    server.chroot.write(f"{_SITES}/open.conf", _OPEN.encode())
    for path, text in files.items():
        server.chroot.write(path, text.replace("@HTTP@", str(server.http)).encode())
    return server


@pytest.mark.parametrize("variant", ["rules", "lua"])
def test_an_encoded_slash_is_refused_before_rules_and_not_before_lua(
    variant: Variant, tmp_path: Path
) -> None:
    """By rules the site's own 404 stands where AllowEncodedSlashes is off, as the survey says; else the strike."""
    more = {"off": "", "taken": "AllowEncodedSlashes On", "kept": "AllowEncodedSlashes NoDecode"}
    server = raised(tmp_path, **{name: VHOST.format(text) for name, text in more.items()})
    server.chroot.write(
        "/etc/apache2/conf-enabled/zzz.conf", b"AllowEncodedSlashes On\n"
    )  # no virtual host takes it over
    strike = picket(server, variant=variant)
    taken = look(server, strike.campaign).facts.encoded_slashes
    assert taken == {host_name("taken"), host_name("kept"), "corpus.invalid"}  # the last is the server itself
    begin(server, strike, strike.inside_ms)
    with server.serving():
        for kind, answer in zip(server.kinds, answers_to(server, Case("GET", "/a%2Fb")), strict=True):
            holds = variant == "lua" or host_name(kind.name) in taken
            assert (answer.status, is_ours(answer)) == ((503, True) if holds else (404, False)), kind.name
