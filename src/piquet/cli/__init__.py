# SPDX-License-Identifier: GPL-3.0-or-later
"""The `piquet` command: one module per verb, one place where errors become words and exit codes.

A verb's module has the verb's name and holds a click command called `command`. Standard output is data,
standard error is for people.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec

import click

from piquet import __version__
from piquet.cli.exit_codes import INTERNAL, INTERRUPTED, USAGE, code_of
from piquet.errors import PiquetError

COMMANDS = ("init", "check", "plan", "verify")
"""In the order of a campaign's life, which is the order of the help page."""

PLAYBOOKS = ("survey", "hook", "stage", "arm", "status", "rollback", "unhook", "remove")
"""Verbs that act on hosts, so that Ansible runs them."""


class _Verbs(click.Group):
    """Finds a verb's module only when it is asked for, so that `piquet --help` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name in COMMANDS if find_spec(f"piquet.cli.{name}")]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in PLAYBOOKS:
            ctx.fail(f"{cmd_name} acts on hosts: ansible-playbook piquet.fleet.{cmd_name} -i INVENTORY")
        if cmd_name not in self.list_commands(ctx):
            return None
        found: click.Command = import_module(f"piquet.cli.{cmd_name}").command
        return found


_EPILOG = (
    f"On hosts: ansible-playbook piquet.fleet.VERB -i INVENTORY, with VERB one of {', '.join(PLAYBOOKS)}."
)


@click.group(cls=_Verbs, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
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
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command; every error ends here as a message on standard error and an exit code."""
    try:
        result = cli.main(args=arguments, prog_name="piquet", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except PiquetError as err:
        click.echo(f"error: {err}", err=True)
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
