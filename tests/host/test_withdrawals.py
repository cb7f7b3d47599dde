# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of sites that took their consent back only ever grows."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from piquet.host.state import store, withdrawals
from piquet.host.system.paths import Paths


def test_two_at_once_are_both_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads while another writes waits for what the other has."""
    paths, real = Paths(str(tmp_path)), store.write_state
    store.ensure_folder(paths.lib)

    def slowly(path: Path, document: dict[str, Any]) -> None:
        time.sleep(0.2)
        real(path, document)

    monkeypatch.setattr(store, "write_state", slowly)
    with ThreadPoolExecutor(2) as pool:
        added = list(
            pool.map(lambda key: withdrawals.add_withdrawn(paths, "test", key), ("a.example", "b.example"))
        )
    assert added == [True, True]
    assert withdrawals.withdrawn_keys(paths, "test") == {"a.example", "b.example"}
