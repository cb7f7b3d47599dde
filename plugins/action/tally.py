# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is what after a step over all hosts; the work is done by `piquet.controller.host_results`."""

from __future__ import annotations

from ansible.plugins.action import ActionBase
from ansible_collections.piquet.fleet.plugins.plugin_utils.inventory import hosts_of_run, registered
from ansible_collections.piquet.fleet.plugins.plugin_utils.package import controller, preload, tell

preload("tally")


class ActionModule(ActionBase):
    """`piquet.fleet.tally`: see `plugins/modules/tally.yml` for its arguments."""

    BYPASS_HOST_LOOP = True
    _requires_connection = False

    def run(self, tmp=None, task_vars=None):
        """Count, show the table, fail when asked to and somebody failed."""
        result = super().run(tmp, task_vars)
        tally = controller("host_results")
        _, arguments = self.validate_argument_spec(argument_spec=tally.TALLY_ARGUMENTS)
        hosts = hosts_of_run(task_vars)
        steps = [registered(task_vars, hosts, name) for name in arguments["of"]]
        undo = registered(task_vars, hosts, arguments["undo"]) if arguments["undo"] else {}
        before = registered(task_vars, hosts, arguments["before"]) if arguments["before"] else {}
        result |= tally.attempt(arguments, hosts, steps, undo, before)
        return tell(self._display, result)
