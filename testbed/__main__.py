# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m testbed`: hosts to practise on, until they are taken down again."""

from __future__ import annotations

import sys

import click

from piquet.errors import PiquetError
from testbed.fleet import Fleet, parse_hosts
from testbed.image import BASE, SUITES, image_path, ready_image
from testbed.packaged import PACKAGED
from testbed.slot import Slot, clean, is_kept, release, slots

RECIPES = {"base": BASE, "packaged": PACKAGED}


_of_suite = click.option(
    "--suite",
    type=click.Choice(SUITES),
    default=None,
    help="Debian release of the hosts; this machine's own if none.",
)


@click.group()
def main() -> None:
    """Boot real test hosts on this machine (root, Debian or Ubuntu)."""


@main.command()
@click.option("--hosts", default="nginx:2,apache:1", show_default=True, help="How many of which server.")
@click.option("--plain", default="", help="How many without systemd: cron and a plain init, e.g. nginx:1.")
@_of_suite
def up(hosts: str, plain: str, suite: str | None) -> None:
    """Boot a fleet and leave it running."""
    without_systemd = parse_hosts(plain) if plain else {}
    fleet = Fleet(parse_hosts(hosts), plain=without_systemd, suite=suite or "", is_kept=True).start()
    click.echo(f"{len(fleet.hosts)} hosts in {fleet.boot_s:.1f} s", err=True)
    for host in fleet:
        click.echo(f"  {host.name:<14} {host.ip:<15} ssh -F {fleet.ssh_config} {host.name}", err=True)
    click.echo(f"  take down: python -m testbed down {fleet.folder.name}", err=True)
    click.echo(fleet.inventory)


@main.command()
@click.argument("number", type=int, required=False)
def down(number: int | None) -> None:
    """Take down the fleet of this number, or every fleet that `up` left running."""
    chosen = [slot for slot in slots() if (is_kept(slot) if number is None else slot == Slot(number))]
    if not chosen:
        raise PiquetError("no such fleet is running" if number is not None else "no fleet is running")
    for slot in chosen:
        release(slot)
        click.echo(f"fleet {slot.number} is down", err=True)


@main.command()
@click.argument("name", type=click.Choice(sorted(RECIPES)), default="base")
@click.option("--check", is_flag=True, help="Make nothing; exit status 1 when it would have to be made.")
@_of_suite
def image(name: str, check: bool, suite: str | None) -> None:
    """Make an image of the hosts (a minute or three, once) and print where it is."""
    if check and not image_path(RECIPES[name], suite or "").is_dir():
        sys.exit(1)
    click.echo(ready_image(RECIPES[name], suite or ""))


@main.command(name="clean")
def clean_() -> None:
    """Remove what crashed runs left behind; running fleets are not touched."""
    for slot in clean():
        click.echo(f"fleet {slot.number} was left behind and is removed", err=True)


if __name__ == "__main__":
    try:
        main(prog_name="python -m testbed")
    except PiquetError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
