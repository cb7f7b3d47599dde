# SPDX-License-Identifier: GPL-3.0-or-later
"""One verb of the host agent in one remote step; the work is done by `piquet.controller.step`."""

from __future__ import annotations

from ansible.plugins.action import ActionBase
from ansible_collections.piquet.fleet.plugins.plugin_utils.package import controller, preload, tell
from ansible_collections.piquet.fleet.plugins.plugin_utils.remote import AnsibleRemote

preload("step", then="make_ready")


class ActionModule(ActionBase):
    """`piquet.fleet.agent`: see `plugins/modules/agent.yml` for its arguments."""

    def run(self, tmp=None, task_vars=None):
        """Send the payload, read the answer, show people what they should read."""
        result = super().run(tmp, task_vars)
        step, host = controller("step"), task_vars["inventory_hostname"]
        _, arguments = self.validate_argument_spec(argument_spec=step.VERB_ARGUMENTS)
        result |= step.attempt(
            AnsibleRemote(self), host, arguments, check=self._task.check_mode, diff=self._task.diff
        )
        return tell(self._display, result)
