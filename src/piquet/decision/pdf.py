# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge where the sheet becomes a PDF: WeasyPrint, which only those need who want one."""

from __future__ import annotations

from typing import NoReturn

from piquet.errors import BundleError

_HINT = (
    "pip install 'piquet[pdf]', and the package libpango-1.0-0; or print what --html writes from a browser"
)


def sheet_pdf(html: str) -> bytes:
    """The document of `sheets_html` as a PDF; nothing is fetched for it.

    Raises:
        BundleError: WeasyPrint, or the library that it draws with, is not installed here.
    """
    try:
        from weasyprint import HTML
    except (ImportError, OSError) as err:
        reason = str(err).partition("\n")[0]
        raise BundleError(f"no PDF can be made here: {reason}\n\n  hint: {_HINT}") from err
    document: bytes = HTML(string=html, url_fetcher=_refuse).write_pdf()
    return document


def _refuse(url: str, *_: object, **__: object) -> NoReturn:
    raise ValueError(f"the sheet asks for nothing, least of all {url}")
