# SPDX-License-Identifier: GPL-3.0-or-later
"""The `piquet` command: one module per verb, one place where errors become words and exit codes.

A verb's module has the verb's name and holds a click command called `command`. Standard output is data,
standard error is for people. The commands that act on hosts are made from the table of verbs, in `hosts`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module

import click
from click.shell_completion import CompletionItem

from piquet import __version__
from piquet.cli import exit_codes
from piquet.cli.exit_codes import INTERNAL, INTERRUPTED, USAGE, code_of
from piquet.cli.hosts import host_command, in_words_of
from piquet.errors import PiquetError
from piquet.protocol.verbs import HOST_VERBS

_HERE: Mapping[str, str] = {
    "init": "Write an example campaign into FOLDER",
    "check": "Check the file CAMPAIGN, its consent list, its pages and its theme",
    "preview": "Show every page, banner and mode of CAMPAIGN on this machine, over a sample site",
    "consent": "Write down what one site answered; out reaches the hosts at once",
    "decision": "Show what people vote on and sign, with its digest",
    "plan": "Decide who shows what, when, and keep the decision for `stage`",
    "eve": "Check, survey, look at the hooks and plan, in one",
    "paper": "Print the paper for the desk: when, how to end it, what to say on the phone",
    "watch": "Show what every host is doing, live, until Ctrl-C",
    "verify": "Ask every site on every host what it answers",
    "report": "Write what was decided and what was: one HTML file and one JSON",
    "completion": "Print what teaches SHELL to complete piquet",
}
"""Commands of the controller alone."""
_BEFORE = {
    "survey": ("init", "check", "preview", "consent", "decision", "eve"),
    "stage": ("plan",),
    "arm": ("paper",),
    "stop": ("watch", "verify"),
}
"""Verb → those that come before it in a campaign's life; the rest comes last."""
_ORDER = (*(name for verb in HOST_VERBS for name in (*_BEFORE.get(verb, ()), verb)), "report", "completion")
COMMANDS: Mapping[str, str] = {
    name: f"{HOST_VERBS[name].says if name in HOST_VERBS else _HERE[name]}." for name in _ORDER
}
"""Name and first sentence, in the order of a campaign's life, which is the order of the help page."""


class _Verbs(click.Group):
    """Finds a verb's module only when it is asked for, so that `piquet --help` and completion are quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        if cmd_name in HOST_VERBS:
            return host_command(cmd_name)
        found: click.Command = import_module(f"piquet.cli.{cmd_name}").command
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Exit codes"):
            formatter.write_dl([(code, meaning) for code, meaning in exit_codes.rows()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        names = [name for name in COMMANDS if name.startswith(incomplete)]
        return [CompletionItem(name, help=COMMANDS[name]) for name in names] or super().shell_complete(
            ctx, incomplete
        )


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="piquet")
def cli() -> None:
    """Hold a digital picket line: strike pages on time, and certain to end."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and end the process.

    Args:
        arguments: without the program's name; those of the process by default.

    Raises:
        SystemExit: always, with a code of `exit_codes`.
    """
    sys.exit(run_command(arguments))


def run_command(arguments: Sequence[str] | None = None) -> int:
    """Run one command; every error ends here as a message on standard error and an exit code."""
    given: dict[str, str] = {}
    try:
        result = cli.main(args=arguments, prog_name="piquet", standalone_mode=False, obj=given)
        return result if isinstance(result, int) else 0
    except PiquetError as err:
        click.echo(f"error: {in_words_of(given, str(err))}", err=True)
        return code_of(err)
    except click.ClickException as err:
        err.show()
        return USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return INTERRUPTED
    except OSError as err:
        click.echo(f"error: {err}", err=True)
        return INTERNAL
