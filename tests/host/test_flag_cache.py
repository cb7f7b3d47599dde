# SPDX-License-Identifier: GPL-3.0-or-later
"""How long nginx may see a flag that is gone: the figure of the survey, held against what nginx itself does."""

from __future__ import annotations

from pathlib import Path

import pytest

from piquet.plan.gates.server import server_findings
from piquet.servers.nginx.kind import NGINX_KIND
from tests.host.folder_host import SITES, FolderHost

ON = "open_file_cache max=100;"
FIGURES = {
    ("", ""): (0, 0),
    (ON, ""): (60, 60),
    (f"{ON} open_file_cache_valid 1h;", ""): (3600, 3600),
    (f"{ON} open_file_cache_valid 1h30m;", ""): (5400, 5400),
    (f"{ON} open_file_cache_valid 5;", ""): (5, 5),
    (f"{ON} open_file_cache_valid 0;", ""): (0, 0),
    ("open_file_cache_valid 1h;", ""): (0, 0),
    ("open_file_cache_valid 1h;", ON): (3600, 0),
    (f"{ON} open_file_cache_valid 1h;", "open_file_cache off;"): (0, 3600),
    (f"{ON} open_file_cache_valid 1h;", "open_file_cache_valid 2s;"): (2, 3600),
    (ON, "location /x { open_file_cache_valid 1w; }"): (60, 60),
    ("", "location / { open_file_cache max=9; }"): (0, 0),
    (f"{ON} open_file_cache_min_uses 9; open_file_cache_errors on; open_file_cache_valid 1M;", ""): (
        2_592_000,
    )
    * 2,
}
"""At http level, in the first site's block → seconds for the first site, for the second."""


def configured(host: FolderHost, http: str, server: str) -> None:
    """Write it where the owner would."""
    (host.root / "etc/nginx/conf.d/own.conf").write_text(f"{http}\n")
    file = Path(host.root / f"etc/nginx/sites-available/{SITES[0]}")
    file.write_text(file.read_text().replace("server {", f"server {{ {server}", 1))


@pytest.mark.parametrize(("said", "expected"), FIGURES.items(), ids=lambda value: str(value)[:70])
def test_the_figure_is_that_of_the_block_itself(
    still: FolderHost, said: tuple[str, str], expected: tuple[int, int]
) -> None:
    """Each statement is inherited by itself, and no location has a say."""
    configured(still, *said)
    machine = still.machine()
    assert machine.servers["nginx"].test().ok, machine.servers["nginx"].test().output
    survey = machine.servers["nginx"].survey()
    assert survey is not None
    lags = {name: block["flag_lag_s"] for block in survey.document["blocks"] for name in block["names"]}
    assert (lags[SITES[0]], lags[SITES[1]]) == expected
    assert survey.document["http"]["flag_lag_s"] == max(expected)
    assert machine.hooked_server.flag_lag_s() == max(expected)
    facts = NGINX_KIND.facts(survey.document)
    told = [
        f.got
        for f in server_findings(NGINX_KIND, "web1", facts, is_planned=False)
        if f.code == "open-file-cache"
    ]
    assert told == [f"{lag_s} s" for lag_s in (max(expected),) if lag_s]


@pytest.mark.parametrize(
    ("said", "is_late"),
    [
        ((ON, ""), True),
        (("open_file_cache_valid 1h;", ON), True),
        ((f"{ON} open_file_cache_valid 1h;", "open_file_cache off;"), False),
        (("", "location / { open_file_cache max=9; }"), False),
    ],
)
def test_nginx_does_what_the_figure_says(host: FolderHost, said: tuple[str, str], is_late: bool) -> None:
    """Seen on the running server: where the figure is 0 the site is back at once, else it is not."""
    configured(host, *said)
    host.arm()
    assert host.is_ours() and host.is_ours()
    (host.paths.live / SITES[0]).unlink()
    assert host.is_ours() == is_late
