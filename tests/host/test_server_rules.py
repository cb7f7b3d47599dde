# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose rewrite rules virtual hosts would inherit: those outside of every section, of whichever file."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from piquet.host.servers.apache.hosts import has_server_rules
from piquet.host.servers.apache.tree import parse_tree
from piquet.host.system import commands
from tests.host.apache_files import tree
from tests.host.folder_host import FolderHost

MAIN = "IncludeOptional conf-enabled/*.conf\nIncludeOptional sites-enabled/*.conf\n"
SITE = "<VirtualHost *:80>\n  ServerName a.example\n  {}\n</VirtualHost>\n"
RULE = "RewriteRule ^/x$ /y [PT]"
FOLDERS = {"one": "conf-enabled/", "two": "sites-enabled/", "three": "snippets/", "four": "sites-enabled/"}


def found(**texts: str) -> bool:
    """Whether rules are found, in files by their short names; what is not given is empty."""
    named = {FOLDERS.get(name, "") + name: text for name, text in texts.items()}
    return has_server_rules(tree({"apache2": MAIN, **named}))


@pytest.mark.parametrize(
    "texts",
    [
        {"apache2": f"{RULE}\n{MAIN}"},
        {"one": RULE},
        {"one": "<IfModule mod_rewrite.c>\n  RewriteEngine On\n  rewriterule ^ - [L]\n</IfModule>"},
        {"two": SITE.format(RULE) + RULE},
        {"two": "# a comment\n\nInclude snippets/three.conf\n", "three": RULE},
        {"four": f"<Directory /srv>\n</Directory>\n{RULE}"},
        {"one": "RewriteRule ^/x$ \\\n  /y"},
        {"one": "RewriteCond %{HTTPS} off"},
        {"one": "RewriteMap lower int:tolower"},
    ],
)
def test_rules_at_server_level(texts: dict[str, str]) -> None:
    """In the main file or any other, behind a condition, behind a virtual host, in a file that another reads."""
    assert found(**texts)


@pytest.mark.parametrize(
    "texts",
    [
        {},
        {"two": SITE.format(RULE)},
        {"two": SITE.format("Include snippets/three.conf"), "three": RULE},
        {"one": f"<Directory /srv>\n  <IfModule mod_rewrite.c>\n    {RULE}\n  </IfModule>\n</Directory>"},
        {"one": f"# {RULE}"},
        {"one": "RewriteEngine On"},
    ],
)
def test_rules_elsewhere(texts: dict[str, str]) -> None:
    """In a virtual host, in a file that is read inside of one, in a folder's section, in a comment."""
    assert not found(**texts)


def test_ours_are_not_counted() -> None:
    """A host that is surveyed again after stage is not found to have rules of others."""
    root = parse_tree(f"# In file: /etc/piquet/apache/20-decide.conf\n#   1:\n{RULE}\n")
    assert not has_server_rules(root)


def test_rules_that_have_come_since_the_survey_are_seen(still: FolderHost) -> None:
    """By arm, from what a real Apache says that it reads; where ours are not handed down there is no harm."""
    apache = still.machine().servers["apache"]
    decide = still.paths.at("/etc/piquet/apache/20-decide.conf")
    decide.parent.mkdir(parents=True)
    seen = []
    for ours in ("RewriteOptions InheritDownBefore\n", "RewriteRule ^ -\n"):
        decide.write_text(ours)
        for others in ("", "RewriteEngine On\nRewriteRule ^/x - [G]\n"):
            (still.apache_conf.parent / "conf-enabled/davical.conf").write_text(others)
            apache.forget()
            seen.append(bool(apache.readiness()))
    assert [False, True, False, False] == seen


def test_the_configuration_is_asked_for_once(still: FolderHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many questions a verb has; again when files have changed."""
    apache, asked = still.machine().servers["apache"], []
    run = commands.execute

    def count(command: Sequence[str], *args: float, **options: bool) -> commands.Result:
        asked.extend(word for word in command if word == "DUMP_CONFIG")
        return run(command, *args, **options)

    monkeypatch.setattr(commands, "execute", count)
    for expected in (1, 2):
        apache.survey()
        apache.tree()
        apache.readiness()
        assert len(asked) == expected
        apache.forget()
