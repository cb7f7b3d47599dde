# SPDX-License-Identifier: GPL-3.0-or-later
"""What visitors and holders of a link meet on a real Apache, in the order of a campaign."""

from __future__ import annotations

from datetime import UTC, datetime

from piquet.answers import REHEARSAL_COOKIE
from piquet.host.state import rehearsal_tokens
from piquet.protocol.http import REHEARSAL_PREFIX

from .cases import Case
from .client import Response
from .picket import Picket
from .servers import Server

DAY = datetime(2026, 12, 16, 23, tzinfo=UTC)


MADE_AT = int(DAY.timestamp()) - 1


WORD = f"1-{'0123456789abcdef' * 2}{rehearsal_tokens.moments(MADE_AT, rehearsal_tokens.until(MADE_AT))}"
"""Of a rehearsal that begins a second before the window."""


HOLDER = (("Cookie", f"a=b; {REHEARSAL_COOKIE}={WORD}"),)


LINK = Case("GET", REHEARSAL_PREFIX + WORD)


HOME = Case("GET", "/")


def is_ours(response: Response, number: int = 1) -> bool:
    """Whether an answer shows a phase: by its header, or by its banner."""
    signs = response.values("x-piquet")
    return any(f"/{number}/" in sign for sign in signs) or b'<aside data-piquet="' in response.body


def begin(server: Server, strike: Picket, at_ms: int) -> None:
    """Install the bundle, armed, with the calendar at an instant."""
    strike.stage(server)
    server.make_flags(strike.keys)
    server.chroot.set_clock(at_ms)


def rehearse(server: Server) -> None:
    """What the rehearsal makes: one empty file."""
    server.chroot.write(f"/run/piquet/rehearse/{WORD}", b"")
    server.chroot.path("/run/piquet/rehearse").chmod(0o711)
