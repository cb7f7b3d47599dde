# SPDX-License-Identifier: GPL-3.0-or-later
"""A command that a sentence names is one that can be typed on the road that one is on."""

from __future__ import annotations

import pytest

from piquet.controller.commands import by_command, by_deploy, by_playbook
from piquet.deploys.telling import typed_line

SAID = (
    "to end one site: piquet stop SITE -i INVENTORY; or leave them out with piquet_arm_partial=true; "
    "piquet hook -i INVENTORY, then piquet plan -i INVENTORY"
)


def test_on_the_command_line() -> None:
    """With the inventory as it was given, quoted."""
    expected = (
        "to end one site: piquet stop SITE -i 'my hosts.yml'; or leave them out with --partial; "
        "piquet hook -i 'my hosts.yml', then piquet plan -i 'my hosts.yml'"
    )
    assert expected == by_command(SAID, "my hosts.yml")
    assert by_command("piquet arm -i INVENTORY", "a", "pyinfra") == "piquet arm -i a --engine pyinfra"
    assert by_command("piquet plan -i INVENTORY", "a", "pyinfra") == "piquet plan -i a", "it has no engine"


def test_by_playbook() -> None:
    """All inventories are named; a verb without a playbook is a command, which takes one."""
    expected = (
        "to end one site: ansible-playbook piquet.fleet.stop -i a -i b -e piquet_stop_site=SITE; or leave them out "
        "with -e piquet_arm_partial=true; ansible-playbook piquet.fleet.hook -i a -i b, then "
        "piquet plan -i INVENTORY"
    )
    assert expected == by_playbook(SAID, ["a", "b"])
    assert by_playbook("piquet plan -i INVENTORY", ["a"]) == "piquet plan -i a"


def test_by_deploy() -> None:
    """Where the call does not tell, the places stay open."""
    expected = (
        "to end one site: pyinfra @ansible/a D/stop.py -y --data piquet_stop_site=SITE; or leave them out with "
        "--data piquet_arm_partial=true; pyinfra @ansible/a D/hook.py -y, then piquet plan -i a"
    )
    assert expected == by_deploy(SAID, "@ansible/a", "D")
    assert "pyinfra INVENTORY deploys/hook.py -y" in by_deploy(SAID, "", "")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("pyinfra @ansible/a x/arm.py -y", "pyinfra @ansible/a x/rollback.py -y"),
        ("pyinfra inv.py -y deploys/arm.py", "pyinfra inv.py deploys/rollback.py -y"),
        ("pyinfra inv.py --limit web1 arm.py", "pyinfra inv.py ./rollback.py -y"),
        ("pyinfra stage.py arm.py", "pyinfra stage.py ./rollback.py -y"),
        ("pyinfra -v inv.py x/arm.py", "pyinfra INVENTORY x/rollback.py -y"),
        ("python -m something", "pyinfra INVENTORY deploys/rollback.py -y"),
    ],
)
def test_where_the_words_of_the_command_line_tell_it(words: str, expected: str) -> None:
    """An option's value is no inventory, and an inventory no deploy."""
    assert expected == typed_line("piquet rollback -i INVENTORY", words.split())
