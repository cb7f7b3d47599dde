# SPDX-License-Identifier: GPL-3.0-or-later
"""The way from a thin Ansible plugin to the Python package that does the work."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType

from ansible import context
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


def preload(module: str, then: str = "") -> None:
    """Import early, and call that function, in the process that Ansible forks its workers from: each would have to."""
    with suppress(ImportError):
        imported = import_module(f"piquet.controller.{module}")
        if then:
            getattr(imported, then)()


def tell(display, result):
    """Show people what they should read of a result, and hand it on.

    The text stays in the result, for programs. Not in a failed one, which Ansible's callbacks print as JSON on top,
    unless the program that reads it is piquet itself.
    """
    is_read = "PIQUET_READS_RESULTS" in os.environ
    if text := result.get("show"):
        display.display(text if is_read else typed(text))
    if result.get("failed") and not is_read:
        result.pop("show", None)
    return result


def typed(text):
    """The commands that a text of ours names, as playbooks with the inventory of this run."""
    sources = (context.CLIARGS or {}).get("inventory") or ()
    try:
        commands = controller("commands")
    except AnsibleError:  # what a task says must be read all the same
        return text
    return commands.by_playbook(text, [_from_here(source) for source in sources])


def _from_here(source):
    near = os.path.relpath(source) if Path(source).is_absolute() else source
    return source if near.startswith("..") else near
