# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a disk error, an editor or a restore makes of our state files: never an exception, and always a release."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from piquet.host import status_document
from piquet.host.errors import StateError
from piquet.host.state import armed, journal, manifest, store, token_file
from tests.host.arming import arm, armable
from tests.host.folder_host import FolderHost

DEEP = b"[" * 200_000
WORST = (
    b"", b"{", b"[]", b"null", b"\xff\xfe{}", b"{}", DEEP, b'{"a":' * 100_000, b"1" * 5000, b"NaN", b'"\\ud800"',
)  # fmt: skip
"""Texts that are no document of ours at all."""
VALUES: tuple[Any, ...] = (
    None, True, -1, 10**400, 10**17, 1e300, float("inf"), float("-inf"), float("nan"), "", "\ud800", "../../x",
    "a\0b", "x" * 5000, [], [[]], {}, {"../x": 1}, {"a": 10**400}, {"a": float("nan")}, {"": 1.0}, {"\ud800": 1},
)  # fmt: skip
"""What may stand in the place of any value of a document."""


def paths_in(document: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value in a document."""
    rows = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in rows:
        yield (*before, key)
        if isinstance(value, (dict, list)):
            yield from paths_in(value, (*before, key))


def replaced(document: Any, way: tuple[Any, ...], value: Any) -> bytes:
    """The document with another value there."""
    changed = json.loads(json.dumps(document))
    place = changed
    for key in way[:-1]:
        place = place[key]
    place[way[-1]] = value
    return json.dumps(changed).encode()


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> FolderHost:
    """A staged host; each example arms it."""
    return armable(tmp_path_factory.mktemp("damaged") / "host")


NAMES = ("armed", "token", "boundaries", "ended", "installed", "hooks", "manifest", "checkpoint", "journal")
"""State files by what `Paths` calls them."""
RELEASES = ("armed", "token")
"""Those without which nobody knows what is armed; any damage that matters to them releases."""


def assert_sound(host: FolderHost, name: str, data: bytes) -> None:
    """Reconcile, a boot and status go through; what is left is either armed as before or released as a whole."""
    path: Path = getattr(host.paths, name)
    before = {
        path: path.read_bytes() for path in (host.paths.manifest, host.paths.installed, host.paths.hooks)
    }
    arm(host)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(0o600)
    try:
        for is_boot in (False, True):
            if is_boot:
                host.reboot()
            status_document.status_of(host.machine())
            outcome = host.reconcile(boot=is_boot)
            assert "internal" not in {finding.code for finding in outcome.findings}, outcome.findings
            is_up = host.paths.live.is_symlink()
            assert is_up == (armed.current_arming(host.paths) is not None)
            if name in RELEASES and not is_usable(host, name, data):
                assert not is_up
        outcome = host.ask("rollback")
        assert "internal" not in {finding.code for finding in outcome.findings}, outcome.findings
        assert not host.paths.live.is_symlink() and not host.paths.armed.exists()
    finally:
        for kept, text in before.items():
            kept.write_bytes(text)
        for spoiled in (host.paths.checkpoint, host.paths.journal, host.paths.boundaries, host.paths.ended):
            spoiled.unlink(missing_ok=True)


def is_usable(host: FolderHost, name: str, data: bytes) -> bool:
    """Whether a damaged text still is such a document: then it may count."""
    if name == "token":
        return False
    try:
        armed.from_json(json.loads(data))
    except (StateError, ValueError, RecursionError):
        return False
    return True


@pytest.mark.parametrize("name", NAMES)
def test_no_text_makes_reconcile_fail(host: FolderHost, name: str) -> None:
    """Bytes that are no document."""
    for data in WORST:
        assert_sound(host, name, data)


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("journal", "checkpoint", "ended")])
def test_no_value_makes_reconcile_fail(host: FolderHost, name: str, request: pytest.FixtureRequest) -> None:
    """Every value of every document, replaced by what does not belong there."""
    arm(host)
    host.reconcile()
    document = store.read_state(getattr(host.paths, name)) or {
        "armed_at": host.now,
        "confirmed": [],
        "told": [],
    }
    cases = [(way, value) for way in paths_in(document) for value in VALUES]
    step = 1 if request.config.getoption("--long") else 31
    for way, value in cases[::step]:
        assert_sound(host, name, replaced(document, way, value))


@pytest.mark.parametrize("name", RELEASES)
def test_each_value_of_what_is_armed_is_usable_or_told(host: FolderHost, name: str) -> None:
    """All of them, by the reader alone: what comes of it has instants that are dates, or there is the one error."""
    arm(host)
    path: Path = getattr(host.paths, name)
    sound = path.read_bytes()
    document = json.loads(sound)
    for way in paths_in(document):
        for value in VALUES:
            path.write_bytes(replaced(document, way, value))
            with contextlib.suppress(StateError):
                for at in instants_of(host, name):
                    time.gmtime(at)
    path.write_bytes(sound)
    host.good("rollback")


def instants_of(host: FolderHost, name: str) -> list[float]:
    """All that are read from a document."""
    if name == "token":
        token = token_file.read_token(host.paths) or pytest.fail()
        return [*token.stopped.values(), token.unwatched_at or 0]
    said = armed.read_armed(host.paths) or pytest.fail()
    return [said.armed_at, said.end, *said.stopped.values(), *said.entries.values()]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(VALUES[:5]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_readers_give_a_value_or_say_so(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    """Each reader on any bytes: a value, None, or the one error that means a release."""
    paths = _Root.of(tmp_path_factory).paths
    for path in (paths.armed, paths.ended, paths.token, paths.boundaries, paths.manifest, paths.journal):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    paths.spool.chmod(0o700)
    paths.token.chmod(0o600)
    for reader in (armed.read_armed, token_file.read_token):
        with contextlib.suppress(StateError):
            reader(paths)
    assert armed.current_arming(paths) is None
    armed.read_ended(paths)
    manifest.staged(paths)
    store.sightings(paths, 1.0)
    journal.last(paths)


class _Root:
    """One folder for all examples."""

    made: FolderHost | None = None

    @classmethod
    def of(cls, factory: pytest.TempPathFactory) -> FolderHost:
        if cls.made is None:
            cls.made = FolderHost(factory.mktemp("readers") / "host")
        return cls.made
