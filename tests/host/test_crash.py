# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent dies before any one of its system calls that change a file; the next agent leaves a whole state.

Each case forks, counts calls, and ends the child before the n-th, for every n until the verb gets through.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.host.arming import arm, armable, dies_before
from tests.host.box import HOUR_S, SITES, Box

STRIDES = pytest.mark.parametrize("stride", [9, pytest.param(1, marks=pytest.mark.long)])


def every_death(stride: int, make: Callable[[int], tuple[Box, Callable[[], object]]]) -> list[Box]:
    """Boxes left by a death before each call (or each stride-th), and the one where nobody died."""
    boxes, count, died = [], 1, True
    while died:
        box, act = make(count)
        died = dies_before(count, act)
        boxes.append(box)
        count += stride
    assert len(boxes) * stride > 10, "the verb has changed nothing: this test would prove nothing"
    return boxes


def foreign(box: Box) -> dict[str, str]:
    """The owner's files."""
    return {k: v for k, v in box.tree().items() if k.startswith("etc/nginx") and "piquet" not in k}


@STRIDES
@pytest.mark.parametrize("verb", ["hook", "unhook", "stage", "restage", "remove"])
def test_before_or_after_but_nothing_between(tmp_path: Path, verb: str, stride: int) -> None:
    """After a crash and a recovery, all files are as before the verb or as after it, foreign ones included."""

    def make(count: int) -> tuple[Box, Callable[[], object]]:
        (tmp_path / str(count)).mkdir()
        box = Box(tmp_path / str(count))
        survey = box.good("survey").survey
        assert survey is not None
        files = survey["nginx"]["files"]
        if verb != "hook":
            box.good("hook", files=files)
        if verb in ("restage", "remove"):
            box.stage()
        digest, members = box.bundle(page=b"new" if verb == "restage" else b"first")
        box.before = box.tree()  # type: ignore[attr-defined]
        acts = {
            "hook": lambda: box.good("hook", files=files),
            "unhook": lambda: box.good("unhook"),
            "remove": lambda: box.good("remove"),
        }
        return box, acts.get(verb, lambda: box.good("stage", members, plan_digest=digest))

    boxes = every_death(stride, make)
    after = _names(boxes[-1])
    for count, box in zip(range(1, 9999, stride), boxes, strict=False):
        if verb == "remove":
            box.good("remove")
            assert _names(box) == after, f"death before call {count}"
            continue
        box.good("rollback")  # any verb recovers first
        found, before = box.tree(), box.before  # type: ignore[attr-defined]
        if found != before:
            assert _names(box) == after, f"death before call {count}"
            assert foreign(box).keys() == foreign(boxes[-1]).keys()
        assert not list(box.root.rglob(".*.piquet")), (
            f"a temporary file is left by a death before call {count}"
        )


def _names(box: Box) -> set[str]:
    """Names of all files: contents differ from box to box by port and folder."""
    hooked = {f"{name} hooked" for name in foreign(box) if b"# piquet hook" in (box.root / name).read_bytes()}
    return set(box.tree()) | hooked


@STRIDES
def test_arming_ends_armed_or_released(tmp_path: Path, stride: int) -> None:
    """Armed with every flag, or nothing live and nothing that comes back; never something between."""

    def make(count: int) -> tuple[Box, Callable[[], object]]:
        (tmp_path / str(count)).mkdir()
        box = armable(tmp_path / str(count))
        return box, lambda: arm(box)

    outcomes = set()
    for box in every_death(stride, make):
        box.reconcile()
        flags = {site for site in SITES if (box.paths.live / site).exists()}
        assert flags in (set(), set(SITES))
        assert box.paths.armed.exists() == bool(flags)
        box.reboot()
        box.reconcile(boot=True)
        assert box.paths.live.is_dir() == bool(flags)
        outcomes.add(bool(flags))
    assert outcomes == {True, False}


@STRIDES
@pytest.mark.parametrize("release", ["rollback", "end", "stop by hand"])
def test_a_release_is_finished_by_the_next_reconcile(tmp_path: Path, release: str, stride: int) -> None:
    """Whenever the releasing agent dies, the next one finishes, and no boot brings anything back."""

    def make(count: int) -> tuple[Box, Callable[[], object]]:
        (tmp_path / str(count)).mkdir()
        box = armable(tmp_path / str(count))
        arm(box)
        if release == "end":
            box.now += 2 * HOUR_S
        if release == "stop by hand":
            box.paths.live.unlink()
        return box, lambda: box.good("rollback") if release == "rollback" else box.reconcile()

    for count, box in enumerate(every_death(stride, make), 1):
        box.reconcile()
        if count == 1 and release == "rollback":
            continue  # it died before it had done anything
        assert not box.paths.live.is_symlink(), f"death before call {count}"
        assert not box.paths.armed.exists(), f"death before call {count}"
        box.reboot()
        box.reconcile(boot=True)
        assert not box.paths.live.is_symlink(), f"death before call {count}"


def test_a_rollback_after_a_dead_hook_in_a_broken_configuration_is_one(box: Box) -> None:
    """The hook is taken out, nginx cannot take that up, and the release says so without having failed."""
    box.arm()
    (box.root / "etc/nginx/sites-enabled" / SITES[1]).resolve().write_text("server { listen 127.0.0.1:9; }\n")
    survey = box.good("survey").survey
    assert survey is not None
    assert dies_before(18, lambda: box.good("hook", files=survey["nginx"]["files"], allow_unloaded=True))
    assert box.paths.checkpoint.exists()
    (box.root / "etc/nginx/conf.d/broken.conf").write_text("Nonsense;\n")
    outcome = box.good("rollback")
    assert "not-reloaded" in {finding.code for finding in outcome.findings}
    assert not box.is_ours()


@STRIDES
def test_no_death_leaves_a_temporary_file_beyond_the_next_verb(tmp_path: Path, stride: int) -> None:
    """Also not of state that the next verb does not write again."""

    def make(count: int) -> tuple[Box, Callable[[], object]]:
        (tmp_path / str(count)).mkdir()
        box = armable(tmp_path / str(count))
        arm(box)
        return box, lambda: box.good("rollback")

    for box in every_death(min(stride, 3), make):
        box.reconcile()
        assert not list(box.root.rglob(".*.piquet"))
