# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan the campaign on the controller, once for all hosts; the work is done by `piquet.controller.prepare`."""

from __future__ import annotations

from ansible.plugins.action import ActionBase
from ansible_collections.piquet.fleet.plugins.plugin_utils.inventory import host_variables
from ansible_collections.piquet.fleet.plugins.plugin_utils.package import controller, preload, tell

preload("prepare")


class ActionModule(ActionBase):
    """`piquet.fleet.plan`: see `plugins/modules/plan.yml` for its arguments."""

    BYPASS_HOST_LOOP = True
    _requires_connection = False

    def run(self, tmp=None, task_vars=None):
        """Make plan, digest and bundles, show the findings, refuse what is unsafe."""
        result = super().run(tmp, task_vars)
        prepare = controller("prepare")
        _, arguments = self.validate_argument_spec(argument_spec=prepare.PLAN_ARGUMENTS)
        hosts = host_variables(self._loader, task_vars, arguments["hosts"])
        result |= prepare.attempt(arguments, hosts, list(task_vars["ansible_play_batch"]))
        return tell(self._display, result)
