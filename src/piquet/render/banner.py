# SPDX-License-Identifier: GPL-3.0-or-later
"""The banner as one line of HTML, which goes into a page of the site as it stands. Text in, text out."""

from __future__ import annotations

from html import escape

from piquet import answers
from piquet.banner import MARK
from piquet.campaign.model import Campaign, Phase
from piquet.campaign.pages import PageSource
from piquet.render.page import body_html

_REFERRED = frozenset("$\\|%")


def fragment(campaign: Campaign, phase: Phase, source: PageSource) -> str:
    """The banner of a phase in one language: one line of printable ASCII, right in any charset that has ASCII.

    Every other character, and those with a meaning in a server's configuration, is a numeric reference.
    """
    style = f'<link rel="stylesheet" href="{answers.ASSET_PREFIX}banner.css">'
    opening = f'<aside {MARK}="{escape(answers.sign(campaign, phase))}" lang="{source.language}">'
    text = " ".join(body_html(source).split())
    return "".join(_safe(char) for char in f"{opening}{style}{text}</aside>")


def _safe(char: str) -> str:
    return char if " " <= char <= "~" and char not in _REFERRED else f"&#{ord(char)};"
