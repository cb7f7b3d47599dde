# SPDX-License-Identifier: GPL-3.0-or-later
"""A command that a sentence names is one that can be typed on the road that one is on."""

from __future__ import annotations

from piquet.controller.commands import by_command, by_deploy, by_playbook

SAID = (
    "to end one site: piquet stop SITE -i INVENTORY; or leave them out with piquet_arm_partial=true; "
    "piquet hook -i INVENTORY --limit web1, then piquet plan -i INVENTORY"
)


def test_on_the_command_line() -> None:
    """With the inventory as it was given, quoted."""
    expected = (
        "to end one site: piquet stop SITE -i 'my hosts.yml'; or leave them out with --partial; "
        "piquet hook -i 'my hosts.yml' --limit web1, then piquet plan -i 'my hosts.yml'"
    )
    assert expected == by_command(SAID, "my hosts.yml")


def test_by_playbook() -> None:
    """A verb without a playbook is a command; all inventories are named."""
    expected = (
        "to end one site: ansible-playbook piquet.fleet.stop -i a -i b -e piquet_stop_site=SITE; or leave them out "
        "with -e piquet_arm_partial=true; ansible-playbook piquet.fleet.hook -i a -i b --limit web1, then "
        "piquet plan -i a -i b"
    )
    assert expected == by_playbook(SAID, ["a", "b"])


def test_by_deploy() -> None:
    """Where the call does not tell, the places stay open."""
    expected = (
        "to end one site: pyinfra @ansible/a D/stop.py -y --data piquet_stop_site=SITE; or leave them out with "
        "--data piquet_arm_partial=true; pyinfra @ansible/a D/hook.py -y --limit web1, then piquet plan -i a"
    )
    assert expected == by_deploy(SAID, "@ansible/a", "D")
    assert "pyinfra INVENTORY deploys/hook.py -y --limit web1" in by_deploy(SAID, "", "")
