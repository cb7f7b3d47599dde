# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands that act on hosts, made from the table of verbs; an engine does the work.

What they offer is what the roles' argument specifications say, and nothing that playbooks and deploys cannot do.
Nothing heavy is imported before a verb really runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from piquet.controller.commands import by_command
from piquet.engines import ENGINES, EngineRequest
from piquet.protocol.places import HOOK_DIR
from piquet.protocol.verbs import HOST_VERBS

Decorator = Callable[[Callable[..., int]], Callable[..., int]]


def _site(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """Refuse what is no name once, and not once a host."""
    from piquet.controller.request import wanted_site
    from piquet.errors import HostError

    try:
        return wanted_site(value)
    except HostError as err:
        raise click.UsageError(str(err)) from err


def _print_line(context: click.Context, parameter: click.Parameter, is_wanted: bool) -> None:
    """What a configuration management puts into its vhosts itself."""
    if is_wanted and not context.resilient_parsing:
        click.echo(f"include {HOOK_DIR}/*.conf;")
        click.echo(
            "first in every server block of the template; it includes nothing until something is staged. Roll it out, "
            "then: piquet survey -i INVENTORY",
            err=True,
        )
        context.exit(0)


OPTIONS: Mapping[str, tuple[str, Decorator]] = {
    "campaign": (
        "piquet_campaign",
        click.argument("campaign", type=click.Path(path_type=Path, dir_okay=False), required=False),
    ),
    "workdir": (
        "piquet_workdir",
        click.option(
            "--workdir", type=click.Path(path_type=Path), help="Surveys and plans [.piquet by the inventory]."
        ),
    ),
    "digest": (
        "piquet_plan_digest",
        click.option("--digest", help="Digest of the plan that was reviewed; any other plan is refused."),
    ),
    "canary": (
        "piquet_canary",
        click.option(
            "--canary", multiple=True, metavar="HOST", help="Stage this host before all others (repeatable)."
        ),
    ),
    "baseline": (
        "piquet_baseline",
        click.option(
            "--no-baseline",
            "baseline",
            flag_value=False,
            default=None,
            help="Do not remember how every site answers now.",
        ),
    ),
    "print": (
        "",
        click.option(
            "--print",
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_print_line,
            help="Print the line for the owner's own template, and end.",
        ),
    ),
    "phase": (
        "piquet_rehearse_phase",
        click.option("--phase", type=int, help="Number of the phase to show [the next to begin]."),
    ),
    "end": (
        "piquet_rehearse_end",
        click.option("--end", is_flag=True, default=None, help="End it now, instead of beginning one."),
    ),
    "site": ("piquet_stop_site", click.argument("site", callback=_site)),
    "partial": (
        "piquet_arm_partial",
        click.option(
            "--partial",
            is_flag=True,
            default=None,
            help="Arm the hosts that can be armed, leave the others out.",
        ),
    ),
}
"""Option → the variable of the roles that it sets, "" if none, and its form on the command line."""


def _remember(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """For the commands that our sentences name: they are told with the inventory that this one was given."""
    if isinstance(context.obj, dict) and parameter.name:
        context.obj[parameter.name] = value
    return value


def as_typed(text: str) -> str:
    """A text of ours with its commands as they are typed here."""
    context = click.get_current_context(silent=True)
    return in_words_of(context.obj or {}, text) if context else text


def in_words_of(given: Mapping[str, str], text: str) -> str:
    """The same where the command has ended: with the inventory and the engine that it was given."""
    return (
        by_command(text, given["inventory"], given.get("engine", ENGINES[0]))
        if "inventory" in given
        else text
    )


INVENTORY: Decorator = click.option(
    "-i",
    "--inventory",
    required=True,
    type=click.Path(),
    callback=_remember,
    help="Ansible inventory: file, folder or `host1,host2,`; with --engine pyinfra also its own FILE.py.",
)
ANSIBLE_INVENTORY: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "-i",
    "--inventory",
    required=True,
    callback=_remember,
    help="Ansible inventory: file, folder or `host1,host2,`.",
)
"""For what asks no engine."""

LIMIT: Decorator = click.option(
    "-l", "--limit", help="Only these hosts (a pattern); the plan stays over all of piquet_hosts."
)
ENGINE: Decorator = click.option(
    "--engine",
    type=click.Choice(ENGINES),
    default=ENGINES[0],
    envvar="PIQUET_ENGINE",
    show_default=True,
    callback=_remember,
    help="What carries it to the hosts [PIQUET_ENGINE].",
)
EXTRA: Decorator = click.option(
    "-e",
    "--extra",
    multiple=True,
    metavar="NAME=VALUE",
    help="Any other variable of the role, such as piquet_become=false.",
)
_COMMON: tuple[Decorator, ...] = (
    INVENTORY,
    LIMIT,
    ENGINE,
    EXTRA,
    click.option("--check", is_flag=True, help="Change nothing, say what would change."),
    click.option("--diff", is_flag=True, help="Show every file before and after."),
    click.option("--json", "is_json", is_flag=True, help="Print one JSON document, also when it fails."),
)


def host_command(verb: str) -> click.Command:
    """The command of a verb of `HOST_VERBS`."""
    about = HOST_VERBS[verb]

    def run(**values: Any) -> int:
        return _run(verb, values)

    function: Callable[..., int] = run
    own = [OPTIONS[name][1] for name in (*about.options, "workdir")]
    for decorate in reversed((*_COMMON[:2], *own, *_COMMON[2:])):
        function = decorate(function)
    return click.command(verb, help=f"{about.says}. {about.more}")(function)


def variables(verb: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The roles' variables that the command line sets; what it leaves out keeps the roles' own rules.

    Raises:
        click.UsageError: a variable is unknown, of another type, or given twice.
    """
    from piquet.cli.host_variables import parse_variables

    given = {name: values.get(name) for name in OPTIONS if OPTIONS[name][0]}
    named = {
        OPTIONS[name][0]: _plain_value(value) for name, value in given.items() if value not in (None, ())
    }
    extra = parse_variables(verb, values["extra"])
    if twice := sorted(named.keys() & extra.keys()):
        raise click.UsageError(f"given twice: {', '.join(twice)}")
    return named | extra


def _plain_value(value: object) -> object:
    """Paths are the caller's, wherever an engine runs."""
    if isinstance(value, Path):
        return str(value.expanduser().absolute())
    return list(value) if isinstance(value, tuple) else value


def _run(verb: str, values: Mapping[str, Any]) -> int:
    request = EngineRequest(
        values["inventory"], values["limit"], variables(verb, values), values["check"], values["diff"]
    )
    from piquet.cli.drive import drive_verb

    return drive_verb(verb, values["engine"], request, values["is_json"])
