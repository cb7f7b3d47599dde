# SPDX-License-Identifier: GPL-3.0-or-later
"""What access logs suggest of load balancers in front; whatever visitors write there does no harm."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from piquet.host.servers.nginx.server import Nginx
from piquet.host.system.access_logs import health_checks

LINE = '{who} - - [17/Dec/2026:00:00:01 +0100] "{request}" 200 612 "-" "{agent}"\n'


def log(root: Path, name: str, *lines: str) -> Path:
    """One log of nginx's."""
    path = root / "var/log/nginx" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(lines))
    return path


def line(request: str, agent: str = "-", who: str = "192.0.2.1") -> str:
    """One line of it."""
    return LINE.format(who=who, request=request, agent=agent)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([line("GET /up?x=1 HTTP/1.1", "ELB-HealthChecker/2.0")] * 10, [("/up", "ELB-HealthChecker", 10)]),
        ([line("OPTIONS / HTTP/1.0")] * 12, [("/", "a program without a name", 12)]),
        ([line("GET /up HTTP/1.1", "kube-probe/1.30")] * 9, []),
        ([line("GET / HTTP/1.1", "Mozilla/5.0")] * 50, []),
        ([line("GET / HTTP/1.1", who=f"192.0.2.{n}") for n in range(50)], []),
        ([line("POST /up HTTP/1.1", "HAProxy")] * 20, []),
        (["\x00\xff not a line at all\n", '"' * 5000 + "\n"] * 50, []),
        ([line("GET /" + "a" * 300 + " HTTP/1.1", "HAProxy")] * 20, []),
        ([line(f"GET /{n} HTTP/1.1", "HAProxy") for n in range(9) for _ in range(20 - n)],
         [(f"/{n}", "HAProxy", 20 - n) for n in range(5)]),
    ],
)  # fmt: skip
def test_a_path_that_is_asked_again_and_again_is_told(
    lines: list[str], expected: list[tuple[str, str, int]], tmp_path: Path
) -> None:
    """By a checker's name, or by one address without a name; not what visitors and robots ask."""
    log(tmp_path, "access.log", *lines)
    assert expected == [
        (r["path"], r["agent"], r["count"]) for r in health_checks(tmp_path, Nginx.access_logs)
    ]


def test_only_the_end_of_the_newest_logs_is_read(tmp_path: Path) -> None:
    """However large they are, and whoever has taken one away meanwhile."""
    big = log(
        tmp_path,
        "big.access.log",
        line("GET /old HTTP/1.1", "HAProxy") * 200_000,
        line("GET / HTTP/1.1") * 2000,
    )
    for number in range(30):
        old = log(tmp_path, f"{number}-access.log", line("GET /older HTTP/1.1", "HAProxy") * 20)
        os.utime(old, (1000 + number, 1000 + number))
    (tmp_path / "var/log/nginx/gone-access.log").symlink_to("nowhere")
    begun = time.process_time()
    found = health_checks(tmp_path, Nginx.access_logs)
    assert time.process_time() - begun < 2, f"{big.stat().st_size} bytes"
    assert {record["path"] for record in found} == {"/", "/older"}
    assert next(r["count"] for r in found if r["path"] == "/older") == 19 * 20


def test_nothing_is_told_where_nothing_is_logged(tmp_path: Path) -> None:
    """No folder, no file, no line."""
    assert health_checks(tmp_path, Nginx.access_logs) == []
    log(tmp_path, "access.log")
    assert health_checks(tmp_path, Nginx.access_logs) == []
