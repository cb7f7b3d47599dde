# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of code that workers read: what their names say, and when they go."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

from piquet.host.state import code_files
from piquet.host.system.paths import Paths
from piquet.protocol.places import CODE_DIR

TEXT = b"function piquet_answer(r) end\n"
RECORD = {"path": f"{CODE_DIR}/{hashlib.sha256(TEXT).hexdigest()}.lua", "mode": "0644", "kind": "file"}


def test_a_file_is_what_its_name_says(tmp_path: Path) -> None:
    """Missing, cut short or edited, it is written anew; its folder cannot be listed by others."""
    paths = Paths(str(tmp_path))
    path = paths.at(RECORD["path"])
    for harm in (
        None,
        path.unlink,
        lambda: path.write_bytes(TEXT[:5]),
        lambda: path.write_bytes(TEXT + b"--\n"),
    ):
        if harm:
            harm()
        assert code_files.missing_code(paths, [RECORD, {"path": "/etc/piquet/x.conf"}]) == [RECORD]
        code_files.write_code(paths, RECORD, TEXT)
        assert code_files.missing_code(paths, [RECORD]) == []
    assert paths.code.stat().st_mode & 0o777 == 0o711


def test_what_nobody_names_goes_after_a_while(tmp_path: Path) -> None:
    """Old workers may still read it; what is named stays for ever, and the folder goes with the last."""
    paths = Paths(str(tmp_path))
    code_files.write_code(paths, RECORD, TEXT)
    path = paths.at(RECORD["path"])
    code_files.sweep_code(paths, [])
    assert path.exists()
    os.utime(path, (time.time() - 3600,) * 2)
    code_files.touch_others(paths, [RECORD])
    code_files.sweep_code(paths, [path])
    assert path.exists()
    code_files.touch_others(paths, [])
    code_files.sweep_code(paths, [])
    assert path.exists(), "it counts from when nobody named it any more"
    os.utime(path, (time.time() - 3600,) * 2)
    code_files.sweep_code(paths, [])
    assert not paths.code.exists()
