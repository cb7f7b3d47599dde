# SPDX-License-Identifier: GPL-3.0-or-later
"""The line on the paper."""

from __future__ import annotations

import subprocess

from piquet.protocol.places import END_IT_NOW
from tests.host.folder_host import FolderHost


def paper(host: FolderHost) -> None:
    """The printed line, as it is printed."""
    line = END_IT_NOW
    for place in ("/run/", "/var/"):
        line = line.replace(place, f"{host.root}{place}")
    subprocess.run(["sh", "-c", line], check=True)
