# SPDX-License-Identifier: GPL-3.0-or-later
"""There and back is byte-identical, for any file an owner may have written, also after edits elsewhere."""

from __future__ import annotations

from pathlib import Path

import crossplane
import pytest
from hypothesis import given
from hypothesis import strategies as st

from piquet.host.servers.nginx import config as nginx_config
from piquet.host.servers.nginx import hook_line
from piquet.host.servers.nginx.tokens import ConfigSyntaxError, Directive, parse_directives, server_blocks
from piquet.protocol.places import HOOK_MARK

EOLS = ["\n", "\r\n"]
HEADS = ["server {", "server{", "  server\t{", "server # not {\n {", "server\n{"]
AFTER = ["", " ", "\t", " # a comment; with {", " listen 80;", "server_name a;"]
BODIES = [
    "server_name 'a\\'b{' \"c}d\";",
    "location / { return 200 '}'; }",
    'if ($http_x ~ "^a{2}$") { return 403; }',
    'set $a ${b}; set $c "${d}";',
    "# server {",
    "return 200 'server { include x; }';",
    "content_by_lua_block { local t = { '}', \"{\" } -- }}\n local s = [[ } ]] --[==[ } ]==]\n }",
    "rewrite ^/a\\{2\\}(.*)$ /b break;",
    "",
]
OTHERS = [
    "# server {",
    "map $a $b { default '{'; server x; }",
    "upstream u { server 10.0.0.1:80; }",
    "",
    "# café €",
]


@st.composite
def blocks(draw: st.DrawFn) -> str:
    """One server block, on one line or many."""
    eol = draw(st.sampled_from(EOLS))
    after = draw(st.sampled_from(AFTER))
    body = eol.join(draw(st.lists(st.sampled_from(BODIES), max_size=4)))
    return draw(st.sampled_from(HEADS)) + after + eol + body + eol + "}"


@st.composite
def texts(draw: st.DrawFn) -> tuple[list[str], str]:
    """Pieces of a file included inside http, and what is between them."""
    one_line = st.sampled_from(["server { listen 80; }", "server{}", "server {listen 80;}"])
    pieces = draw(st.lists(st.one_of(blocks(), one_line, st.sampled_from(OTHERS)), max_size=6))
    return pieces, draw(st.sampled_from(EOLS))


@given(texts())
def test_there_and_back(made: tuple[list[str], str]) -> None:
    """Every server block gets the line, as its first directive; removal gives the very bytes back."""
    pieces, eol = made
    text = eol.join(pieces).encode()
    hooked = hook_line.insert_hook(text, "http")
    before, after = server_blocks(text, "http"), server_blocks(hooked, "http")
    assert len(after) == len(before)
    for block in after:
        assert block.directive.children[0].arguments == (hook_line.INCLUDE,)
    assert hook_line.insert_hook(hooked, "http") == hooked
    assert hook_line.remove_hook(hooked) == text
    assert hook_line.remove_hook(text) == text


@given(
    texts(), st.integers(0, 6), st.sampled_from(["# new\n", "server { listen 81; }\n", "map $x $y { }\r\n"])
)
def test_edits_elsewhere_survive(made: tuple[list[str], str], place: int, edit: str) -> None:
    """Whatever the owner adds between blocks after the hook is there after the removal, and nothing else is."""
    pieces, eol = made
    mark = "# here it goes"
    place = min(place, len(pieces))
    text = eol.join([*pieces[:place], mark, *pieces[place:]]).encode()
    hooked = hook_line.insert_hook(text, "http").replace(mark.encode(), edit.encode())
    assert hook_line.remove_hook(hooked) == text.replace(mark.encode(), edit.encode())


@given(st.binary(max_size=200))
def test_any_bytes_are_left_alone_or_come_back(text: bytes) -> None:
    """No file is too strange: it is refused, or comes back as it was."""
    try:
        hooked = hook_line.insert_hook(text)
    except (ConfigSyntaxError, hook_line.RemainsError):
        hooked = text
    assert hook_line.remove_hook(hooked) == text


@pytest.mark.parametrize(
    ("text", "hooked"),
    [
        (b"server {\n}\n", b"server {\n    LINE\n}\n"),
        (b"server {\r\n}\r\n", b"server {\r\n    LINE\r\n}\r\n"),
        (b"server { listen 80; }", b"server {\n    LINE, inline\n listen 80; }"),
        (b"server { # one {\n}\n", b"server {\n    LINE, inline\n # one {\n}\n"),
        (b"server {\r}", b"server {\n    LINE, inline\n\r}"),
    ],
)
def test_the_exact_form(text: bytes, hooked: bytes) -> None:
    """Where the line goes is agreed with everything that looks for it."""
    assert hook_line.insert_hook(text, "http") == hooked.replace(b"LINE", hook_line.line())


