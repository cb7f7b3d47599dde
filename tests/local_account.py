# SPDX-License-Identifier: GPL-3.0-or-later
"""Run as an account without any right: prints, as JSON, place → text of all of ours that it can list or open.

Standard library only, since it runs on hosts too: `python3 local_account.py ROOT [PATH…]`. Every path is below the
root, and asked for by its name as well, since a folder that cannot be listed may still be passed.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

_PUBLIC = (
    "/etc/piquet/manifest.json", "/etc/piquet/plan.json", "/etc/piquet/README", "/var/lib/piquet/armed.json",
    "/var/lib/piquet/installed.json", "/var/lib/piquet/journal.jsonl", "/var/lib/piquet/boundaries.json",
    "/var/lib/piquet/ended.json", "/var/lib/piquet/hooks.json", "/var/lib/piquet/www/page/1/fr.html",
    "/etc/cron.d/piquet", "/usr/local/sbin/piquet-host",
)  # fmt: skip
_OURS = (
    "/etc/piquet", "/var/lib/piquet", "/run/piquet", "/var/spool/piquet", "/etc/systemd/system", "/etc/cron.d", "/tmp",
    "/etc/nginx/conf.d", "/etc/apache2/conf-enabled", "/usr/local/sbin", "/var/lib/systemd/timers",
    "/usr/local/lib/piquet",
    "/run/piquet/live", "/run/piquet/rehearse", "/run/piquet/proof",
)  # fmt: skip
_UNGUESSED = ("/www-", "/usr/local/lib/piquet/")
"""What is called by a secret, or by the digest of a text that holds one: only a listing could tell the name."""


def look(root: str, named: list[str]) -> dict[str, str]:
    """Everything that can be listed or read."""
    found: dict[str, str] = {}
    for top in _OURS:
        for folder, folders, names in os.walk(root + top):
            for place in (f"{folder}/{name}"[len(root) :] for name in (*folders, *names)):
                if "piquet" in place:
                    _read(root, place, found)
    for path in (*_PUBLIC, *(path for path in named if not any(part in path for part in _UNGUESSED))):
        _read(root, path, found)
    return found


def _read(root: str, path: str, found: dict[str, str]) -> None:
    """The file's text, or what a link says of where it leads; nothing of what cannot be seen at all."""
    place = Path(root + path)
    try:
        place.lstat()
        found[path] = ""
        found[path] = (
            str(place.readlink()) if place.is_symlink() else place.read_bytes().decode("utf-8", "replace")
        )
    except OSError:
        return


if __name__ == "__main__":
    json.dump(look(sys.argv[1].rstrip("/"), sys.argv[2:]), sys.stdout)
