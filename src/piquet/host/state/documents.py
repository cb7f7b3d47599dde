# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading documents that a disk error, an editor or a restore may have left in any state: a value, or one of `FAULTS`.

JSON allows more than can be worked with: numbers beyond every float, NaN, lone surrogates, nesting without end.
"""

from __future__ import annotations

import json
import math
from typing import Any, Dict, List, Optional

FAULTS = (
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    IndexError,
    OverflowError,
    RecursionError,
    MemoryError,
)
"""All that reading a damaged document can raise."""

_LAST_INSTANT = 253_402_300_799
"""The last second of the year 9999: what comes later cannot be written as a date."""
_NAME_BYTES = 255


def parse_document(data: bytes) -> Dict[str, Any]:
    """A JSON object that can be written again.

    Raises:
        ValueError, RecursionError, …: one of `FAULTS`.
    """
    document = json.loads(data.decode("utf-8"))
    if not isinstance(document, dict):
        raise TypeError("not a JSON object")
    if b"\\u" in data:  # half of a surrogate pair is no text
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    return document


def text(value: Any) -> str:
    """A string that can be written again."""
    if not isinstance(value, str):
        raise TypeError(f"not a string: {type(value).__name__}")
    value.encode("utf-8")
    return value


def epoch_seconds(value: Any) -> float:
    """Epoch seconds that are a date."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"not a number: {type(value).__name__}")
    found = float(value)
    if not math.isfinite(found) or not 0 <= found <= _LAST_INSTANT:
        raise ValueError("no instant that has a date")
    return found


def path(value: Any) -> str:
    """An absolute path."""
    found = text(value)
    if not found.startswith("/") or "\0" in found:
        raise ValueError("no absolute path")
    return found


def paths(value: Any) -> List[str]:
    """A list of them."""
    if not isinstance(value, list):
        raise TypeError(f"not a list: {type(value).__name__}")
    return [path(one) for one in value]


def count(value: Any) -> int:
    """A whole number that is not negative and fits into 64 bits."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"not a whole number: {type(value).__name__}")
    if not 0 <= value < 2**64:
        raise ValueError("a number out of range")
    return value


def count_or_none(value: Any) -> Optional[int]:
    """The same, or nothing."""
    return None if value is None else count(value)


def instant_or_none(value: Any) -> Optional[float]:
    """The same, or nothing."""
    return None if value is None else epoch_seconds(value)


def instants(value: Any) -> Dict[str, float]:
    """Instants by the key of an entry."""
    return {key(name): epoch_seconds(at) for name, at in _items(value)}


def whole_instants(value: Any) -> Dict[str, int]:
    """The same in whole seconds."""
    return {name: int(at) for name, at in instants(value).items()}


def _items(value: Any) -> List[Any]:
    if not isinstance(value, dict):
        raise TypeError(f"not an object: {type(value).__name__}")
    return list(value.items())


def key(value: Any) -> str:
    """The key of an entry, which is the name of a file in one folder and nothing else."""
    found = text(value)
    if found in ("", ".", "..") or "/" in found or "\0" in found or len(found.encode("utf-8")) > _NAME_BYTES:
        raise ValueError("no name of a flag")
    return found
