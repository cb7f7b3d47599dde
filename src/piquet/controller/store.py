# SPDX-License-Identifier: GPL-3.0-or-later
"""Bundles on the controller between plan and stage: one zip file per host, in the private working directory."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from piquet.errors import BundleError
from piquet.fleet.workdir import Workdir


def write_members(workdir: Workdir, digest: str, host: str, members: Mapping[str, bytes]) -> Path:
    """Keep what stage sends to a host, whole or not at all."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(members):
            archive.writestr(zipfile.ZipInfo(name), members[name], zipfile.ZIP_DEFLATED)
    return workdir.write(f"plans/{digest}/{_name(host)}", buffer.getvalue())


def read_members(workdir: Workdir, digest: str, host: str) -> Mapping[str, bytes]:
    """What `write_members` kept.

    Raises:
        BundleError: this plan has nothing for that host, or the file is damaged.
    """
    file = workdir.bundle_dir(digest) / _name(host)
    try:
        with zipfile.ZipFile(file) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except FileNotFoundError as err:
        hint = "run piquet.fleet.plan with `bundles: true` in the same run"
        raise BundleError(f"there is no bundle for {host}: {file} is missing\n\n  hint: {hint}") from err
    except zipfile.BadZipFile as err:
        raise BundleError(f"{file} is damaged\n\n  hint: delete it and plan again") from err


def _name(host: str) -> str:
    """Inventory names may hold anything but are one path component here."""
    return f"{quote(host, safe='')}.zip"
