# SPDX-License-Identifier: GPL-3.0-or-later
"""The way from a thin Ansible plugin to the Python package that does the work."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib import import_module
from types import ModuleType

from ansible.errors import AnsibleError


def controller(module: str) -> ModuleType:
    """Import `piquet.controller.<module>`, or say how to make it importable."""
    try:
        return import_module(f"piquet.controller.{module}")
    except ImportError as err:
        raise AnsibleError(
            f"The Python package piquet cannot be imported by Ansible's own Python ({sys.executable}): {err}. "
            f"Install it there: `{sys.executable} -m pip install piquet`, or from a checkout "
            f"`{sys.executable} -m pip install -e PATH-OF-THE-CHECKOUT`."
        ) from err


def preload(module: str) -> None:
    """Import early, in the process that Ansible forks its workers from, so that not each of them has to."""
    with suppress(ImportError):
        import_module(f"piquet.controller.{module}")


def tell(display, result):
    """Show people what they should read of a result, and hand it on.

    The text stays in the result, for programs. Not in a failed one, which Ansible's callbacks print as JSON on top,
    unless the program that reads it is piquet itself.
    """
    if text := result.get("show"):
        display.display(text)
    if result.get("failed") and "PIQUET_READS_RESULTS" not in os.environ:
        result.pop("show", None)
    return result
