# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands that our sentences name, as one types them on the road that one is on.

Every sentence names a command in one form, `piquet VERB … -i INVENTORY`, and an option as a variable. Where it is
shown, the command line, Ansible or pyinfra puts its own form there. No file, no network, no clock.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence

from piquet.protocol.verbs import HOST_VERBS

_NAMED = re.compile(r"\bpiquet (?P<verb>[a-z]+)(?P<site> SITE)? -i INVENTORY")
_PARTIAL = "piquet_arm_partial=true"


def by_command(text: str, inventory: str, engine: str = "ansible") -> str:
    """What is typed on the command line.

    Args:
        text: of ours.
        inventory: as it was given with `-i`.
        engine: that was chosen.
    """
    given = f"-i {shlex.quote(inventory)}"

    def put(found: re.Match[str]) -> str:
        has_engine = engine != "ansible" and found["verb"] in (*HOST_VERBS, "eve", "watch")
        return f"{found[0]} --engine {engine}" if has_engine else found[0]

    return _NAMED.sub(put, text).replace(_PARTIAL, "--partial").replace("-i INVENTORY", given)


def by_playbook(text: str, inventories: Sequence[str]) -> str:
    """What is typed with Ansible; a verb without a playbook stays a command, which takes one inventory.

    Args:
        text: of ours.
        inventories: as they were given with `-i`; none where that is not known.
    """
    given = " ".join(f"-i {shlex.quote(inventory)}" for inventory in inventories) or "-i INVENTORY"

    def typed(verb: str, site: str) -> str:
        return f"ansible-playbook piquet.fleet.{verb} {given}" + (
            f" -e piquet_stop_site={site}" if site else ""
        )

    put = _in_place(text, typed, "-e")
    return put.replace("-i INVENTORY", given) if len(inventories) == 1 else put


def by_deploy(text: str, inventory: str, folder: str) -> str:
    """What is typed with pyinfra; a verb without a deploy stays a command.

    Args:
        text: of ours.
        inventory: as it was given to `pyinfra`; "" where that is not known.
        folder: of the deploys; "" where that is not known.
    """
    where = shlex.quote(inventory) if inventory else "INVENTORY"
    deploys = shlex.quote(folder or "deploys")

    def typed(verb: str, site: str) -> str:
        return f"pyinfra {where} {deploys}/{verb}.py -y" + (
            f" --data piquet_stop_site={site}" if site else ""
        )

    put = _in_place(text, typed, "--data")
    given = shlex.quote(inventory.removeprefix("@ansible/"))
    return put.replace("-i INVENTORY", f"-i {given}") if inventory.startswith("@ansible/") else put


def _in_place(text: str, typed: Callable[[str, str], str], option: str) -> str:
    def put(found: re.Match[str]) -> str:
        is_known = found["verb"] in HOST_VERBS
        return typed(found["verb"], (found["site"] or "").strip()) if is_known else found[0]

    return _NAMED.sub(put, text).replace(_PARTIAL, f"{option} {_PARTIAL}")
