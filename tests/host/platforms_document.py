# SPDX-License-Identifier: GPL-3.0-or-later
"""`docs/platforms.md`, made from the agent's records of operating systems. Records in, text out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from piquet.host.servers.registry import servers_of
from piquet.host.servers.web_server import WebServer
from piquet.host.system.paths import Paths
from piquet.host.system.platforms import FAMILIES, Command, Platform

PATH = Path(__file__).resolve().parents[2] / "docs/platforms.md"
RUN_ON: Mapping[str, str] = {
    "debian": "Debian 11, 12 and 13 with systemd, 12 with cron under another init too"
}
"""Family → what every run of the tests boots. A record that is not here is written down, and was never run."""

_HEAD = """\
# Platforms

Generated from `src/piquet/host/system/platforms.py` and `src/piquet/host/servers/*/packages.py`
(`pytest tests/unit/test_platforms_document.py --regenerate`).

What differs between operating systems is one record per family; the agent has no branches. The family is what ID or
ID_LIKE of `/etc/os-release` says. Where a server tells its own paths (`nginx -V`, `apache2ctl -V`, its configuration),
that counts; the record is for what nobody tells. "Not run on" means what it says: a careful operator tries it on one
machine first (survey, stage, remove change nothing that a visitor sees).
"""
_SCHEDULE = """\

## The schedule

`piquet_scheduler`, a variable of each host in the inventory: `systemd`, `cron`, or `auto` (the default): systemd where
that is process 1, else cron. Start and end are exact with either. The program itself counts, not its name: busybox's
crond (Alpine's own) does not read `/etc/cron.d`, and arm refuses a host that has only that.

| family | `systemctl` | programs that count as a cron which reads `/etc/cron.d` |
|---|---|---|"""
_RELEASES = """\

## Debian's releases

| release | nginx | Apache, Lua of its mod_lua | Python | in every run of the tests |
|---|---|---|---|---|
| 11 bullseye | 1.18.0 | 2.4.67, 5.3 | 3.9 | an nginx host of the fleet on which verbs run by both engines |
| 12 bookworm | 1.22.1 | 2.4.71, 5.3 | 3.11 | everything |
| 13 trixie | 1.26.3 | 2.4.71, 5.4 | 3.13 | the Apache host of that fleet, by rules, and by Lua in every mode |
| 14 forky | – | –, 5.4 | – | not run on; `--suite forky` boots it |

`script/test --suite trixie tests/corpus` asks the kinds of virtual hosts of another release's servers, `script/demo
--suite trixie` runs the demo on such hosts. Run in December 2026: the demo on hosts of 11, 12 and 13; with 13 every
kind on both servers in every state, and the telling kinds in each mode by each way: 0 wrong answers.

nginx's Lua module of Debian 11 knows no `server_rewrite_by_lua` and is refused. Debian 13's mod_lua runs our code only
from a file (`piquet_apache: lua`, with systemd); `auto` takes the rules there.
"""
_NGINX_ORG = """\

## nginx.org's packages

They belong to the family of the system that they are on; their `nginx.conf` includes `/etc/nginx/conf.d/*.conf`
and knows no `sites-enabled`. Nothing has to be set: our drop-in lies in the folder that the main file includes, and the
survey finds the sites wherever they are. Tested with such a main file (`tests/corpus/main/nginx/nginx-org.conf`)
on Debian's nginx, and with it a whole campaign; the packages themselves: not run on.
"""
_NEIGHBOURS = """\

## nginx before 1.17.6

A site's own limits (`limit_req`, `limit_conn`) are suspended on our answers by `dry_run`, which older versions
lack: there a zone of ours takes their place. That zone is defined at http level, so while something is staged such
an nginx refuses its configuration without our drop-in: where that was deleted, `reconcile` takes the other half
away within the minute; where its folder was taken out of nginx.conf, `status` names it (`dropin-not-read`). On any
later version either half stands alone.

## Virtual hosts that a configuration management writes

`piquet hook --print` prints the line for the owner's template. It belongs into every server block, before anything that
answers or rewrites (`return`, `rewrite`, `if`), and includes nothing until something is staged: it can stay for good.
Roll it out, then survey again; `hook` has nothing to do there.

- Ansible: the line stands first in the `server` block of the template, or of each `nginx.conf.j2` that a role offers
  for it. Run that role once before the survey, not between stage and the end.
- Puppet (`nginx::resource::server`): `raw_prepend => ['include /etc/piquet/nginx/server/*.conf;']`, which stands before
  its redirect; **not run on**.
- certbot: below.

A run that writes the files anew without the line, in a window, stops these sites: after more than a minute without it,
for good, until somebody arms again. `status` names them, says since when, and fails (`tests/host/test_hooks.py`).

## certbot's nginx plugin

It rewrites the blocks that carry our line (tested with 2.1.0, `tests/host/test_certbot.py`). None of it is taken
for a stop.

- A first certificate with `--redirect` splits a block: the new one, for http, has no line and redirects. `status`
  says `hook-missing`; https goes on showing the strike.
- A redirect in a block that was there already, or together with `--hsts`, stands before our line: `hook-not-first`;
  http redirects, https shows the strike.
- In both cases: `hook`, which puts the line first (on an armed host it stops that site, and says so), then `arm`.
- A renewal leaves every file as it was. `unhook` and `remove` leave what certbot would have written without us,
  byte for byte.
- `certbot rollback` puts back copies of all that nginx read, ours too. After `remove` it therefore stops in the
  middle, with a message; what it put back is inert, and `remove` takes it away again.

## Where a server refuses its owner's configuration

A module of another build, a name that no name server knows, a missing certificate: `hook`, `stage` and `arm` refuse,
`status` tells, all with the place and that it is not ours. `rollback`, the printed line and the end need no test.
`remove` and `unhook` delete our part without a reload; what the server has of it in memory shows nothing without
flags, and its next reload or restart forgets it. So it is where the test passes and the running server cannot take
it up, since an upgrade has replaced its program: its owner must restart it.
"""


def platforms_document() -> str:
    """The whole document."""
    parts = [_HEAD, _table("nginx"), "", _table("apache"), _SCHEDULE, *map(_schedule, FAMILIES), _RELEASES]
    return "\n".join(parts) + _NGINX_ORG + _NEIGHBOURS


def _table(server: str) -> str:
    known = [servers_of(family, Paths())[server] for family in FAMILIES]
    head = f"## {known[0].title}\n\n| family | of | test | reload | main file | drop-in folder | run on in tests |\n"
    return head + "|---|---|---|---|---|---|---|\n" + "\n".join(map(_package, known))


def _package(server: WebServer) -> str:
    is_ = server.packaged
    cells = (_shown(is_.test), _shown(is_.reload), _shown((is_.conf,)), _folder(is_.dropin))
    return _row(server.platform, *cells)


def _row(family: Platform, *cells: str) -> str:
    run_on = RUN_ON.get(family.name, "not run on")
    return f"| {' | '.join([family.name, ', '.join(family.ids), *cells, run_on])} |"


def _schedule(family: Platform) -> str:
    return f"| {family.name} | {_shown(family.systemctl) or 'none'} | {', '.join(family.cron)} |"


def _shown(command: Command) -> str:
    return f"`{' '.join(command)}`" if command else ""


def _folder(path: str) -> str:
    return f"`{path}/*.conf`" if path else "none as packaged: a finding of survey"
