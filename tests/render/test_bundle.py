# SPDX-License-Identifier: GPL-3.0-or-later
"""Bundles: same input, same bytes; the manifest says all; secrets are for root only."""

import io
import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from datetime import timedelta

import pytest

from piquet import resources
from piquet.agent_archive import agent_zipapp, payload
from piquet.bundle import build_bundles
from piquet.errors import BundleError
from piquet.host.servers.apache.server import Apache
from piquet.protocol.places import AGENT_PATH, CODE_DIR
from piquet.servers.nginx.sites import site_rows
from tests.render.samples import CAMPAIGN, KEY, PHASE, SECRET, WWW, facts, host, pages, plan

LONG = "a-name-that-does-not-fit-the-usual-table." + "x" * 20 + ".example.org"


def texts(
    *names: str, known: tuple[str, ...] = (), server=None, secret: str | None = SECRET
) -> dict[str, str]:
    """Path → text of a host's bundle, the agent left out."""
    (bundle,) = build_bundles(plan(host(*names, known=known, server=server)), pages(), secret, KEY)
    files = [
        f for f in bundle.files if f.kind == "file" and f.path != AGENT_PATH and not f.path.endswith(".png")
    ]
    return {f.path: f.content.decode() for f in files}


def test_our_file_at_apache_is_known_again() -> None:
    """By a line of its head, which a copy has that somebody's tool puts back."""
    assert Apache.dropin_sign.decode() in (resources.root() / "templates/file_header.j2").read_text("utf-8")


def test_same_input_same_bytes() -> None:
    """Twice in two processes: nothing of time, chance or dictionary order is in a bundle."""
    script = (
        "from tests.render.samples import *; from piquet.bundle import *; from piquet.agent_archive import *;"
        "import hashlib; (b,) = build_bundles(plan(host('a.example.org', '*.b.example.org')), pages(), SECRET, KEY);"
        "print(b.manifest_sha256, hashlib.sha256(payload({'verb': 'status'})).hexdigest())"
    )
    said = {subprocess.check_output([sys.executable, "-c", script]) for _ in range(2)}
    assert len(said) == 1


def test_manifest_lists_every_file() -> None:
    """Path, mode, size and digest of each file; what a worker or systemd reads is 0644, all else is root's."""
    (bundle,) = build_bundles(plan(host("a.example.org")), pages(), SECRET, KEY)
    manifest = json.loads(bundle.manifest)
    assert [entry["path"] for entry in manifest["files"]] == sorted(file.path for file in bundle.files)
    modes = {entry["path"]: entry["mode"] for entry in manifest["files"] if entry["kind"] == "file"}
    secret = [file.path for file in bundle.files if SECRET.encode() in file.content]
    assert secret == ["/etc/piquet/nginx/http/30-bypass.conf"]
    public = {path for path, mode in modes.items() if mode != "0600"}
    units = tuple(f"/etc/systemd/system/piquet-{n}" for n in ("boot", "reconcile", "watch"))
    assert {path for path in public if not path.startswith((f"{WWW}/", *units))} == {AGENT_PATH}
    assert {modes[path] for path in public} == {"0644", "0755"}


def test_apache_keeps_the_secret_in_private_files() -> None:
    """Never in a `Define`: whoever may write an .htaccess reads all of those as `${NAME}`."""
    (bundle,) = build_bundles(plan(host("a.example.org", server=facts("apache"))), pages(), SECRET, KEY)
    secret = {file.path: file.mode for file in bundle.files if SECRET.encode() in file.content}
    assert secret == {f"/etc/piquet/apache/{name}.conf": "0600" for name in ("17-apart", "20-decide")}
    assert not [
        file.path for file in bundle.files if file.path.endswith(".conf") and b"Define " in file.content
    ]


def test_code_in_a_file_of_its_own_holds_no_secret() -> None:
    """Workers read it, so anybody's application may; it is called by its digest, and loaded only where it is there."""
    server = replace(facts("apache"), variant="lua", lua_version="5.4")
    (bundle,) = build_bundles(plan(host("a.example.org", server=server)), pages(), SECRET, KEY)
    (code,) = [file for file in bundle.files if file.path.startswith(CODE_DIR)]
    assert code.path == f"{CODE_DIR}/{code.sha256}.lua"
    assert (code.mode, SECRET.encode() in code.content, b"seal" in code.content) == ("0644", False, False)
    text = next(file.content.decode() for file in bundle.files if file.path.endswith("20-lua.conf"))
    assert f'<IfFile "{code.path}">\nLuaQuickHandler "{code.path}" piquet_answer\n</IfFile>' in text
    inline = replace(server, lua_version="5.3")
    (other,) = build_bundles(plan(host("a.example.org", server=inline)), pages(), SECRET, KEY)
    assert not [file for file in other.files if file.path.startswith(CODE_DIR)]
    assert code.content in next(file.content for file in other.files if file.path.endswith("20-lua.conf"))


