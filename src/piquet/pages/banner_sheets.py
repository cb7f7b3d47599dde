# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the style sheet of a theme's banner keeps to the banner, so that a site's own page looks as it always does.

Text in, problems out; no file. Rules must begin with the banner's element and stay inside of it, and whatever has
a name in the whole page (animations, fonts) must have one that nobody else uses. Rules inside of rules are refused: a
selector there means what those around it make of it.

Source: Selectors Level 4, 14 "Combinators"; CSS Nesting 1; CSS Cascade Level 5, 6.4.3 (layers of a page are one order).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import tinycss2

from piquet.campaign.document import shown
from piquet.errors import Problem

ELEMENT = "aside[data-piquet].piquet-banner"
BANNER_CLASS_PREFIX = "piquet-"
_CONDITIONS = frozenset({"media", "supports", "container"})
_NAMED = frozenset({"keyframes", "-webkit-keyframes"})
_SIBLINGS = frozenset({"~", "+", "||"})
_SPACE = frozenset({"whitespace", "comment"})
_BARE = {"skip_comments": True, "skip_whitespace": True}
_Found = tuple[Any, str, str, str]


def reach_problems(file: str, text: str) -> Iterator[Problem]:
    """Every rule of a banner's style sheet that reaches beyond the banner."""
    problems = []
    for rule, expected, got, hint in _found_in(tinycss2.parse_stylesheet(text, **_BARE)):
        message, place = "this rule reaches beyond the banner", (rule.source_line, rule.source_column)
        problems.append(Problem(file, *place, message, expected, shown(got), hint))
    yield from sorted(problems)


def _found_in(rules: list[Any]) -> Iterator[_Found]:
    """However deep; not told of what cannot be read, which is told with the tokens."""
    pending = [rules]
    while pending:
        for rule in pending.pop():
            if rule.type == "qualified-rule":
                yield from _style_rule(rule)
            elif rule.type == "at-rule" and rule.lower_at_keyword in _CONDITIONS:
                pending.append(tinycss2.parse_rule_list(rule.content or [], **_BARE))
            elif rule.type == "at-rule":
                yield from _found_names(rule)


def _style_rule(rule: Any) -> Iterator[_Found]:
    got = tinycss2.serialize(rule.prelude).strip()
    if not all(_stays_inside(selector) for selector in _split(rule.prelude)):
        yield rule, f"{ELEMENT} …", got, "begin each selector with the banner's element"
    if any(token.type == "{} block" for token in rule.content):
        yield rule, "declarations only", got, "write the rules inside of this one beside it"


def _stays_inside(selector: list[Any]) -> bool:
    """The element first, and if what follows stands beside it, then that is the element again.

    Whatever is below the element may have siblings: they are below it, too.
    """
    rest = iter(token for token in selector if token.type != "comment")
    while True:
        first = next((token for token in rest if token.type != "whitespace"), None)
        if not _is_element([first, *islice(rest, 3)]):
            return False
        after = next((token for token in rest if _is_combinator(token)), None)
        if after is not None and after.type == "whitespace":
            after = next((token for token in rest if token.type != "whitespace"), None)
        if after is None or after.type != "literal" or after.value not in _SIBLINGS:
            return True


def _is_element(tokens: list[Any]) -> bool:
    """Whether these are the tokens of `ELEMENT`, however they are written: class before attribute, capitals."""
    types = [getattr(token, "type", "") for token in tokens]
    if types == ["ident", "literal", "ident", "[] block"]:
        element, dot, name, attribute = tokens
    elif types == ["ident", "[] block", "literal", "ident"]:
        element, attribute, dot, name = tokens
    else:
        return False
    return [element.lower_value, dot.value, name.value] == ["aside", ".", "piquet-banner"] and [
        (token.type, getattr(token, "lower_value", "")) for token in attribute.content
    ] == [("ident", "data-piquet")]


def _is_combinator(token: Any) -> bool:
    return token.type == "whitespace" or (token.type == "literal" and token.value in {">", *_SIBLINGS})


def _split(tokens: list[Any]) -> list[list[Any]]:
    """Selectors between commas; an empty one is one, too."""
    parts: list[list[Any]] = [[]]
    for token in tokens:
        if token.type == "literal" and token.value == ",":
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _found_names(rule: Any) -> Iterator[_Found]:
    name, at = tinycss2.serialize(rule.prelude).strip(), f"@{rule.at_keyword}"
    if rule.lower_at_keyword in _NAMED and name.startswith(BANNER_CLASS_PREFIX):
        return
    if rule.lower_at_keyword == "font-face" and _family(rule).startswith(BANNER_CLASS_PREFIX):
        return
    if rule.lower_at_keyword in _NAMED or rule.lower_at_keyword == "font-face":
        got = f"{at} {name or _family(rule)}"
        yield (
            rule,
            f"a name that begins with {BANNER_CLASS_PREFIX}",
            got,
            f"call it {BANNER_CLASS_PREFIX}…, here and where it is used",
        )
    elif rule.lower_at_keyword not in (
        "charset",
        "import",
        "namespace",
    ):  # told with the tokens, or without effect
        yield rule, f"{ELEMENT} …", at, "take it out"


def _family(rule: Any) -> str:
    """The name of the font; the last one counts."""
    declared = tinycss2.parse_blocks_contents(rule.content or [], **_BARE)
    names = [
        token.value
        for item in declared
        if item.type == "declaration" and item.lower_name == "font-family"
        for token in item.value
        if token.type not in _SPACE and hasattr(token, "value")
    ]
    return str(names[0]) if len(names) == 1 else ""
