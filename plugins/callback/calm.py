# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person needs of a verb: its steps, each host's outcome, a failure in its own words, and a last line."""

from __future__ import annotations

from ansible import context
from ansible.constants import COLOR_ERROR, COLOR_OK, COLOR_UNREACHABLE
from ansible.plugins.callback.default import CallbackModule as Default
from ansible_collections.piquet.fleet.plugins.plugin_utils.package import typed

DOCUMENTATION = """
name: calm
type: stdout
short_description: Short output for people under stress
description:
  - Like Ansible's default, without the checks of arguments, JSON, places in files of ours, and counters.
  - A failure is the message with its hint. The last line says whether the verb did all of its work.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
requirements:
  - set as stdout in configuration
"""
_SPEC = ("validate_argument_spec", "ansible.builtin.validate_argument_spec")
_OURS = "piquet.fleet."
_UNNAMED = (*_SPEC, "piquet.fleet.tally")
"""Nothing to say, or a table that has its own title."""


class CallbackModule(Default):
    """`piquet.fleet.calm`, for `stdout_callback`."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "piquet.fleet.calm"

    def v2_playbook_on_play_start(self, play):
        """Say what the verb is about."""
        self._play = play
        self._display.display(f"\n{play.get_name().strip()}")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        """One message, with the line breaks that it was written with."""
        self._tell("failed", result, COLOR_ERROR)

    def v2_runner_on_unreachable(self, result):
        """The same; a host that is down is listed by the verbs that go on without it."""
        self._tell("unreachable", result, COLOR_UNREACHABLE)

    def v2_runner_on_ok(self, result):
        """Steps of the controller name no host: they are about all."""
        if result.task.action not in _SPEC and not result.task.run_once:
            super().v2_runner_on_ok(result)

    def v2_runner_on_skipped(self, result):
        """A step that is not for a host is no news."""

    def v2_playbook_on_stats(self, stats):
        """The verdict."""
        if stats.failures or stats.dark or not stats.processed:
            self._display.display("\nNOT done: see above", color=COLOR_ERROR)
        else:
            checked = " (check: nothing was changed)" if context.CLIARGS.get("check") else ""
            self._display.display(f"\ndone{checked}", color=COLOR_OK)

    def _task_start(self, task, prefix=None):
        """A step that may be skipped on every host is named with its first result: `Undo …` would be alarming."""
        self._last_task_name = task.get_name().strip()
        if not task.when or task.run_once:
            self._print_task_banner(task)

    def _print_task_banner(self, task):
        self._last_task_banner = task._uuid
        if task.action not in _UNNAMED:
            self._display.display(f"\n- {task.get_name().rpartition(' : ')[2].strip()}")

    def _tell(self, word, result, color):
        if self._last_task_banner != result.task._uuid:
            self._print_task_banner(result.task)
        message = (
            str(result.result.get("msg", "")).removeprefix("Task failed: ").removeprefix("Action failed: ")
        )
        place = "" if result.task.run_once else f": [{result.host.get_name()}]"
        shown = typed("".join(c for c in message.strip() if c.isprintable() or c in "\n\t"))
        if word == "unreachable" or not result.task.action.startswith(_OURS):
            shown = shown.replace("\n", "\n  | ")  # of others: no line of it may pass for one of ours
        self._display.display(f"{word}{place}: {shown}", color=color)
