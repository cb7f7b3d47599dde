# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent begins here: what takes flags away does so before the rest of it is even loaded."""

from __future__ import annotations

import sys
from typing import List, Optional

from piquet.host import release_first


def main(arguments: Optional[List[str]] = None) -> int:
    """Run one verb; return the exit code."""
    asked = sys.argv[1:] if arguments is None else arguments
    was_up = release_first.release_first(asked, sys.argv[0])
    from piquet.host import command_line

    return command_line.main(asked, was_up=was_up)


if __name__ == "__main__":
    raise SystemExit(main())
