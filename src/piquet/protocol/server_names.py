# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of a host's web servers: that of a kind, or that of one instance more of it, `apache@blog`.

Such a name comes from the host and goes into paths and configurations, so that its letters are few.
"""

from __future__ import annotations

import re

_MARK = "@"
_SUFFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")


def is_suffix(text: str) -> bool:
    """Whether an instance may be called that."""
    return _SUFFIX.fullmatch(text) is not None


def instance_name(kind: str, suffix: str) -> str:
    """The name of an instance, by the name of its kind and its own."""
    return f"{kind}{_MARK}{suffix}"


def kind_name(name: str) -> str:
    """The kind that a server is of."""
    return name.partition(_MARK)[0]


def suffix_of(name: str) -> str:
    """An instance's own part of its name; "" for the server that is its kind's first."""
    return name.partition(_MARK)[2]


def is_instance(name: str, kind: str) -> bool:
    """Whether a name is one of an instance of a kind."""
    return name.startswith(f"{kind}{_MARK}") and is_suffix(suffix_of(name))
