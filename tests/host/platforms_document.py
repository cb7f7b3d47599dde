# SPDX-License-Identifier: GPL-3.0-or-later
"""`docs/platforms.md`, made from the agent's records of operating systems. Records in, text out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from piquet.host.servers.nginx.panels import PANELS
from piquet.host.servers.registry import servers_of
from piquet.host.servers.web_server import WebServer
from piquet.host.system.paths import Paths
from piquet.host.system.platforms import FAMILIES, Command, Platform
from piquet.host.system.selinux import RELABEL, TYPES
from testbed.image import SUITES
from tests.figures import Figure, Row, kept

PATH = Path(__file__).resolve().parents[2] / "docs/platforms.md"
RUN_ON: Mapping[str, str] = {
    "debian": "Debian 11, 12 and 13 with systemd, 12 with cron under another init too"
}
"""Family → what every run of the tests boots. A record that is not here is written down, and was never run."""

IMITATED: Mapping[str, str] = {"redhat": "imitated: Debian's binaries in its layout"}
"""Family → what of it is booted without being it."""

_HEAD = """\
# Platforms

Generated from `src/piquet/host/system/platforms.py` and `src/piquet/host/servers/*/packages.py`
(`pytest tests/unit/test_platforms_document.py --regenerate`).

What differs between operating systems is one record per family; the agent has no branches. The family is what ID or
ID_LIKE of `/etc/os-release` says. Where a server tells its own paths (`nginx -V`, `apache2ctl -V`, its configuration),
that counts; the record is for what nobody tells. "Not run on" means what it says: a careful operator tries it on one
machine first (survey, stage, remove change nothing that a visitor sees). "Imitated" is a little more: see below.
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

In every run of the tests: everything on 12 bookworm; the verbs by both engines on a fleet whose Apache host is of 13
trixie (by rules, and by Lua in every mode) and of whose nginx hosts one is of 11 bullseye, with Python 3.9.
`script/test --long --suite RELEASE` runs on another release's servers and hosts, `script/demo --suite RELEASE` the
demo. What such runs found last, the commits behind it:

| release | nginx | Apache | Lua of its mod_lua | Python | systemd | kinds right of asked | modes: wrong of answers | \
faults: site-seconds outside | course by both engines | other tests passed | of |
|---|---|---|---|---|---|---|---|---|---|---|---|
"""
_LUA = """\

nginx's Lua module of Debian 11 knows no `server_rewrite_by_lua` and is refused. Debian 13's mod_lua runs our code only
from a file (`piquet_apache: lua`, with systemd); `auto` takes the rules there.
"""
_REDHAT = f"""\

## RHEL's likes

AlmaLinux, Rocky, CentOS and RHEL itself: no package of theirs could be had, so none of them was run on. Two booted
hosts imitate them with Debian's binaries: os-release of AlmaLinux 9, `httpd` with `/etc/httpd` and modules loaded by
`conf.modules.d`, nginx with `conf.d` alone, no `a2enmod` and no `apache2ctl`. Each ordinary run of the tests takes them
from survey to remove, nginx to its end and Apache by a rollback, and compares what they answer byte for byte
(`tests/e2e/test_cron.py`). What is Debian's there and may differ: Python, the C library, systemd, and builds of the
modules; on RHEL 9 mod_lua is linked with Lua 5.4 most likely, which the survey asks it.

**SELinux, not run on.** Where it enforces, survey warns (`selinux-enforcing`) with what follows; arm asks the server
itself whether it sees a file of ours, and refuses where it does not.

```
{TYPES[0]}
{TYPES[1]}
{RELABEL}
```

The first two once, the third after stage. `/run` begins empty at each boot: a host that boots inside of a window shows
its sites as usual until the third was run again.
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

## Several servers of one kind on a host

**Apache, as Debian's `setup-instance` makes it** (`/etc/apache2-SUFFIX`): each instance that runs is a server of its
own, `apache@SUFFIX` in survey, plan and status. Its test and reload are `apache2ctl` with its `APACHE_CONFDIR`, our
file lies in its own `conf-enabled` and includes `/etc/piquet/apache@SUFFIX`. `piquet_apache` is the way of all of them.
It is told apart by its process: one not started with `-d /etc/apache2-SUFFIX`, as `apache2ctl` does, is none. Run on
Debian 13, by rules and by Lua, and with one that its owner broke (`tests/e2e/test_instances.py`). One that does not run
at the survey is not in the plan, and shows nothing when it is started in the window.

