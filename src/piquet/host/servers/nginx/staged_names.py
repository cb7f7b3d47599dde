# SPDX-License-Identifier: GPL-3.0-or-later
"""Which names nginx shows the strike for, and in which phases, as our own maps say it: read back before arming."""

from __future__ import annotations

import re
from typing import Dict, List, Mapping, Sequence, Set, Tuple

from piquet.host.state.manifest import StagedEntry
from piquet.protocol.lease import windows_in

_MAP = re.compile(r"^map (?P<from>\S+|\"[^\"]*\") \$(?P<to>\w+) \{\n(?P<rows>.*?)^\}", re.M | re.S)
_ROW = re.compile(r'^ +(?P<key>"(?:[^"\\]|\\.)*"|\S+) (?P<value>"(?:[^"\\]|\\.)*"|[^\s;]+);', re.M)
_BELOW = r"^[^.].*\."
_HEX = re.compile(r"\\x([0-9a-f]{2})")


def names_that_differ(
    texts: Sequence[str], entries: Sequence[StagedEntry], spared: Sequence[str]
) -> List[Tuple[str, str]]:
    """What our maps say otherwise than the entries: what should be there, and what is."""
    maps = [found for text in texts for found in _MAP.finditer(text)]
    tables = {name: [_rows(found["rows"]) for found in maps if found["to"] == name] for name in _TABLES}
    clocks = [_rows(found["rows"]) for found in maps if found["from"] == "$msec"]
    if not all(map(_is_lease, (key for rows in clocks for key in rows))):
        return [("leases in their own form", "another expression over the clock")]
    if len(tables["piquet_entry"]) != 1 or any(len(found) > 1 for found in tables.values()):
        return [("one table of names", f"{len(tables['piquet_entry'])}")]
    rows = {_name(key): value for key, value in tables["piquet_entry"][0].items()}
    names = {name: key for name, key in rows.items() if key}
    expected = {entry.name: entry.key for entry in entries}
    found = [
        (f"{name} by {expected.get(name, 'no flag')}", f"by {names.get(name, 'no flag')}")
        for name in sorted(expected.keys() | names.keys())
        if expected.get(name) != names.get(name)
    ]
    found += [(f"{name} as usual", "as the names around it") for name in spared if rows.get(name) != ""]
    return found + [fault for entry in entries for fault in _phases(entry, tables)]


_TABLES = ("piquet_entry", "piquet_share", "piquet_leased", "piquet_real")


def _phases(entry: StagedEntry, tables: Mapping[str, List[Dict[str, str]]]) -> List[Tuple[str, str]]:
    """Whether an entry is shown in its own phases and in no other."""
    real = tables["piquet_real"][0] if tables["piquet_real"] else {}
    if tables["piquet_leased"]:
        shares = {_name(key): letter for key, letter in (tables["piquet_share"] or [{}])[0].items()}
        letter = shares.get(entry.key, "")
        here: Set[str] = {value for key, value in real.items() if key.partition(":")[2] == letter}
    else:
        here = set(real.values())
    phases = {number for number in here if number}
    if phases == set(map(str, entry.phases)):
        return []
    return [
        (f"{entry.name} in phases {_in_order(map(str, entry.phases))}", f"in {_in_order(phases) or 'none'}")
    ]


def _is_lease(key: str) -> bool:
    """Whether a row is a window and nothing else: another expression would be read by nobody but nginx."""
    ends = [end for end, _ in windows_in(key)]
    return key.startswith("~^(?:") and ends == [len(key) - 2] and key.endswith(r"\.")


def _in_order(numbers: "Sequence[str] | Set[str] | map[str]") -> str:
    return ", ".join(sorted(numbers))


def _rows(text: str) -> Dict[str, str]:
    """Left and right sides without their quotes; `default` and `hostnames` are none."""
    found = {_plain_token(row["key"]): _plain_token(row["value"]) for row in _ROW.finditer(text)}
    found.pop("default", None)
    return found


def _plain_token(token: str) -> str:
    return re.sub(r"\\(.)", r"\1", token[1:-1]) if token.startswith('"') else token


def _name(key: str) -> str:
    """A name, also where it stands as a pattern because it is too long for the table."""
    if not key.startswith("~"):
        return key[1:] if key.startswith("\\") else key
    text = _HEX.sub(lambda found: chr(int(found[1], 16)), key[1:])
    if text.startswith(_BELOW) and text.endswith("$"):
        return f"*.{text[len(_BELOW) : -1]}"
    return text[1:-1] if text.startswith("^") and text.endswith("$") else key
