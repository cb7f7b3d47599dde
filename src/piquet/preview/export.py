# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of every page and banner: in every language, narrow and wide, light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from piquet.preview import chromium
from piquet.preview.index import WIDTHS
from piquet.preview.rendered_campaign import Show
from piquet.preview.server import PreviewServer
from piquet.preview.view import View

SCHEMES = ("light", "dark")


@dataclass(frozen=True)
class Shot:
    """One picture to take.

    Attributes:
        view: what is looked at.
        device: a name in `WIDTHS`.
        scheme: `light` or `dark`.
    """

    view: View
    device: str
    scheme: str

    @property
    def name(self) -> str:
        """Of its file, such as `2-block-fr-phone-dark.png`."""
        phase = self.view.phase
        return f"{phase.number}-{phase.mode}-{self.view.language}-{self.device}-{self.scheme}.png"


def shots(show: Show) -> Iterator[Shot]:
    """Every phase in its window, in every language."""
    during = (view for view in show.views.values() if view.moment == "during")
    yield from (Shot(*parts) for parts in product(during, WIDTHS, SCHEMES))


def export(server: PreviewServer, folder: Path) -> Iterator[Path]:
    """Take every picture; yields each file when it is written.

    A banner is taken as the window shows it, since a dialog stands in the middle of a window; a page as a whole.

    Raises:
        EngineError: there is no browser, or it failed.
    """
    program = chromium.find()
    folder.mkdir(parents=True, exist_ok=True)
    with chromium.running(program) as browser:
        for shot in shots(server.show):
            url = f"http://{shot.view.host()}:{server.port}/"
            is_whole = shot.view.phase.mode != "banner"
            png = browser.picture(url, WIDTHS[shot.device], shot.scheme, is_whole=is_whole)
            (folder / shot.name).write_bytes(png)
            yield folder / shot.name
