# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host tells of a rehearsal: links that hold its secret, for whoever asked and nobody else. No file here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from piquet.printable import in_one_line

_LAST = 2**40
"""No end lies behind this; a larger number is no instant."""


def checked(told: Any) -> Mapping[str, Any]:
    """The document as the agent makes it, `{}` where there is none.

    Raises:
        TypeError: it is not in the agreed form.
    """
    if not told:
        return {}
    links, numbers = told["links"], (told["phase"], told["until"], told["sites"])
    are_whole = all(type(number) is int and 0 <= number < _LAST for number in numbers)
    are_texts = isinstance(links, list) and all(isinstance(text, str) for text in (told["path"], *links))
    if not (are_whole and are_texts):
        raise TypeError("a rehearsal is no phase with an end and links")
    return {name: told[name] for name in ("phase", "until", "path", "sites", "links")}


def links_text(told: Mapping[str, Any]) -> str:
    """The links to open, one a line; where there are more sites than links, what they have in common."""
    lines = [f"  {in_one_line(link)}" for link in told["links"]]
    more = told["sites"] - len(lines)
    return "\n".join(
        [*lines, *([f"  {more} more sites: {in_one_line(told['path'])} on each"] if more > 0 else [])]
    )
