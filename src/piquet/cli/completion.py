# SPDX-License-Identifier: GPL-3.0-or-later
"""`piquet completion`: the lines that teach a shell to complete piquet's commands, options and files."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

_HELP = """Print what teaches SHELL to complete piquet.

\b
bash: eval "$(piquet completion bash)"      in ~/.bashrc
zsh:  eval "$(piquet completion zsh)"       in ~/.zshrc, after compinit
fish: piquet completion fish | source       in ~/.config/fish/config.fish
"""


@click.command("completion", help=_HELP)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the script of click's own completion."""
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"click knows no completion for {shell}")
    click.echo(kind(ctx.find_root().command, {}, "piquet", "_PIQUET_COMPLETE").source())
