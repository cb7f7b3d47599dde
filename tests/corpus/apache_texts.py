# SPDX-License-Identifier: GPL-3.0-or-later
"""Apache's configuration in pieces, for tests that put one in another."""

from __future__ import annotations

APACHE = (
    "<VirtualHost *:8080>\nServerName a.example\n{}\n</VirtualHost>\n"
    "<VirtualHost *:8080>\nServerName b.example\n{}\n</VirtualHost>\n"
)


IF, ELSE = '<If "true">\n{}\n</If>', "\n<Else>\n{}\n</Else>"


PART = '<Location "/">\n{}\n</Location>'


IN_TWO = IF.format(IF)


LATE, OTHERWISE = PART.format(IN_TWO.format(IF)), PART.format(IN_TWO.format(IF.format("") + ELSE))