def test_no_secret_no_way_in() -> None:
    """Without a bypass nothing of it is rendered, on either server."""
    for server in (facts(), facts("apache")):
        assert not [
            text for text in texts("a.example.org", server=server, secret=None).values() if "bypass" in text
        ]


def test_every_text_says_how_to_end_it() -> None:
    """Configuration, units and notes begin with what they are, whom to ask, and the one-line stop."""
    for path, text in texts("a.example.org").items():
        if path.startswith("/etc/"):
            assert "rm -rf /run/piquet/live /var/spool/piquet /var/lib/piquet/armed.json; sync" in text, path
            assert CAMPAIGN.contact in text, path


def test_agent_is_a_program() -> None:
    """The zipapp and a payload start with this Python and hold nothing but the agent."""
    with zipfile.ZipFile(io.BytesIO(agent_zipapp())) as archive:
        names = archive.namelist()
    assert all(name.startswith("piquet/") or name == "__main__.py" for name in names)
    assert (
        zipfile.ZipFile(io.BytesIO(payload({"verb": "status"}))).read("request.json")
        == b'{"verb":"status"}\n'
    )


def test_the_installed_agent_runs_by_the_python_of_its_host() -> None:
    """The schedule calls the file by itself, so what the inventory says stands in its first line."""
    served = replace(host("a.example.org"), python="/opt/python3.9/bin/python3")
    bundles = [build_bundles(plan(one), pages(), SECRET, KEY)[0] for one in (host("a.example.org"), served)]
    installed = [file.content for bundle in bundles for file in bundle.files if file.path == AGENT_PATH]
    first = [content.partition(b"\n")[0] for content in installed]
    assert first == [b"#!/usr/bin/python3", b"#!/opt/python3.9/bin/python3"]


def test_a_missing_page_is_an_error() -> None:
    """No phase without words."""
    with pytest.raises(BundleError, match="no page in 'fr'"):
        build_bundles(plan(host("a.example.org")), [], SECRET, KEY)


def test_two_phases_have_two_leases() -> None:
    """Each phase its own digits, pages and end."""
    second = replace(
        PHASE, number=2, start_at=PHASE.end_at + timedelta(days=1), end_at=PHASE.end_at + timedelta(days=2)
    )
    campaign = replace(CAMPAIGN, phases=(PHASE, second))
    both = [*pages(), *(replace(source, phase=2) for source in pages())]
    (bundle,) = build_bundles(plan(host("a.example.org"), campaign=campaign), both, None, KEY)
    paths = {file.path for file in bundle.files}
    assert {f"{WWW}/page/{n}/fr.html" for n in (1, 2)} <= paths
    text = next(file.content.decode() for file in bundle.files if file.path.endswith("20-decide.conf"))
    assert '"^piquet:page/2(?:/|$)" "Sun, 20 Dec 2026 00:00:00 GMT"' in text.replace("~", "")


def test_names_below_a_wildcard_follow_their_own_flag() -> None:
    """An unselected name below a selected wildcard is named, so that the wildcard does not take it along."""
    rows = site_rows(host("*.b.example.org", known=("x.b.example.org", "*.c.b.example.org", "d.example.org")))
    assert dict(rows) == {
        "*.b.example.org": "_.b.example.org",
        "x.b.example.org": "",
        "*.c.b.example.org": "",
    }
    apache = texts("*.b.example.org", known=("x.b.example.org",), server=facts("apache"))
    assert (
        r"%{SERVER_NAME} !~ m#^(?:x\x2eb\x2eexample\x2eorg)$#" in apache["/etc/piquet/apache/20-decide.conf"]
    )
    many = tuple(f"x{number}.b.example.org" for number in range(1000))
    apache = texts("*.b.example.org", known=many, server=facts("apache"))
    assert f"{WWW}/known/x7.b.example.org" in apache


@pytest.mark.parametrize(
    ("more", "sizes", "pattern"),
    [
        ({}, True, False),
        ({"map_hash_bucket_size": 64}, False, True),
        ({"map_hash_bucket_size": 256}, False, False),
    ],
)
def test_long_names_fit_or_become_patterns(more: dict, sizes: bool, pattern: bool) -> None:
    """nginx's table sizes are set only where they are needed and free; else long names become patterns."""
    text = texts(LONG, "*.example.org", server=facts(**more))["/etc/piquet/nginx/http/20-decide.conf"]
    assert sizes == ("map_hash_bucket_size" in text)
    assert pattern == (f'\n    "{LONG}" ' not in text)
    assert pattern == ('\n    "*.example.org" ' not in text), "wildcards stand behind exact names"


def test_short_names_leave_the_sizes_alone() -> None:
    """A small host's configuration keeps nginx's defaults."""
    assert "map_hash" not in texts("a.example.org")["/etc/piquet/nginx/http/20-decide.conf"]
