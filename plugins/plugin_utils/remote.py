# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's connection as `piquet.controller.transport.Remote` wants it."""

from __future__ import annotations

import re
import tempfile
from contextlib import suppress
from pathlib import Path

from ansible.errors import AnsibleError
from ansible_collections.piquet.fleet.plugins.plugin_utils.package import controller


class AnsibleRemote:
    """Runs commands through the action's low-level execution, so that `become` works as for every task."""

    def __init__(self, action):
        """Ask for pipelining on this task's connection; configuration can still forbid it."""
        self._action = action
        with suppress(KeyError, AnsibleError):  # a connection without that option
            action._connection.set_option("pipelining", True)

    @property
    def can_pipe(self):
        """False for connections without pipelining (paramiko), `su`, and where a terminal was asked for."""
        return bool(self._action._connection.is_pipelining_enabled())

    @property
    def is_text_only(self):
        """Ansible carries bytes and tells the exit status."""
        return False

    def run(self, command, data, as_root):
        """Run one shell command; `become` applies when `as_root`."""
        outcome = controller("answer").CommandOutcome
        try:
            raw = self._action._low_level_execute_command(command, in_data=data, sudoable=as_root)
        except (
            AnsibleError
        ) as err:  # Ansible itself gives up at the prompt; the answer's reader has a hint for it
            asked = re.search(r"(?:Missing|Incorrect) (\S+) password", str(err))
            if asked is None:
                raise
            return outcome(1, "", f"{asked[1]}: a password is required")
        return outcome(raw["rc"], raw["stdout"], raw["stderr"])

    def put(self, data, path):
        """Write a remote file by the connection's own file transfer."""
        with tempfile.NamedTemporaryFile(prefix="piquet-") as file:
            Path(file.name).write_bytes(data)
            self._action._connection.put_file(file.name, path)
