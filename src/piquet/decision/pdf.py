# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge where a sheet for a wall or a desk becomes a PDF: WeasyPrint, which only those need who want one."""

from __future__ import annotations

from piquet.errors import BundleError

_HINT = (
    "pip install 'piquet[pdf]', and the package libpango-1.0-0; or print what --html writes from a browser"
)


def sheet_pdf(html: str) -> bytes:
    """A document that asks for nothing else as a PDF; nothing is fetched for it, from no network and no disk.

    Raises:
        BundleError: WeasyPrint, or the library that it draws with, is not installed here.
    """
    try:
        from weasyprint import HTML
        from weasyprint.urls import URLFetcher
    except (ImportError, OSError) as err:
        reason = str(err).partition("\n")[0]
        raise BundleError(f"no PDF can be made here: {reason}\n\n  hint: {_HINT}") from err
    document: bytes = HTML(string=html, url_fetcher=URLFetcher(allowed_protocols=())).write_pdf()
    return document
