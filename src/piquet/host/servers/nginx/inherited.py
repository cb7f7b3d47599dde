# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server block of nginx hands down to a location of ours, besides what nginx's own modules do.

A location inherits from its server block, and that from http. What nginx's own modules hand down is switched off by our
location, whatever it is; what other modules do is a fact of the survey, with its place, and judged elsewhere. What
stands in a `location` or in an `if` is not inherited by a location beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterable, Tuple

from piquet.host.servers.nginx.directives import NGINX
from piquet.host.servers.nginx.tokens import Directive

Placed = Tuple[Path, Directive]
"""A directive and the file that it stands in."""
SYMLINKS = "disable_symlinks"
"""nginx's own, but `if (-f …)` in a server block is bound by it."""


@dataclass(frozen=True)
class InheritedDirective:
    """One directive that a location could inherit; `is_off` if its one word is `off`."""

    name: str
    file: Path
    line: int
    is_off: bool

    def to_json(self) -> Dict[str, Any]:
        """The record of the survey."""
        return {"name": self.name, "place": f"{self.file}:{self.line}", "off": self.is_off}


def inherited(directives: Iterable[Placed], flags: Iterable[Path]) -> Tuple[InheritedDirective, ...]:
    """Of the directives of one level those that somebody must judge, the first of each name.

    Args:
        directives: of http without its server blocks, or of one server block.
        flags: paths of ours at which the server looks from a server block.
    """
    found: Dict[str, InheritedDirective] = {}
    paths = tuple(flags)
    for file, directive in directives:
        if directive.name not in NGINX:
            is_off = directive.arguments == ("off",)
            if directive.name == SYMLINKS:
                is_off = not hides(directive.arguments, paths)
            found.setdefault(directive.name, InheritedDirective(directive.name, file, directive.line, is_off))
    return tuple(found.values())


def hides(words: Tuple[str, ...], flags: Iterable[Path]) -> bool:
    """Whether a `disable_symlinks` keeps nginx from seeing our flags, which lie behind a link of root's.

    `from=` spares a prefix that is the owner's document root, and none of our paths.

    Source: nginx documentation, ngx_http_core_module, `disable_symlinks`.
    """
    if words[:1] == ("if_not_owner",):
        return any(link_of_another(path) for path in flags)
    return words[:1] != ("off",)


def link_of_another(path: Path) -> bool:
    """Whether a link on the way to a path belongs to somebody else than what it points to."""
    return any(_differs(part) for part in (path, *path.parents))


def _differs(path: Path) -> bool:
    try:
        return path.is_symlink() and path.lstat().st_uid != path.stat().st_uid
    except OSError:
        return False
