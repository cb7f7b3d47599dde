# SPDX-License-Identifier: GPL-3.0-or-later
"""Which directives of the owner's a survey names because by Lua they would change our answers."""

from __future__ import annotations

import pytest

from piquet.host.servers.nginx.config import own_words
from piquet.host.servers.nginx.tokens import parse_directives


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("subs_filter e E g;", {"server subs_filter"}),
        ("limit_rate 5k;", {"server limit_rate"}),
        ("limit_rate 0;", set()),
        ("add_trailer X-Seen $uri;", {"server add_trailer"}),
        ("header_filter_by_lua_block { return }", {"server header_filter_by_lua"}),
        ("more_set_headers 'Retry-After: 5';", {"server more_headers:retry-after"}),
        ("more_clear_headers 'X-P*';", {"server more_headers:x-piquet"}),
        ("more_set_headers 'X-Owner: 5';", set()),
    ],
)
def test_what_would_change_our_answers_is_named(line: str, expected: set[str]) -> None:
    """And nothing else."""
    (directive,) = parse_directives(line.encode())
    assert own_words(directive, "server") == expected
