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

_NAMED = re.compile(
    r"\bpiquet (?P<verb>[a-z]+)(?P<site> SITE)? -i INVENTORY(?: --limit (?P<limit>[^\s;,)`]+))?"
)
_PARTIAL = "piquet_arm_partial=true"


def by_command(text: str, inventory: str) -> str:
    """What is typed on the command line.

    Args:
        text: of ours.
        inventory: as it was given with `-i`.
    """
    return text.replace(_PARTIAL, "--partial").replace("-i INVENTORY", f"-i {shlex.quote(inventory)}")


def by_playbook(text: str, inventories: Sequence[str]) -> str:
    """What is typed with Ansible; a verb without a playbook stays a command.

    Args:
        text: of ours.
        inventories: as they were given with `-i`; none where that is not known.
    """
    given = " ".join(f"-i {shlex.quote(inventory)}" for inventory in inventories) or "-i INVENTORY"

    def typed(verb: str, site: str, limit: str) -> str:
        more = (f" -e piquet_stop_site={site}" if site else "") + (f" --limit {limit}" if limit else "")
        return f"ansible-playbook piquet.fleet.{verb} {given}{more}"

    return _in_place(text, typed, "-e").replace("-i INVENTORY", given)


def by_deploy(text: str, inventory: str, folder: str) -> str:
    """What is typed with pyinfra; a verb without a deploy stays a command.

    Args:
        text: of ours.
        inventory: as it was given to `pyinfra`; "" where that is not known.
        folder: of the deploys; "" where that is not known.
    """
    where = shlex.quote(inventory) if inventory else "INVENTORY"
    deploys = shlex.quote(folder or "deploys")

    def typed(verb: str, site: str, limit: str) -> str:
        more = (f" --data piquet_stop_site={site}" if site else "") + (f" --limit {limit}" if limit else "")
        return f"pyinfra {where} {deploys}/{verb}.py -y{more}"

    put = _in_place(text, typed, "--data")
    given = shlex.quote(inventory.removeprefix("@ansible/"))
    return put.replace("-i INVENTORY", f"-i {given}") if inventory.startswith("@ansible/") else put


def _in_place(text: str, typed: Callable[[str, str, str], str], option: str) -> str:
    def put(found: re.Match[str]) -> str:
        if found["verb"] not in HOST_VERBS:
            return found[0]
        return typed(found["verb"], (found["site"] or "").strip(), found["limit"] or "")

    return _NAMED.sub(put, text).replace(_PARTIAL, f"{option} {_PARTIAL}")
