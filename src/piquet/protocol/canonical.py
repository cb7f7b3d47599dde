# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON whose bytes follow from its meaning, so that digests can be taken of it. No file, no network, no clock."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Tuple


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no spaces, UTF-8, one newline at the end; what digests are taken of."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return (text + "\n").encode()


def read_canonical(document: bytes) -> Any:
    """The value of a document in exactly this form, without floats.

    Raises:
        ValueError: it is no JSON, holds a float or a key twice, or its bytes are not those that its meaning has.
    """
    try:
        text = document.decode("utf-8")
        value = json.loads(
            text, parse_float=_no_float, parse_constant=_no_float, object_pairs_hook=_unique_pairs
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if canonical(value) != document:
        raise ValueError("its bytes are not the canonical ones of what it says")
    return value


def _no_float(text: str) -> Any:
    raise ValueError(f"{text[:20]} is no whole number")


def _unique_pairs(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found
