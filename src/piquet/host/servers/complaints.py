# SPDX-License-Identifier: GPL-3.0-or-later
"""What a web server says against its own configuration: where that is, whose file, and what to do about it.

The server's words are kept as they are; this only reads them, so that nobody looks for a fault of piquet in a file of
somebody else's, or the other way round. Whose it is tells the path that the complaint names: ours are the files that
we installed and what lies in our own folders.

Source: nginx, src/core/ngx_conf_file.c, `ngx_conf_log_error`; Apache, server/config.c and server/core.c, and httpd's
`log-message-tags` for what is said without a line (AH02291, AH00014).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Optional, Tuple

from piquet.host.state import store
from piquet.host.system.paths import Paths

_NGINX = re.compile(r"\[(?:emerg|crit)\] (?:\d+#\d+: )?(.*)")
_NGINX_PLACE = re.compile(r" in (/.+):(\d+)$")
_APACHE_PLACE = re.compile(
    r"on line (?P<line>\d+) of \"?(?P<file>/[^\":\n]+)|(?: at |: )(?P<file2>/[^:\n]+):(?P<line2>\d+)(?=:|$)",
    re.MULTILINE,
)
"""Of the places in one complaint the last is the innermost: what is before it includes it."""
_NAMED = re.compile(r"[\"'](/[^\"'\n]+)[\"']|Cannot load (/\S+)|configuration file (/[^:\n]+):")
_OUR_VARIABLE = re.compile(r"[\"$]piquet_\w+")

_CAUSES = (
    (
        r": no answer within ",
        "its test hangs, most often for a name server that does not answer; what is named there waits for it",
    ),
    (
        r"not binary compatible|not compatible with this version|undefined symbol|wrong ELF class",
        "that module is of another build than the server: install both from one source, or take its line out",
    ),
    (
        r"host not found|Could not resolve host name|Name or service not known|failed to set up sockaddr",
        "no name server knows that name now, or none answers: it may pass again by itself, and does with an address",
    ),
    (
        r"dlopen\(\)|Cannot load ",
        "that module is missing or damaged: install it again, or take its line out",
    ),
    (
        r"Permission denied",
        "the server may not use that: see owner and mode of it and of the folders above it",
    ),
    (r"No such file|does not exist", "what is named there is missing: put it back, or take the line out"),
    (
        r"unknown directive|Invalid command",
        "it is misspelt, or the module that knows it is not loaded any more",
    ),
)
_MEND = "whoever changed it last must mend it"
_OUR_HINT = "remove takes it out again; or survey, plan and stage anew"


@dataclass(frozen=True)
class Complaint:
    """One server's refusal, read.

    Attributes:
        place: `file:line`, or the file that it cannot use; "" where it names none.
        is_ours: whether that is a file, or a variable, of ours.
        cause: what is known of things that go wrong like this; "" if nothing is.
    """

    place: str
    is_ours: bool
    cause: str

    @property
    def words(self) -> str:
        """The end of a sentence that says that the server refuses it."""
        if self.is_ours:
            return f": {self.place or 'what it names'} is ours"
        return f": {self.place} is not ours" if self.place else "; it does not say which file"

    @property
    def hint(self) -> str:
        """Who should do what."""
        return "; ".join(part for part in (self.cause, _OUR_HINT if self.is_ours else _MEND) if part)


def first_complaint(output: str, paths: Paths) -> Complaint:
    """Of what a server printed in its test, what it says against it first.

    Args:
        output: stdout and stderr of `nginx -t`, `apachectl -t` or the like.
        paths: of this machine, by which ours are known.
    """
    said = _complaint(output)
    place, named = _place(said), list(_named_paths(said))
    shown = f"{place[0]}:{place[1]}" if place else next(iter(named), "")
    is_ours = bool(_OUR_VARIABLE.search(said)) or (place is not None and is_own_file(place[0], paths))
    used = next((name for name in named if is_own_file(name, paths)), "")
    cause = next((words for pattern, words in _CAUSES if re.search(pattern, said)), "")
    return Complaint(shown if is_ours else used or shown, is_ours or bool(used), cause)


def is_own_file(name: str, paths: Paths) -> bool:
    """Whether we installed the file, or it lies in a folder that is ours alone."""
    if f"{name}/".startswith((f"{paths.etc}/", f"{paths.lib}/", f"{paths.run}/")):
        return True
    record = store.read_or_none(paths.installed) or {}
    return any(str(paths.at(own)) == name for own in record.get("files", ()))


def _complaint(output: str) -> str:
    """The words that matter: nginx marks them, and may warn of other things before; Apache says little else."""
    found = _NGINX.search(output)
    return found.group(1).strip() if found else output


def _place(said: str) -> Optional[Tuple[str, str]]:
    """File and line."""
    if found := _NGINX_PLACE.search(said):
        return found.group(1), found.group(2)
    places = [(m["file"] or m["file2"], m["line"] or m["line2"]) for m in _APACHE_PLACE.finditer(said)]
    return places[-1] if places else None


def _named_paths(said: str) -> Iterator[str]:
    """Files and folders in its words: what is missing, unreadable or of another build."""
    for found in _NAMED.finditer(said):
        name = next(group for group in found.groups() if group)
        yield str(Path(name))