**Any other second master** (`nginx -c`, `apache2 -f`) is named by the survey (`other-server`), and its sites are in no
plan: who names one in the campaign or in the inventory is refused before anything is written (`site-unknown`,
`site-not-served`). Its owner lets the system's own service serve them, or makes an instance of an Apache.

## A web server in a container on the host

The survey names it (`server-in-container`); nothing else of ours touches it. Two ways to hold its sites:

- **A host of its own in the inventory**, with Python 3.8 or later and systemd or cron in it: all promises hold there,
  since every host of our tests is such a container. One that is made anew has lost what was staged, and shows nothing.
- **Our folders of the host in it**, for sites that the host's own server of that kind serves, too (it may be in front).
  Mounted read-only at the same places: `/etc/piquet`, `/var/lib/piquet`, `/run/piquet`, and with Lua from a file
  `/usr/local/lib/piquet`. nginx: `include /etc/piquet/nginx/http/*.conf;` in `http`, and the line of
  `piquet hook --print` first in each server block; Apache: `IncludeOptional /etc/piquet/apache/*.conf` at the end of
  the main file. They include nothing where nothing is mounted. The container is started, or started anew, **after
  `arm`** and after `remove`: folders that we delete and make again are other ones, of which a mount does not know.
  Window, end and `rollback` then hold in it as on the host (`tests/e2e/test_contained.py`, both servers).

What the second way does not give: nobody of ours tests, reloads or asks the server in the container. Its owner tests
it, with that start; whether it shows the strike tells only a look at it. What was staged was made for the host's
server: one of another version or with other modules may refuse it. Root in the container can read it. User namespaces
(rootless) cannot read what is root's.

## A small host

Run within the kernel's limits (`tests/e2e/test_small_host.py`): one core, 200 writes a second to the disk, and 512 MB
with 1,000 virtual hosts of nginx or 3,000 of Apache, 1 GB with 3,000 of nginx. The whole course is carried out, the
kernel ends nothing, and the agent has at most 60 MB of its own; `remove` has 66 with 3,000 of nginx.

What needs memory is the server. By the include line nginx takes some three times as much for its virtual hosts as
without us, and all of that twice at a reload, or beside a test of its configuration: with 3,000 of them on 512 MB the
kernel ended it, and nobody started it again. `hook` and `stage` therefore compare what the test took with what is
there, and refuse before any reload (`memory-short`); by Lua (`piquet_nginx: lua`) nothing of ours stands in the virtual
hosts. The machine's own word counts (`/proc/meminfo`); a limit that only a control group has is not seen there.

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

{panels}
## Where a server refuses its owner's configuration

A module of another build, a name that no name server knows, a missing certificate: `hook`, `stage` and `arm` refuse,
`status` tells, all with the place and that it is not ours. `rollback`, the printed line and the end need no test.
`remove` and `unhook` delete our part without a reload; what the server has of it in memory shows nothing without
flags, and its next reload or restart forgets it. So it is where the test passes and the running server cannot take
it up, since an upgrade has replaced its program: its owner must restart it.
"""
_COURSE = ("e2e/test_ansible.py", "e2e/test_pyinfra.py")
_COUNTED = ("programs", "corpus", "modes", "faults")
"""Tables of figures that are shown here."""


_PANELS = """\
## Hosting panels

A panel writes its server blocks anew whenever somebody changes something there, and leaves a place in them to the
owner. With YunoHost and HestiaCP hook puts a file of ours with the one line there (`00-piquet` stands for the star, so
that it comes before what applications redirect), and leaves what the panel generates as it is. With the others survey
and plan warn (`panel-rebuilds`), and name the place for the line of `piquet hook --print`. Apache needs none of this,
since no virtual host is touched there. Nor does nginx by Lua.

Not run with a panel itself: stand-ins write server blocks with the includes of the panels' own templates, in their
order (`tests/host/test_panels.py`). That the line does behind all else of a block what it does as the first is asked
in the corpus (`panel`).

| panel | known by | the owner's place in nginx | what writes the blocks anew | who puts the line there |
|---|---|---|---|---|"""
_REBUILT = """
- YunoHost's block for port 80 lacks the place while it redirects to https, and HestiaCP's comes behind a redirect once
  SSL is forced. The line would do nothing there, so it goes into the generated block itself; survey and plan say so
  (`panel-place`), with what stands before.
- A rebuild takes that line out, inside of a window too: http then redirects as usual, https goes on showing the strike,
  `status` says `hook-missing`, and that is no stop. `hook`, then `arm` has both again. A site of which no block has its
  place is stopped by a rebuild, as by any other deploy that takes the line out.
