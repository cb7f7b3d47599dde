# SPDX-License-Identifier: GPL-3.0-or-later
"""`timer_resolution` stops the clock by which nginx begins and ends: the survey tells for how long."""

from __future__ import annotations

import time

import pytest

from piquet.controller.survey import survey_findings
from piquet.host.servers.nginx.times import milliseconds
from tests.host.folder_host import FolderHost

VALUES = {
    "100ms": 100,
    "1s": 1000,
    "1": 1000,
    "0": 0,
    "250": 250_000,
    "1m30s": 90_000,
    "'1s 500ms'": 1500,
    '"2s"': 2000,
}
"""As an owner writes it → milliseconds."""


@pytest.mark.parametrize("written", VALUES)
@pytest.mark.parametrize("is_included", [False, True])
def test_the_survey_tells_it(host: FolderHost, written: str, is_included: bool) -> None:
    """In nginx.conf or a file that it includes; nothing where it is off."""
    line, included = f"timer_resolution {written};\n", host.conf.parent / "snippets/timer.conf"
    included.write_text(line)
    host.conf.write_text((f"include {included};\n" if is_included else line) + host.conf.read_text())
    assert host.machine().servers["nginx"].test().ok
    outcome = host.good("survey")
    assert outcome.survey is not None
    assert outcome.survey["nginx"]["http"]["timer_resolution_ms"] == (VALUES[written] or None)
    told = [f.got for f in survey_findings("web1", outcome.survey) if f.code == "timer-resolution"]
    assert told == ([f"{VALUES[written]} ms"] if VALUES[written] else [])


def test_without_it_nothing_is_told(host: FolderHost) -> None:
    """Nor of a comment, or of a directive of another name."""
    host.conf.write_text("# timer_resolution 1s;\n" + host.conf.read_text())
    outcome = host.good("survey")
    assert outcome.survey is not None
    assert outcome.survey["nginx"]["http"]["timer_resolution_ms"] is None
    assert "timer-resolution" not in {found["code"] for found in outcome.survey["findings"]}


@pytest.mark.parametrize("text", ["", "s", "ms", "1x", "-1", "1s!", "1 S", "1,5s"])
def test_what_is_no_duration(text: str) -> None:
    """nginx refuses it, too, or it is nothing."""
    assert milliseconds(text) is None


@pytest.mark.long
@pytest.mark.parametrize("written", ["100ms", "1", "'1s 500ms'"])
def test_nginx_reads_it_so(host: FolderHost, written: str) -> None:
    """Its clock is late by up to that, and by no more than a moment besides."""
    path = next((host.conf.parent / "sites-available").iterdir())
    path.write_text(path.read_text().replace("return ", "add_header X-Piquet $msec; return "))
    host.conf.write_text(f"timer_resolution {written};\n" + host.conf.read_text())
    host.machine().servers["nginx"].reload()
    late_s, ends_at = 0.0, time.monotonic() + 4
    while time.monotonic() < ends_at:
        mark = host.answer(path.name).mark
        assert mark is not None
        late_s = max(late_s, time.time() - float(mark))
        time.sleep(0.01)
    wanted_s = VALUES[written] / 1000
    assert 0.7 * wanted_s < late_s < wanted_s + 0.25
