# SPDX-License-Identifier: GPL-3.0-or-later
"""Sites that took their consent back, by campaign: whatever is armed here of it, no flag of theirs goes up."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import Dict, FrozenSet, Iterator, List

from piquet.host.errors import StateError
from piquet.host.state import documents, store
from piquet.host.system.paths import Paths


def withdrawn_keys(paths: Paths, campaign: str) -> FrozenSet[str]:
    """Keys of the entries that are never shown again.

    Raises:
        StateError: there is a list that cannot be read; nothing may be armed without it.
    """
    return frozenset(_all(paths).get(campaign, ()))


def add_withdrawn(paths: Paths, campaign: str, key: str) -> bool:
    """Add one; tell whether it is new.

    Raises:
        StateError: the list cannot be read.
        OSError: it cannot be written.
    """
    with _alone(paths):
        known = _all(paths)
        if key in known.get(campaign, ()):
            return False
        known[campaign] = sorted({*known.get(campaign, ()), key})
        store.write_state(paths.withdrawn, {"piquet_withdrawn": 1, "campaigns": known})
    return True


@contextlib.contextmanager
def _alone(paths: Paths) -> Iterator[None]:
    """Two colleagues withdraw at once, and neither is lost; a stop does not wait for the lock of whole verbs.

    Source: flock(2), which ends with the descriptor.
    """
    store.ensure_folder(paths.lib)
    descriptor = os.open(str(paths.lib), os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _all(paths: Paths) -> Dict[str, List[str]]:
    document = store.read_state(paths.withdrawn)
    try:
        campaigns = document["campaigns"] if document is not None else {}
        return {str(name): [documents.key(key) for key in keys] for name, keys in campaigns.items()}
    except documents.FAULTS as error:
        raise StateError(f"{paths.withdrawn} cannot be used: {error!r}.") from error
