# SPDX-License-Identifier: GPL-3.0-or-later
"""Which names Apache shows the strike for, as our own conditions say it: read back before arming.

It asks for a flag by the name of the site, and flags are put up for the entries alone. What has to be read is whether a
site that takes part in some phases only is left out of the others: by a file `with/NUMBER/NAME` beside the pages.
"""

from __future__ import annotations

import re
from typing import List, Mapping, Sequence, Tuple

from piquet.host.state.manifest import StagedEntry
from piquet.protocol.lease import Span, windows_in

_BEHIND = r"\[0-9\]\{6\}\$# && \(+"
_LIVE = _BEHIND + r"-f '[^']*/live/%\{SERVER_NAME\}' && -f '[^']*/with/"
_REHEARSABLE = _BEHIND + r"'%\{SERVER_NAME\} %\{file:[^}]*/sites/"
"""Whether a window of the site is open; who asks that shows nothing by it."""


def names_that_are_not_left_out(
    texts: Sequence[str],
    entries: Sequence[StagedEntry],
    windows: Mapping[int, Span],
    spared: Sequence[str],
) -> List[Tuple[str, str]]:
    """Phases that leave nobody out, though not every entry takes part: what should be there, and what is."""
    partial = {
        window: number
        for number, window in windows.items()
        if any(number in entry.phases for entry in entries)
        and not all(number in entry.phases for entry in entries)
    }
    found = set()
    if any(text.count("t=(?:") != len(list(windows_in(text))) for text in texts):
        return [("leases in their own form", "another expression over the clock")]
    for text in texts:
        for end, window in windows_in(text):
            if window in partial:
                number, behind = partial[window], text[end : end + 600]
                marked = rf"{_LIVE}{number}/%\{{SERVER_NAME\}}'|{_REHEARSABLE}{number}\}}"
                if not re.match(marked, behind):
                    found.add(partial[window])
    faults = [(f"phase {number} for some sites only", "for every site") for number in sorted(found)]
    whole = "\n".join(texts)
    for name in spared:
        bare = name[2:] if name.startswith("*.") else name
        written = "".join(c if c.isalnum() or c in "_-" else f"\\x{ord(c):02x}" for c in bare)
        if written not in whole and not re.search(rf"/known/{re.escape(name)}$", whole, re.M):
            faults.append((f"{name} as usual", "as the names around it"))
    return faults