def test_only_servers_of_http() -> None:
    """`server` in stream, mail, upstream, a comment, a string or a Lua block is not a site."""
    text = b"""stream { server { listen 1; } } mail { server { } }
    http { upstream a { server b; } # server {
      init_by_lua_block { local x = "server {" }
      log_format x 'server {'; server { } map $a $b { server 1; } }
    server { }"""
    assert hook_line.insert_hook(text).count(HOOK_MARK.encode()) == 1
    assert hook_line.insert_hook(text, "http").count(HOOK_MARK.encode()) == 1, (
        "the last one, if the file is included in http"
    )


@pytest.mark.parametrize(
    "edited",
    [
        b"server {\n\tLINE\n}\n",
        b"server {\n\t# first\n        LINE\n}\n",
        b"server {\n    LINE  \n}\n",
    ],
)
def test_a_reindented_line_is_taken_out_as_a_line(edited: bytes) -> None:
    """An editor that re-indents does not make our line the owner's."""
    left = hook_line.remove_hook(edited.replace(b"LINE", hook_line.line()))
    assert left == b"".join(row for row in edited.splitlines(keepends=True) if b"LINE" not in row)


def test_remains_are_refused() -> None:
    """Where our line stands outside any server block, inserting would make removal take out too much."""
    text = b"\n    " + hook_line.line() + b"\nserver { }\n"
    with pytest.raises(hook_line.RemainsError):
        hook_line.insert_hook(text, "http")


@pytest.mark.parametrize(
    "text", [b"server {", b"server }", b"a 'b;", b"{ }", b";", b"x_by_lua_block { '}' ", b"a"]
)
def test_broken_texts_are_refused(text: bytes) -> None:
    """nginx would refuse them too."""
    with pytest.raises(ConfigSyntaxError):
        parse_directives(text)


def flat(directives: tuple[Directive, ...]) -> list[tuple[str, int]]:
    """Names and lines of all directives, depth first."""
    return [row for d in directives for row in [(d.name, d.line), *flat(d.children)]]


def flat_crossplane(block: list[dict[str, object]]) -> list[tuple[str, int]]:
    """The same from crossplane."""
    rows = []
    for directive in block:
        if directive["directive"] != "#":
            rows.append((str(directive["directive"]), int(str(directive["line"]))))
            rows += flat_crossplane(directive.get("block", []))  # type: ignore[arg-type]
    return rows


SAMPLES = [
    *sorted((Path(__file__).parents[1] / "corpus/nginx").glob("*.conf")),
    *sorted(set(Path("/etc/nginx").rglob("*.conf")) - set(Path("/etc/nginx").rglob("modsecurity*.conf"))),
]
"""Also what the machine's nginx has; the rules of a firewall beside it are not in nginx's language."""


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_crossplane_reads_the_same(path: Path, tmp_path: Path) -> None:
    """An independent parser sees the same directives on the same lines, before and after the hook."""
    text = path.read_bytes()
    context = "main" if path.name == "nginx.conf" else "http"
    for version in (text, hook_line.insert_hook(text, context)):
        copy = tmp_path / "copy.conf"
        copy.write_bytes(version)
        payload = crossplane.parse(
            str(copy), single=True, check_ctx=False, check_args=False, comments=False, strict=False
        )
        assert payload["status"] == "ok", payload["errors"]
        assert flat(parse_directives(version)) == flat_crossplane(payload["config"][0]["parsed"])


def test_names_and_listens(tmp_path: Path) -> None:
    """What nginx's `listen` and `server_name` can say, with snippets and every kind of address."""
    (tmp_path / "snippet.conf").write_text("listen [::]:443 ssl; server_name Upper.Example.ORG;")
    conf = tmp_path / "nginx.conf"
    conf.write_text(
        "http { server { include snippet.conf; listen 443 ssl http2; listen 127.0.0.1; listen unix:/run/x;\n"
        " listen 8443 quic; listen 9000-9001 default_server; server_name .dot.org *.w.org ~^re www.*; }\n"
        " server { server_name _ ''; } }"
    )
    first, second = nginx_config.read_configuration(conf).blocks
    assert first.names == ("upper.example.org", "dot.org", "*.dot.org", "*.w.org")
    assert first.others == ("~^re", "www.*")
    assert [(x.address, x.port, x.tls, x.is_default) for x in first.listens] == [
        ("::", 443, True, False),
        ("0.0.0.0", 443, True, False),
        ("127.0.0.1", 80, False, False),
        ("0.0.0.0", 9000, False, True),
        ("0.0.0.0", 9001, False, True),
    ]
    assert (second.names, second.listens[0].port) == ((), 80)
    assert (first.quic, second.quic) == (("8443",), ())
    conf.write_text("http { server { listen 8443 quic; http3 off; } }")
    (off,) = nginx_config.read_configuration(conf).blocks
    assert (off.listens, off.quic) == ((), ())