- Whoever deletes our file there, or the panel's include of it, stops the site, for good, as with any hook line.
- YunoHost leaves a file that is not as it wrote it, with our line say, and says so; `--force` writes it anew.
- `unhook` and `remove` delete our file. One of that name that is somebody else's is refused by hook (`place-taken`).
"""


def platforms_document() -> str:
    """The whole document."""
    parts = [_HEAD, _table("nginx"), "", _table("apache"), _SCHEDULE, *map(_schedule, FAMILIES), _RELEASES]
    found = kept()
    releases = "".join(
        _release([figure for figure in found if figure.suite == suite], suite) for suite in SUITES
    )
    return (
        "\n".join(parts) + releases + _LUA + _REDHAT + _NGINX_ORG + _NEIGHBOURS.replace("{panels}", _panels())
    )


def _panels() -> str:
    rows = (
        f"| {p.title} | `{p.sign}` | {_with_paths(p.place)} | {_with_paths(p.rebuild)} | "
        f"{'hook' if p.include else 'its owner'} |"
        for p in PANELS
    )
    return "\n".join([_PANELS, *rows, _REBUILT])


def _with_paths(text: str) -> str:
    """Paths and globs marked as such."""
    return re.sub(r"\S*[/*]\S*", r"`\g<0>`", text)


def _release(found: Sequence[Figure], suite: str) -> str:
    """One row of what was found on a Debian release; what was not asked is a dash."""
    files = {figure.test: figure.row for figure in found if figure.table == "suite"}
    course = [files.pop(name) for name in _COURSE if name in files]
    rows = {name: [figure.row for figure in found if figure.table == name] for name in _COUNTED}
    programs = rows["programs"][0] if rows["programs"] else {}
    cells = (
        *(
            str(programs.get(name, "–"))
            for name in ("nginx", "apache", "lua_of_mod_lua", "python", "systemd")
        ),
        _kinds(rows["corpus"]),
        _share(rows["modes"], "wrong", "requests"),
        _faults(rows["faults"]),
        _passed(course) if len(course) == len(_COURSE) else "–",
        _passed([*files.values()]),
        ", ".join(sorted({figure.commit for figure in found if figure.table in (*_COUNTED, "suite")}))
        or "never run",
    )
    return f"| {' | '.join([suite, *cells])} |\n"


def _kinds(rows: Sequence[Row]) -> str:
    asked = {(row.get("server"), row["kind"]) for row in rows}
    wrong = {
        (row.get("server"), row["kind"])
        for row in rows
        if any(value for name, value in row.items() if name.startswith("wrong"))
    }
    return f"{len(asked - wrong)} of {len(asked)}" if rows else "–"


def _share(rows: Sequence[Row], part: str, whole: str) -> str:
    counts = [sum(int(row[name]) for row in rows) for name in (part, whole)]
    return f"{counts[0]} of {counts[1]:,}" if rows else "–"


def _faults(rows: Sequence[Row]) -> str:
    outside = sum(float(row["site_seconds_outside"]) for row in rows)
    return f"{len({row['fault'] for row in rows})}: {outside:.1f}" if rows else "–"


def _passed(rows: Sequence[Row]) -> str:
    return (
        f"{sum(int(row['passed']) for row in rows)}, {sum(int(row['failed']) for row in rows)} failed"
        if rows
        else "–"
    )


def _table(server: str) -> str:
    known = [servers_of(family, Paths())[server] for family in FAMILIES]
    head = f"## {known[0].title}\n\n| family | of | test | reload | main file | drop-in folder | run on in tests |\n"
    return head + "|---|---|---|---|---|---|---|\n" + "\n".join(map(_package, known))


def _package(server: WebServer) -> str:
    is_ = server.packaged
    cells = (_shown(is_.test), _shown(is_.reload), _shown((is_.conf,)), _folder(is_.dropin))
    return _row(server.platform, *cells)


def _row(family: Platform, *cells: str) -> str:
    run_on = {**IMITATED, **RUN_ON}.get(family.name, "not run on")
    return f"| {' | '.join([family.name, ', '.join(family.ids), *cells, run_on])} |"


def _schedule(family: Platform) -> str:
    return f"| {family.name} | {_shown(family.systemctl) or 'none'} | {', '.join(family.cron)} |"


def _shown(command: Command) -> str:
    return f"`{' '.join(command)}`" if command else ""


def _folder(path: str) -> str:
    return f"`{path}/*.conf`" if path else "none as packaged: a finding of survey"
