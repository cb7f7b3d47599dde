# SPDX-License-Identifier: GPL-3.0-or-later
"""Bundles on the controller between plan and stage: one zip file per host, private, written whole or not at all."""

from __future__ import annotations

import io
import os
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from piquet.errors import BundleError


def write_members(folder: Path, host: str, members: Mapping[str, bytes]) -> Path:
    """Keep what stage sends to a host; the file holds the bypass secret, so only its owner reads it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = _file(folder, host)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(members):
            archive.writestr(zipfile.ZipInfo(name), members[name])
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{file.name}.")
    with os.fdopen(handle, "wb") as stream:
        stream.write(buffer.getvalue())
    Path(temporary).replace(file)
    return file


def read_members(folder: Path, host: str) -> Mapping[str, bytes]:
    """What `write_members` kept.

    Raises:
        BundleError: this plan has nothing for that host, or the file is damaged.
    """
    try:
        with zipfile.ZipFile(_file(folder, host)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except FileNotFoundError as err:
        raise BundleError(
            f"there is no bundle for {host} in {folder}\n\n  hint: run piquet.fleet.plan in the same run as stage"
        ) from err
    except zipfile.BadZipFile as err:
        raise BundleError(f"{_file(folder, host)} is damaged\n\n  hint: delete it and plan again") from err


def _file(folder: Path, host: str) -> Path:
    """Inventory names may hold anything but are one path component here."""
    return folder / f"{host.replace('/', '_')}.zip"
