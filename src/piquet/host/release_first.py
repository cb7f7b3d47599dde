# SPDX-License-Identifier: GPL-3.0-or-later
"""A release begins with the flags, at once: loading all of the agent takes longer than anything before it.

Whatever cannot be done here, or told apart, is left to the verb, which does the same again and says what resists.
"""

from __future__ import annotations

import contextlib
import json
import zipimport
from typing import Sequence

from piquet.host.state import flags, rollback_stamp
from piquet.host.system import files
from piquet.host.system.paths import Paths

_RELEASING = ("rollback", "remove")


def release_first(arguments: Sequence[str], program: str) -> bool:
    """Take all flags away if that is what was asked for; tell whether any was up.

    Args:
        arguments: of the command line.
        program: the file that runs, which holds the request where there is one.
    """
    verb = _asked_verb(program) if list(arguments) == ["--request"] else " ".join(arguments)
    return verb in _RELEASING and _release(Paths())


def _asked_verb(program: str) -> str:
    """The verb of the request, "" for check mode and where there is none that can be read."""
    try:
        document = json.loads(zipimport.zipimporter(program).get_data("request.json"))
        return "" if document.get("check") else str(document["verb"])
    except (ImportError, OSError, LookupError, TypeError, ValueError, AttributeError, RecursionError):
        return ""


def _release(paths: Paths) -> bool:
    was_up = files.exists(paths.live)
    rollback_stamp.stamp_rollback(paths)
    with contextlib.suppress(OSError):
        flags.take_all_down(paths)
    return was_up and not files.exists(paths.live)
