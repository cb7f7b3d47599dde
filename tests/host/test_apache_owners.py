# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose pages carry no banner on Apache: by every statement of the owners, where the server reads it."""

from __future__ import annotations

import pytest

from piquet import answers
from piquet.host.apache_owners import (
    TARGETED,
    behind,
    read_in_order,
    says_lifetime,
    stores_no_store,
    substitutes,
    users,
)

MAIN = "IncludeOptional conf-enabled/*.conf\nIncludeOptional sites-enabled/*.conf\n"
DUMP = """\
Included configuration files:
  (*) /etc/apache2/apache2.conf
    (1) /etc/apache2/conf-enabled/early.conf
      (7) /etc/piquet/apache/15-insert.conf
    (2) /etc/apache2/sites-enabled/two.conf
      (3) /etc/apache2/snippets/said.conf
      (7) /etc/apache2/snippets/said.conf
    (2) /etc/apache2/sites-enabled/zzz.conf
"""
STAGED = DUMP.replace(
    "      (7) /etc/piquet", "    (1) /etc/apache2/conf-enabled/piquet.conf\n      (7) /etc/piquet"
)
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
VHOSTS = [
    {"file": "/etc/apache2/sites-enabled/two.conf", "line": line, "names": [name]}
    for line, name in ((1, "a.example"), (5, "b.example"))
]
SAID = "Header set Cache-Control max-age=9"
OPEN, SHUT = '<If "true">\n', "</If>\n"
IN_TWO = f"{OPEN * 2}{SAID}\n{SHUT * 2}"
IF = f"{OPEN}{IN_TWO}{SHUT}"
DEEPEST = f"{OPEN}{IF}{SHUT}"
LATE = f"<Location /x>\n{IF}</Location>"
MATCH = f"{OPEN}<LocationMatch /x>\n{IN_TWO}</LocationMatch>\n{SHUT}"
FOLDER = f"<Directory /srv>\n{IF}</Directory>"
MACRO = f"<Macro Kept>\n{SAID}\n</Macro>\n"
USED = MACRO + "Use Kept\n"
USED_IN_THREE = f"{MACRO}{OPEN * 3}Use Kept\n{SHUT * 3}"
USED_IN_ANOTHER = f"{MACRO}<Macro Other>\nUse Kept\n</Macro>\n"


def recached(dump: str = DUMP, **texts: str) -> list[str]:
    """Who says how long pages are kept, in files by their short names; what is not given is empty."""
    named = {"apache2": MAIN, "two": TWO.format("", ""), **texts}
    reads = read_in_order(dump, lambda path: named.get(path.rpartition("/")[2].partition(".")[0], ""))
    late = behind(reads, "/etc/apache2", "/etc/apache2/conf-enabled")
    return users(late, says_lifetime, VHOSTS)


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
    two = f"<VirtualHost *:80>\n<Location />\n{OPEN * 3}Include \\\n snippets/said.conf\n{SHUT * 3}</Location>\n"
    two += "</VirtualHost>\n"
    dump = DUMP.replace("      (7) /etc/apache2/snippets/said.conf\n", "").replace("      (3)", "      (7)")
    assert recached(dump, two=two, said=SAID) == ["a.example"]
    assert (
        recached(dump, two=two.replace("<If", "<IfModule").replace("</If>", "</IfModule>"), said=SAID) == []
    )


@pytest.mark.parametrize("dump", [DUMP, STAGED])
@pytest.mark.parametrize(
    ("file", "text", "wins"),
    [
        ("early", LATE, False),
        ("early", f"<Location /x>\n{IN_TWO}</Location>", False),
        ("early", DEEPEST, True),
        ("early", MACRO, False),
        ("early", USED, False),
        ("early", USED_IN_THREE, True),
        ("early", USED_IN_ANOTHER, True),
        ("zzz", LATE, True),
        ("zzz", MATCH, True),
        ("zzz", IF, False),
        ("zzz", FOLDER, False),
        ("two", TWO.format(IF, FOLDER), False),
        ("apache2", f"{MAIN}{LATE}", True),
    ],
)
def test_only_what_is_read_behind_ours_wins(dump: str, file: str, text: str, wins: bool) -> None:
    """What is in no <Location> comes before ours wherever it stands, and macros stand where they are used."""
    assert recached(dump, **{"15-insert": LATE, file: text}) == (["*"] if wins else [])


def test_an_empty_folder_has_its_place_too() -> None:
    """Where no file lies in the folder yet, its include says where ours will be read."""
    dump = "".join(line for line in DUMP.splitlines(True) if "early" not in line and "30-" not in line)
    for main, wins in ((f"{MAIN}{LATE}", True), (f"{LATE}\n{MAIN}", False)):
        lines = dump.replace("(2)", "(7)") if not wins else dump
        assert recached(lines, apache2=main) == (["*"] if wins else [])


def test_a_macro_that_includes_may_stand_anywhere() -> None:
    """The server counts a macro's lines from its beginning, so that nobody knows who is meant."""
    for said, names in ((IF, ["*"]), (SAID, [])):
        assert recached(DUMP.replace("(3)", "(1)"), two=TWO.format("Use Said", ""), said=said) == names


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


def test_a_file_whose_place_is_unknown_is_as_deep_as_it_says() -> None:
    """Behind a macro that includes, the server counts wrongly; a plain header is none that wins there either."""
    lost = DUMP.replace("(2) /etc/apache2/sites-enabled/zzz", "(0) /etc/apache2/sites-enabled/zzz")
    used = f"{MACRO}<VirtualHost *:80>\nUse Kept\n</VirtualHost>\n"
    assert [recached(lost, zzz=text) for text in (used, DEEPEST)] == [[], ["*"]]


def test_a_site_of_our_name_is_the_owners() -> None:
    """Ours is what lies in our own folder."""
    dump = DUMP.replace("zzz.conf", "piquet.conf")
    assert recached(dump, piquet=DEEPEST) == ["*"]


@pytest.mark.parametrize("word", ["On", "${KEEP}", "$k"])
def test_a_cache_may_store(word: str) -> None:
    """Only what is off for certain is off."""
    reads = read_in_order(
        DUMP, lambda path: f"CacheStoreNoStore {word}" if path.endswith("early.conf") else ""
    )
    assert users(reads, stores_no_store, VHOSTS) == ["*"]


def test_others_are_judged_alike() -> None:
    """mod_substitute and mod_cache, for whom it makes no difference where ours stands."""
    texts = {"early": "Substitute s/a/b/", "two": TWO.format("", "CacheStoreNoStore On"), "apache2": MAIN}
    reads = list(read_in_order(DUMP, lambda path: texts.get(path.rpartition("/")[2].partition(".")[0], "")))
    assert users(reads, substitutes, VHOSTS) == ["*"]
    assert users(reads, stores_no_store, VHOSTS) == ["b.example"]


def test_the_names_are_those_of_the_table() -> None:
    """The agent knows the same headers for some caches as the table of answers."""
    assert {name.lower() for name in answers.TARGETED} == set(TARGETED)
