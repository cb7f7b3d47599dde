# SPDX-License-Identifier: GPL-3.0-or-later
"""What access logs suggest of load balancers in front: paths that are asked again and again by a health check.

Visitors write these lines too, so it is a hint and no more. Only the end of the newest files is read, and of what
stands there a path, a program's name and a count are kept, no address.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Tuple

_FILES = 20
_TAIL_BYTES = 65536
_LEAST = 10
"""So often at least in what was read."""
_SHOWN = 5
_LINE = re.compile(
    r'^(?P<who>\S+) [^"\n]{1,200}"(?P<method>GET|HEAD|OPTIONS) (?P<path>/[!-~]{0,199}) HTTP/1\.[01]" \d{3} \S+'
    r' "[^"\n]{0,500}" "(?P<agent>[^"\n]{0,200})"'
)
"""Source: nginx, `log_format combined`; Apache, `LogFormat … combined`."""
_CHECKER = re.compile(
    r"(?i)(haproxy|elb-healthchecker|googlehc|kube-probe|envoy|traefik|consul health|azure traffic manager"
    r"|cloudflare-traffic-manager)"
)


def health_checks(root: Path, patterns: Iterable[str]) -> List[Dict[str, Any]]:
    """Paths that look like a health check's, the most frequent first.

    Args:
        root: of the machine.
        patterns: of log files below it.
    """
    asked: Counter[Tuple[str, str]] = Counter()
    nameless: Counter[Tuple[str, str]] = Counter()
    for line in _lines(root, patterns):
        found = _LINE.match(line)
        if not found:
            continue
        path, agent = found["path"].partition("?")[0], found["agent"]
        checker = _CHECKER.search(agent)
        if checker:
            asked[(path, checker.group(1))] += 1
        elif agent in ("", "-"):
            nameless[(path, found["who"])] += 1
    for (path, _), count in nameless.items():  # HAProxy gives no name unless it is told to
        if count >= _LEAST:
            asked[(path, "a program without a name")] += count
    often = [(pair, count) for pair, count in asked.most_common() if count >= _LEAST]
    return [{"path": path, "agent": agent, "count": count} for (path, agent), count in often[:_SHOWN]]


def _lines(root: Path, patterns: Iterable[str]) -> Iterator[str]:
    """The last lines of the newest logs, each whole."""
    found = [path for pattern in patterns for path in root.glob(pattern) if path.is_file()]
    for path in sorted(found, key=_age)[:_FILES]:
        try:
            with path.open("rb") as stream:
                size = stream.seek(0, 2)
                stream.seek(max(0, size - _TAIL_BYTES))
                text = stream.read(_TAIL_BYTES).decode("utf-8", "replace")
        except OSError:
            continue
        yield from text.splitlines()[1 if size > _TAIL_BYTES else 0 :]


def _age(path: Path) -> float:
    """Newest first; one that has just gone is last."""
    try:
        return -path.stat().st_mtime
    except OSError:
        return 0.0
