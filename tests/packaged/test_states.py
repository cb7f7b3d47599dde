# SPDX-License-Identifier: GPL-3.0-or-later
"""Web applications with the configurations that Debian's packages ship: nobody notices us but inside the window.

One nginx and one Apache host carry them all. Every application is asked the same before anything of ours is there, and
staged, armed, inside the window, rolled back and removed. What an application changes by itself is found by asking it
three times at the start: once to warm it up, twice to see what differs (`tests.packaged.likeness`).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from testbed import Fleet
from testbed.packaged import PACKAGED
from tests import figures
from tests.packaged.applications import APPLICATIONS, Application
from tests.packaged.owner import furnish
from tests.packaged.whole_campaign import STATES, Record, WholeCampaign

pytestmark = pytest.mark.long
"""Its image takes as long to make as all that is asked of it; CI runs it by itself."""


@pytest.fixture(scope="module")
def packaged() -> Iterator[Fleet]:
    """A fleet of its own: hosts of the packaged image, with their owner's vhosts."""
    with Fleet({"nginx": 1, "apache": 1}, recipe=PACKAGED) as fleet:
        for host in fleet:
            furnish(host)
        yield fleet


@pytest.fixture(scope="module")
def record(packaged: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Record:
    """One whole campaign over all applications; every state is asked once."""
    return WholeCampaign(packaged, tmp_path_factory.mktemp("packaged")).play()


@pytest.mark.parametrize("application", APPLICATIONS, ids=str)
def test_a_packaged_application_is_as_usual_but_inside_the_window(
    record: Record, application: Application
) -> None:
    """Staged, armed, rolled back and removed it answers as before; inside the window selected names show the strike.

    Names that are not selected, and the doors, answer as before in every state.
    """
    wrong = {state: record.wrong(state, application) for state in STATES}
    figures.note(
        "packaged",
        server=application.provider,
        package=application.package,
        version=record.version(application),
        requests=len(record.asked(application)),
        **{f"wrong_{state}": len(lines) for state, lines in wrong.items()},
    )
    assert [] == [f"{state}: {line}" for state, lines in wrong.items() for line in lines]


def test_foreign_files_are_what_they_were(record: Record) -> None:
    """The packages' files, linked or included from elsewhere, are byte for byte what they were; no file is left."""
    for before, after in record.foreign.values():
        assert "/etc/mailman3/nginx.conf" in before
        assert before == after


def test_the_comparison_sees_nearly_everything(record: Record, capsys: pytest.CaptureFixture[str]) -> None:
    """What may vary, since it varied unhooked, is little: no body more than half, one byte in a hundred at most."""
    usual = record.judge.usual.values()
    varying, size = sum(u.body.varying for u in usual), sum(u.body.size for u in usual)
    headers, all_headers = sum(u.masked_headers for u in usual), sum(len(u.headers) for u in usual)
    mostly = [str(question) for question, u in record.judge.usual.items() if 2 * u.body.varying > u.body.size]
    with capsys.disabled():
        print(
            f"\npackaged applications: {len(usual)} requests in each of {len(STATES)} states; "
            f"let vary: {varying} of {size} body bytes, {headers} of {all_headers} headers, "
            f"{len(mostly)} bodies by more than half"
        )
    assert [] == mostly
    assert varying * 100 < size


def test_survey_says_what_stands_in_the_way(record: Record) -> None:
    """The packages' configurations give one finding, and it is true: davical's rules are at server level.

    The nginx host's Apache carries the same packages and does not run, so nothing is said of it.
    """
    assert record.findings == {"nginx1": [], "apache1": ["server-level-rules"]}


def test_verify_agrees(record: Record) -> None:
    """`verify` finds nothing wrong inside the window or after removal, and says which site nobody outside reaches."""
    during, after = record.verified
    assert "every site that was asked answers as it should" in during
    assert "localhost on nginx1, 127.0.0.1:80: a loopback address, not reachable from outside" in during
    assert "Every site that was asked came back: 16 sites on 2 hosts" in after
