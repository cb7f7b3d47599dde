# SPDX-License-Identifier: GPL-3.0-or-later
"""Themes: what a folder of designs makes of a page.

A theme's template is run in a sandbox on plain values, one that is not ours with little time and memory
(`piquet.pages.confined`); every undefined name is an error and everything is escaped; what
comes out must be harmless whatever the template does (`piquet.pages.html_allowlist`). Files of the package's own
themes are constants of the package; apart from those none is opened.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from piquet import resources
from piquet.campaign.model import BUILT_IN_THEMES, Theme
from piquet.errors import BundleError, Problem
from piquet.pages.confined import confined
from piquet.pages.sandbox import TEMPLATE, TemplateFault, rendered
from piquet.pages.theme_files import ICON

PAGE_STYLE = "strike.css"
BANNER_STYLE = "banner.css"
_HINT = "docs/themes.md tells what a page may use"
NO_ASSETS = frozenset({TEMPLATE, PAGE_STYLE, BANNER_STYLE, "words.yml"})
"""Files with a part of their own; all others of a theme are fonts and pictures."""


def page(theme: Theme, values: Mapping[str, Any]) -> str:
    """The theme's page with these values in it.

    Raises:
        BundleError: the theme's template is not sound, or asks for something that there is not.
    """
    source, shared = _files(theme)[TEMPLATE], _shared_parts()
    make = confined if TEMPLATE in theme.files else rendered
    try:
        return make(source.decode("utf-8"), shared, values)
    except TemplateFault as err:
        problem = Problem(f"{theme.name}/{TEMPLATE}", err.line, 0, err.reason, hint=_HINT)
        raise BundleError("the theme's page cannot be made", [problem]) from err


def style(theme: Theme, name: str) -> bytes:
    """A style sheet of the theme, `PAGE_STYLE` or `BANNER_STYLE`; the banner's has the frame of all banners first."""
    own = _files(theme)[name]
    return _frame() + own if name == BANNER_STYLE else own


def assets(theme: Theme) -> dict[str, bytes]:
    """Fonts and pictures that its style sheets use: name → bytes."""
    return {name: content for name, content in _files(theme).items() if name not in NO_ASSETS}


def refuse(theme: Theme, reasons: Iterable[str]) -> None:
    """Stop over what a page of the theme holds.

    Raises:
        BundleError: if there are reasons.
    """
    expected = "text, links, and files below /.well-known/piquet/"
    hint = "take it out of the theme: nothing on a strike page acts by itself or comes from anybody else"
    problems = [
        Problem(f"{theme.name}/{TEMPLATE}", 0, 0, reason, expected, hint=hint)
        for reason in sorted(set(reasons))
    ]
    if problems:
        raise BundleError("the theme's page cannot be shown", problems)


def _files(theme: Theme) -> Mapping[str, bytes]:
    """What a theme has, and from the default one what it has not."""
    default = _built_in(BUILT_IN_THEMES[0])
    if theme.files:
        return {**{name: default[name] for name in (TEMPLATE, PAGE_STYLE, BANNER_STYLE, ICON)}, **theme.files}
    if theme.name not in BUILT_IN_THEMES:
        raise BundleError(f"there is no theme {theme.name}")
    return _built_in(theme.name)


@cache
def _built_in(name: str) -> Mapping[str, bytes]:
    folder = resources.templates() / "page" / "themes" / name
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir()) if file.is_file()}


@cache
def _frame() -> bytes:
    """What shows a banner, and what keeps it and other people's pages apart, whatever its theme."""
    folder = resources.templates() / "page"
    return (folder / "veil.css").read_bytes() + (folder / BANNER_STYLE).read_bytes()


@cache
def _shared_parts() -> Mapping[str, str]:
    """Parts that every theme may include, such as the head."""
    folder = resources.templates() / "page"
    return {file.name: file.read_bytes().decode("utf-8") for file in sorted(folder.glob("*.html.j2"))}
