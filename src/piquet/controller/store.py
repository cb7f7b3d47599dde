# SPDX-License-Identifier: GPL-3.0-or-later
"""Bundles on the controller between plan and stage, in the private working directory.

What hosts have in common (agent, pages, the plan) is written once for all of them; a zip file per host holds the rest
and names the others. Signatures are of the rest: there may be more of them over the same plan tomorrow.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from piquet.errors import BundleError
from piquet.fleet.workdir import Workdir
from piquet.protocol.places import SIGNATURES

_OWN, _SHARED = "manifest.json", "shared"


def write_members(workdir: Workdir, digest: str, host: str, members: Mapping[str, bytes]) -> Path:
    """Keep what stage sends to a host, whole or not at all."""
    own = [name for name in sorted(members) if name == _OWN or name.startswith(SIGNATURES)]
    shared = [name for name in sorted(members) if name not in own]
    for name in shared:
        if not (workdir.bundle_dir(digest) / name).exists():
            workdir.write(f"plans/{digest}/{name}", members[name])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_SHARED, "\n".join(shared))
        for name in own:
            archive.writestr(name, members[name])
    return workdir.write(f"plans/{digest}/{_name(host)}", buffer.getvalue())


def read_members(workdir: Workdir, digest: str, host: str) -> Mapping[str, bytes]:
    """What `write_members` kept.

    Raises:
        BundleError: this plan has nothing for that host, or a file is damaged or missing.
    """
    folder = workdir.bundle_dir(digest)
    file = folder / _name(host)
    try:
        with zipfile.ZipFile(file) as archive:
            own = {name: archive.read(name) for name in archive.namelist()}
    except FileNotFoundError as err:
        hint = "run piquet.fleet.plan with `bundles: true` in the same run"
        raise BundleError(f"there is no bundle for {host}: {file} is missing\n\n  hint: {hint}") from err
    except (zipfile.BadZipFile, zlib.error) as err:
        raise BundleError(f"{file} is damaged\n\n  hint: delete it and plan again") from err
    names = own.pop(_SHARED, b"").decode("utf-8").split("\n")
    return {**own, **{name: _shared_file(folder / name) for name in names if name}}


def _shared_file(file: Path) -> bytes:
    """A file that several hosts get; one whose name is its sha256 must have it."""
    try:
        content = file.read_bytes()
    except FileNotFoundError as err:
        raise BundleError(f"{file} is missing\n\n  hint: plan again") from err
    if file.parent.name == "files" and sha256(content).hexdigest() != file.name:
        raise BundleError(f"{file} is damaged\n\n  hint: delete it and plan again")
    return content


def _name(host: str) -> str:
    """Inventory names may hold anything but are one path component here."""
    return f"{quote(host, safe='')}.zip"
