# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent dies before any one of its system calls that change a file; the next agent leaves a whole state.

Each case forks, counts calls, and ends the child before the n-th, for every n until the verb gets through.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.host.arming import arm, armable, dies_before
from tests.host.folder_host import HOUR_S, SITES, FolderHost

STRIDES = pytest.mark.parametrize("stride", [9, pytest.param(1, marks=pytest.mark.long)])


def every_death(
    stride: int, make: Callable[[int], tuple[FolderHost, Callable[[], object]]]
) -> list[FolderHost]:
    """Boxes left by a death before each call (or each stride-th), and the one where nobody died."""
    hosts, count, died = [], 1, True
    while died:
        host, act = make(count)
        died = dies_before(count, act)
        hosts.append(host)
        count += stride
    assert len(hosts) * stride > 10, "the verb has changed nothing: this test would prove nothing"
    return hosts


def foreign(host: FolderHost) -> dict[str, str]:
    """The owner's files."""
    return {k: v for k, v in host.tree().items() if k.startswith("etc/nginx") and "piquet" not in k}


@STRIDES
@pytest.mark.parametrize("verb", ["hook", "unhook", "stage", "restage", "remove"])
def test_before_or_after_but_nothing_between(tmp_path: Path, verb: str, stride: int) -> None:
    """After a crash and a recovery, all files are as before the verb or as after it, foreign ones included."""

    def make(count: int) -> tuple[FolderHost, Callable[[], object]]:
        (tmp_path / str(count)).mkdir()
        host = FolderHost(tmp_path / str(count))
        survey = host.good("survey").survey
        assert survey is not None
        files = survey["nginx"]["files"]
        if verb != "hook":
            host.good("hook", files=files)
        if verb in ("restage", "remove"):
            host.stage()
        digest, members = host.bundle(page=b"new" if verb == "restage" else b"first")
        host.before = host.tree()  # type: ignore[attr-defined]
        acts = {
            "hook": lambda: host.good("hook", files=files),
            "unhook": lambda: host.good("unhook"),
            "remove": lambda: host.good("remove"),
        }
        return host, acts.get(verb, lambda: host.good("stage", members, plan_digest=digest))

    hosts = every_death(stride, make)
    after = _names(hosts[-1])
    for count, host in zip(range(1, 9999, stride), hosts, strict=False):
        if verb == "remove":
            host.good("remove")
            assert _names(host) == after, f"death before call {count}"
            continue
        host.good("rollback")  # any verb recovers first
        found, before = host.tree(), host.before  # type: ignore[attr-defined]
        if found != before:
            assert _names(host) == after, f"death before call {count}"
            assert foreign(host).keys() == foreign(hosts[-1]).keys()
        assert not list(host.root.rglob(".*.piquet")), (
            f"a temporary file is left by a death before call {count}"
        )


def _names(host: FolderHost) -> set[str]:
    """Names of all files: contents differ from host to host by port and folder."""
    hooked = {
        f"{name} hooked" for name in foreign(host) if b"# piquet hook" in (host.root / name).read_bytes()
    }
    return set(host.tree()) | hooked


@STRIDES
def test_arming_ends_armed_or_released(tmp_path: Path, stride: int) -> None:
    """Armed with every flag, or nothing live and nothing that comes back; never something between."""

    def make(count: int) -> tuple[FolderHost, Callable[[], object]]:
        (tmp_path / str(count)).mkdir()
        host = armable(tmp_path / str(count))
        return host, lambda: arm(host)

    outcomes = set()
    for host in every_death(stride, make):
        host.reconcile()
        flags = {site for site in SITES if (host.paths.live / site).exists()}
        assert flags in (set(), set(SITES))
        assert host.paths.armed.exists() == bool(flags)
        host.reboot()
        host.reconcile(boot=True)
        assert host.paths.live.is_dir() == bool(flags)
        outcomes.add(bool(flags))
    assert outcomes == {True, False}


@STRIDES
@pytest.mark.parametrize("release", ["rollback", "end", "stop by hand"])
def test_a_release_is_finished_by_the_next_reconcile(tmp_path: Path, release: str, stride: int) -> None:
    """Whenever the releasing agent dies, the next one finishes, and no boot brings anything back."""

    def make(count: int) -> tuple[FolderHost, Callable[[], object]]:
        (tmp_path / str(count)).mkdir()
        host = armable(tmp_path / str(count))
        arm(host)
        if release == "end":
            host.now += 2 * HOUR_S
        if release == "stop by hand":
            host.paths.live.unlink()
        return host, lambda: host.good("rollback") if release == "rollback" else host.reconcile()

    for count, host in enumerate(every_death(stride, make), 1):
        host.reconcile()
        if count == 1 and release == "rollback":
            continue  # it died before it had done anything
        assert not host.paths.live.is_symlink(), f"death before call {count}"
        assert not host.paths.armed.exists(), f"death before call {count}"
        host.reboot()
        host.reconcile(boot=True)
        assert not host.paths.live.is_symlink(), f"death before call {count}"


def test_a_rollback_after_a_dead_hook_in_a_broken_configuration_is_one(host: FolderHost) -> None:
    """The hook is taken out, nginx cannot take that up, and the release says so without having failed."""
    host.arm()
    (host.root / "etc/nginx/sites-enabled" / SITES[1]).resolve().write_text(
        "server { listen 127.0.0.1:9; }\n"
    )
    survey = host.good("survey").survey
    assert survey is not None
    assert dies_before(18, lambda: host.good("hook", files=survey["nginx"]["files"], allow_unloaded=True))
    assert host.paths.checkpoint.exists()
    (host.root / "etc/nginx/conf.d/broken.conf").write_text("Nonsense;\n")
    outcome = host.good("rollback")
    assert "not-reloaded" in {finding.code for finding in outcome.findings}
    assert not host.is_ours()


@STRIDES
def test_no_death_leaves_a_temporary_file_beyond_the_next_verb(tmp_path: Path, stride: int) -> None:
    """Also not of state that the next verb does not write again."""

    def make(count: int) -> tuple[FolderHost, Callable[[], object]]:
        (tmp_path / str(count)).mkdir()
        host = armable(tmp_path / str(count))
        arm(host)
        return host, lambda: host.good("rollback")

    for host in every_death(min(stride, 3), make):
        host.reconcile()
        assert not list(host.root.rglob(".*.piquet"))
