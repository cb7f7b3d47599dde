# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose pages carry no banner on Apache: by every statement of the owners, where the server reads it."""

from __future__ import annotations

import pytest

from piquet.host.servers.apache import hosts as apache_hosts
from piquet.host.servers.apache.owners import behind, says_lifetime, stores_no_store, substitutes, users
from piquet.host.servers.apache.tree import Statement, walk
from tests.host.apache_files import MAIN as MAIN_FILE
from tests.host.apache_files import ROOT, tree

MAIN = "Listen 80\nIncludeOptional conf-enabled/*.conf\nIncludeOptional sites-enabled/*.conf\n"
FOLDERS = {"early": "conf-enabled/", "two": "sites-enabled/", "said": "snippets/", "zzz": "sites-enabled/"}
TWO = """\
<VirtualHost *:80>
  ServerName a.example
  {}
</VirtualHost>
<VirtualHost *:80>
  ServerName b.example
  {}
</VirtualHost>
"""
INCLUDE = "Include snippets/said.conf"
SAID = "Header set Cache-Control max-age=9"
OPEN, SHUT = '<If "true">\n', "</If>\n"
IN_TWO = f"{OPEN * 2}{SAID}\n{SHUT * 2}"
IF = f"{OPEN}{IN_TWO}{SHUT}"
DEEPEST = f"{OPEN}{IF}{SHUT}"
LATE = f"<Location /x>\n{IF}</Location>"
MATCH = f"{OPEN}<LocationMatch /x>\n{IN_TWO}</LocationMatch>\n{SHUT}"
FOLDER = f"<Directory /srv>\n{IF}</Directory>"
EARLY = {"early": "# nothing\nListen 81\n"}
"""A file of the folder that says something: what comes before ours is certain then."""


def _tree(texts: dict[str, str]) -> Statement:
    named = {"apache2": MAIN, "two": TWO.format("", ""), **texts}
    return tree({FOLDERS.get(name, "") + name: text for name, text in named.items()})


def recached(line: int = 2, **texts: str) -> list[str]:
    """Who says how long pages are kept, in files by their short names; what is not given is empty."""
    root = _tree(texts)
    late = behind(root, f"{ROOT}/conf-enabled", (MAIN_FILE, line))
    return users(late, says_lifetime, _hosts(root))


def _hosts(root: Statement) -> list[apache_hosts.ApacheHost]:
    return apache_hosts.hosts(root, MAIN_FILE, False, lambda _: [])


@pytest.mark.parametrize(
    ("texts", "names"),
    [
        ({}, []),
        ({"two": TWO.format(LATE, "")}, ["a.example"]),
        ({"two": TWO.format(INCLUDE, INCLUDE), "said": LATE}, ["a.example", "b.example"]),
        ({"two": TWO.format(INCLUDE, INCLUDE), "said": LATE, "zzz": LATE}, ["*"]),
        ({"two": TWO.format(INCLUDE, INCLUDE), "said": SAID}, []),
        ({"two": TWO.format(SAID, SAID)}, []),
        ({"zzz": SAID}, []),
    ],
)
def test_a_statement_counts_where_it_is_read(texts: dict[str, str], names: list[str]) -> None:
    """A snippet for each that includes it, and no other statement is hidden by that."""
    assert recached(**texts) == names


def test_an_include_stands_between_its_sections() -> None:
    """An <If> around an include holds for what is included, and a directive over two lines is one."""
    two = (
        f"<VirtualHost *:80>\nServerName a.example\n<Location />\n{OPEN * 3}Include \\\n snippets/said.conf\n"
    )
    two += f"{SHUT * 3}</Location>\n</VirtualHost>\n"
    assert recached(two=two, said=SAID) == ["a.example"]
    assert recached(two=two.replace("<If", "<IfModule").replace("</If>", "</IfModule>"), said=SAID) == []


@pytest.mark.parametrize(
    ("file", "text", "wins"),
    [
        ("early", LATE, False),
        ("early", f"<Location /x>\n{IN_TWO}</Location>", False),
        ("early", DEEPEST, True),
        ("zzz", LATE, True),
        ("zzz", MATCH, True),
        ("zzz", IF, False),
        ("zzz", FOLDER, False),
        ("two", TWO.format(IF, FOLDER), False),
        ("apache2", f"{MAIN}{LATE}", True),
    ],
)
def test_only_what_is_read_behind_ours_wins(file: str, text: str, wins: bool) -> None:
    """What is in no <Location> comes before ours wherever it stands."""
    assert recached(**{**EARLY, file: text}) == (["*"] if wins else [])


def test_an_empty_folder_has_its_place_too() -> None:
    """Where no file lies in the folder yet, the line of its include says where ours will be read."""
    assert recached(2, apache2=f"{MAIN}{LATE}") == ["*"]
    before = f"{LATE}\n{MAIN}"
    assert recached(before[: before.index("IncludeOptional")].count("\n") + 1, apache2=before) == []


def test_where_the_place_is_unknown_all_may_come_behind() -> None:
    """Nobody says that a statement comes before ours."""
    root = _tree({"early": LATE})
    assert users(behind(root, None, None), says_lifetime, _hosts(root)) == ["*"]


@pytest.mark.parametrize(
    ("said", "wins"),
    [
        ("$line", True),
        ("Header always set $name max-age=9", True),
        ("Header set ${H} max-age=9", True),
        ("ExpiresActive On", True),
        ("ExpiresActive Off", False),
        ("Header always edit* Cache-Control no-store no-store0", True),
        ("Header set Cache-Control 'private, no-store'", False),
        ("Header set X-Other 1", False),
    ],
)
def test_what_may_say_it_counts(said: str, wins: bool) -> None:
    """Whatever a macro's argument or a variable will be."""
    assert recached(zzz=f"{OPEN * 4}{said}\n{SHUT * 4}") == (["*"] if wins else [])


@pytest.mark.parametrize("word", ["On", "${KEEP}", "$k"])
def test_a_cache_may_store(word: str) -> None:
    """Only what is off for certain is off."""
    root = _tree({"early": f"CacheStoreNoStore {word}"})
    assert users(walk(root), stores_no_store, _hosts(root)) == ["*"]


def test_others_are_judged_alike() -> None:
    """mod_substitute and mod_cache, for whom it makes no difference where ours stands."""
    root = _tree({"early": "Substitute s/a/b/", "two": TWO.format("", "CacheStoreNoStore On")})
    reads = list(walk(root))
    assert users(reads, substitutes, _hosts(root)) == ["*"]
    assert users(reads, stores_no_store, _hosts(root)) == ["b.example"]
