# SPDX-License-Identifier: GPL-3.0-or-later
"""Quoting: what goes in comes out of the server's own parser, or is refused."""

import re
import subprocess

import pytest
from crossplane.lexer import lex
from hypothesis import given
from hypothesis import strategies as st

from piquet.errors import BundleError
from piquet.servers import quoting

printable = st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126))


def unquoted(token: str) -> str:
    """What nginx and Apache make of a double-quoted token that holds no tab and no line end."""
    assert token[0] == token[-1] == '"'
    chars, result = iter(token[1:-1]), ""
    for char in chars:
        assert char != '"'
        result += next(chars) if char == "\\" else char
    return result


@given(printable.filter(lambda text: "$" not in text))
def test_tokens_come_back(text: str) -> None:
    """One token, the same text, for both servers."""
    assert unquoted(quoting.nginx_token(text)) == text
    assert unquoted(quoting.apache_argument(text)) == text


def test_nginx_lexer_sees_one_token(tmp_path) -> None:
    """A hostile value stays one argument for an independent reader of nginx's language."""
    hostile = 'a"; } server { listen 1; } #'
    (tmp_path / "x.conf").write_text(f"set {quoting.nginx_token(hostile)};\n")
    assert [token for token, *_ in lex(str(tmp_path / "x.conf"))] == ["set", hostile, ";"]


@pytest.mark.parametrize("value", ["a\nb", "a\0b", "é", "a$b", "\x7f"])
@pytest.mark.parametrize("quote", [quoting.nginx_token, quoting.apache_argument])
def test_what_cannot_be_written_is_refused(quote, value: str) -> None:
    """No near miss: control characters, other alphabets and variables raise."""
    with pytest.raises(BundleError, match="cannot be written"):
        quote(value)


def test_define_and_delimiter_are_refused_in_apache_expressions() -> None:
    """`${` would be replaced while Apache reads, `#` would end the expression."""
    for value in ("a${HOME}", "a#b", 'a"b'):
        with pytest.raises(BundleError):
            quoting.apache_regex(value)


@pytest.mark.parametrize("words", [["date", "+%H%M"], ["a b", "c'd", "$x", "%"], ["x;y", "#", "&&", "`z`"]])
def test_cron_commands_come_back(words: list[str]) -> None:
    """A shell that reads what cron leaves of the line sees the same words: every `%` was kept from cron."""
    line = quoting.cron_command(words)
    assert re.findall(r"(?<!\\)%", line) == []
    script = f"for word in {line.replace(chr(92) + '%', '%')}; do printf '%s\\n' \"$word\"; done"
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == words


@pytest.mark.parametrize("value", ["a\nb", "a\0b", "é", "a\\b"])
def test_what_cron_cannot_say_is_refused(value: str) -> None:
    """A newline would end the job, and crons differ in what a backslash becomes."""
    with pytest.raises(BundleError, match="cannot be written"):
        quoting.cron_command(["x", value])


def test_map_words_get_their_backslash() -> None:
    """A site called `default` is a site, not the default."""
    assert quoting.nginx_map_key("default") == '"\\\\default"'
    assert quoting.nginx_map_key("www.example.org") == '"www.example.org"'


@given(st.text())
def test_comments_stay_on_their_line(text: str) -> None:
    """Nothing in a comment can begin a directive."""
    assert "\n" not in quoting.comment(text)
    assert "\r" not in quoting.comment(text)
