# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of platforms in the docs says what the agent's records say."""

from __future__ import annotations

import re

from piquet.host.servers.registry import servers_of
from piquet.host.system.paths import Paths
from piquet.host.system.platforms import FAMILIES, UNKNOWN, parse_os_release, platform_of
from testbed import image
from testbed.layout import OS_RELEASE
from tests.host.platforms_document import IMITATED, PATH, RUN_ON, platforms_document
from tests.suites import mixed_fleet


def test_the_document_is_what_the_records_say(is_regenerating: bool) -> None:
    """Word for word what the generator makes; `--regenerate` writes it anew."""
    made = platforms_document()
    if is_regenerating:
        PATH.write_text(made, encoding="utf-8")
    assert made == PATH.read_text("utf-8")


def test_only_what_is_booted_is_said_to_be_run_on() -> None:
    """The images of the test hosts are of the one family that the table claims, and of all releases that it names."""
    images = [image.ready_image(suite=suite) for suite in ("", *mixed_fleet().values())]
    releases = [parse_os_release((one / "etc/os-release").read_text("utf-8")) for one in images]
    assert {platform_of(release).name for release in releases} == RUN_ON.keys()
    (text,) = RUN_ON.values()
    assert {release["VERSION_ID"] for release in releases} == set(re.findall(r"\d+", text))


def test_what_is_imitated_is_no_more_than_that() -> None:
    """The other layout of test hosts is of the family that the table says is imitated, and of none that is run on."""
    assert {platform_of(parse_os_release(OS_RELEASE)).name} == IMITATED.keys()
    assert not IMITATED.keys() & RUN_ON.keys()


def test_families_are_told_apart() -> None:
    """Each id leads to one record, a derivative to that of its parent, and a stranger to none of them."""
    ids = [name for family in FAMILIES for name in family.ids]
    assert len(ids) == len(set(ids))
    assert [platform_of({"ID": name}).name for name in ids] == [f.name for f in FAMILIES for _ in f.ids]
    assert platform_of({"ID": "rocky", "ID_LIKE": "rhel centos fedora"}).name == "redhat"
    assert platform_of({"ID": "plan9"}) is UNKNOWN


def test_every_family_has_its_own_paths() -> None:
    """All are absolute, so that none of them depends on where the agent runs; a folder may be missing."""
    for server in (s for family in FAMILIES for s in servers_of(family, Paths()).values()):
        is_ = server.packaged
        assert is_.conf.startswith("/") and is_.pid.startswith("/"), server.platform.name
        assert is_.dropin == "" or is_.dropin.startswith("/etc/")
