# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask every site from the controller, once for all hosts; the work is done by `piquet.controller.verify`."""

from __future__ import annotations

from ansible.plugins.action import ActionBase
from ansible_collections.piquet.fleet.plugins.plugin_utils.inventory import host_variables
from ansible_collections.piquet.fleet.plugins.plugin_utils.package import controller, tell


class ActionModule(ActionBase):
    """`piquet.fleet.verify`: see `plugins/modules/verify.yml` for its arguments."""

    BYPASS_HOST_LOOP = True
    _requires_connection = False

    def run(self, tmp=None, task_vars=None):
        """Run the command, show what it says, fail when it does."""
        result = super().run(tmp, task_vars)
        verify = controller("verify")
        _, arguments = self.validate_argument_spec(argument_spec=verify.VERIFY_ARGUMENTS)
        hosts = host_variables(self._loader, task_vars, arguments["hosts"])
        result |= verify.attempt(arguments, hosts)
        return tell(self._display, result)
