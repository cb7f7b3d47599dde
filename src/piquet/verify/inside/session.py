# SPDX-License-Identifier: GPL-3.0-or-later
"""Campaign, inventory, surveys and connections of one run, and one look at every host: the edge of this folder."""

from __future__ import annotations

import socket
import zlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from piquet.bundle import build_bundles
from piquet.campaign.model import Campaign
from piquet.errors import FleetError, HostError
from piquet.fleet.inventory import default_workdir, inventory_hosts
from piquet.fleet.model import Fleet
from piquet.fleet.read import read_fleet
from piquet.fleet.sites import sites_on_hosts
from piquet.fleet.surveyed_server import kind_named
from piquet.fleet.workdir import Workdir
from piquet.load import LoadedCampaign, load_campaign, made_secret
from piquet.plan import HostPlan, Plan, make_plan
from piquet.protocol.places import AGENT_PATH, CODE_DIR, DEFAULT_PYTHON, ETC, HOOK_MARK, LIB, RUN, SPOOL
from piquet.servers.registry import SERVERS
from piquet.verify.expectations import Expectations, phase_at
from piquet.verify.inside.judge_host import Case
from piquet.verify.inside.local import local_jobs, local_targets, own_sources
from piquet.verify.inside.look import InspectedHost, Look, Order, look_at_host
from piquet.verify.inside.moments import InsideMoment, moment_words, verify_moment
from piquet.verify.observation import UNKNOWN_SITE, Target, Unreachable

_AT_ONCE = 16
_OUR_FOLDERS = (ETC, LIB, SPOOL, RUN, CODE_DIR, AGENT_PATH)
_NO_KEY = "0" * 32
"""In the place of a key: only the paths of a bundle outside of our own folders are wanted here."""


@dataclass(frozen=True)
class Inputs:
    """What a user gives."""

    campaign: Path
    inventory: str
    workdir: Path | None
    moment: InsideMoment


class Picket:
    """Everything that a run of the tests knows.

    Attributes:
        loaded: the campaign with its pages.
        moment: what the user asks for.
        fleet: inventory and kept surveys.
        plan: who shows what, when.
    """

    def __init__(self, inputs: Inputs) -> None:
        """Read campaign, inventory and surveys; no host is asked yet.

        Raises:
            PiquetError: one of them cannot be used.
        """
        self.loaded: LoadedCampaign = load_campaign(inputs.campaign)
        self.moment = inputs.moment
        self._variables = inventory_hosts(inputs.inventory)
        workdir = Workdir(inputs.workdir or default_workdir(inputs.inventory))
        self._surveys = workdir.surveys()
        self.fleet: Fleet = read_fleet(self._variables, self._surveys, SERVERS)
        self.plan: Plan = make_plan(self.campaign, self.fleet, datetime.now(UTC), SERVERS)
        self._remotes: dict[str, InspectedHost] = {}
        self._cases: dict[str, Case] = {}
        self._workdir = workdir
        self._check_moment()

    @property
    def campaign(self) -> Campaign:
        """What the campaign file says."""
        return self.loaded.campaign

    @property
    def hosts(self) -> tuple[str, ...]:
        """Inventory names of the hosts that this run looks at, sorted."""
        return tuple(sorted(self._remotes))

    @cached_property
    def now(self) -> float:
        """This machine's clock when it was first asked for, epoch seconds UTC."""
        return datetime.now(UTC).timestamp()

    def connect(self, remotes: Mapping[str, InspectedHost]) -> None:
        """Take up the hosts of this run: what testinfra calls them → its connection.

        Raises:
            FleetError: there are none, or one of them is not in the inventory or was not surveyed.
        """
        self._remotes = {self.name_of(name): remote for name, remote in remotes.items()}
        if not self._remotes:
            raise FleetError(
                "there is no host to look at\n\n  hint: --hosts=ansible://GROUP-OR-HOST, as in the inventory"
            )
        known = {host.name for host in self.fleet.hosts if host.surveyed_at is not None}
        if lost := sorted(self._remotes.keys() - known):
            hint = "piquet survey -i INVENTORY; or say where surveys are: --piquet-workdir"
            raise FleetError(f"no survey in {self._workdir.path} of: {', '.join(lost)}\n\n  hint: {hint}")

    def name_of(self, called: str) -> str:
        """The inventory name of a host as testinfra calls it: that name, its address, or the name it gives itself.

        Args:
            called: host part of `ssh://user@host`, inventory name of `ansible://`, `local` for this machine.

        Raises:
            FleetError: no host of the inventory fits, or several do.
        """
        itself = socket.gethostname() if called == "local" else called
        ways = (
            [name for name in self._variables if name == itself],
            [host.name for host in self.fleet.hosts if host.address == itself],
            [
                name
                for name, survey in self._surveys.items()
                if survey.get("hostname") == itself and name in self._variables
            ],
            list(self._variables) if called == "local" and len(self._variables) == 1 else [],
        )
        found = next((names for names in ways if names), [])
        if len(found) != 1:
            reason = "no host" if not found else f"{len(found)} hosts"
            hint = "name hosts as the inventory does, or give an inventory with this host alone"
            raise FleetError(
                f"{itself} fits {reason} of the inventory\n  expected: one of {', '.join(sorted(self._variables))}"
                f"\n  got:      {called}\n\n  hint: {hint}"
            )
        return found[0]

    def host_plan(self, name: str) -> HostPlan:
        """What one host does."""
        return next(host for host in self.plan.hosts if host.host == name)

    @cached_property
    def _targets(self) -> Mapping[str, tuple[tuple[Target, ...], tuple[Unreachable, ...]]]:
        pairs = zip(self.fleet.hosts, self.plan.hosts, strict=True)
        return {host.name: local_targets(self.plan, host, planned) for host, planned in pairs}

    def targets(self, name: str) -> tuple[Target, ...]:
        """Every site at every door of one host, as a process on it reaches them."""
        return self._targets[name][0]

    def sites(self, name: str) -> tuple[str, ...]:
        """Names of one host that can be asked there, selected or not, sorted."""
        return tuple(sorted({target.site for target in self.targets(name)} - {UNKNOWN_SITE}))

    def unasked(self) -> tuple[Unreachable, ...]:
        """Sites of the hosts of this run that even their own host cannot ask."""
        return tuple(one for name in self.hosts for one in self._targets[name][1])

    def expectations(self, name: str) -> Expectations:
        """What is right for the sites of one host, asked from there."""
        sources = own_sources(self.targets(name))
        return Expectations(
            self.campaign, made_secret(self.loaded), verify_moment(self.moment), sources=sources
        )

    def look(self, name: str) -> Look:
        """What one host was like when the first of this run was looked at; all are looked at together.

        Raises:
            HostError: it could not be looked at.
        """
        found = self._looks[name]
        if isinstance(found, HostError):
            raise found
        return found

    def case(self, name: str) -> Case:
        """One host, ready to be judged.

        Raises:
            HostError: it could not be looked at.
        """
        servers = self._servers(name)
        return Case(
            self.look(name), self.host_plan(name), self.campaign, self.moment, self._owners(name), servers
        )

    def headline(self) -> str:
        """One line on what is being checked."""
        where = moment_words(self.campaign, self.now)
        what = sites_on_hosts((host, site) for host in self.hosts for site in self.sites(host))
        return f"piquet: {self.campaign.name}, {where}, judged as {self.moment}: {what}"

    def _check_moment(self) -> None:
        if self.moment == "during" and phase_at(self.campaign.phases, self.now) is None:
            raise FleetError(
                f"during was asked for, but the campaign is {moment_words(self.campaign, self.now)}"
            )

    @cached_property
    def _expectations(self) -> Mapping[str, Expectations]:
        secret, moment = made_secret(self.loaded), verify_moment(self.moment)
        sources = {name: own_sources(self.targets(name)) for name in self.hosts}
        return {
            name: Expectations(self.campaign, secret, moment, sources=sources[name]) for name in self.hosts
        }

    @cached_property
    def _looks(self) -> Mapping[str, Look | HostError]:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return dict(zip(self.hosts, pool.map(self._try_look, self.hosts), strict=True))

    def _try_look(self, name: str) -> Look | HostError:
        python = str(self._variables[name].get("piquet_python") or DEFAULT_PYTHON)
        try:
            return look_at_host(
                self._remotes[name], name, python, local_jobs(self.targets(name)), self._order(name)
            )
        except HostError as err:
            return err
        except (
            zlib.error,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            RecursionError,
            OverflowError,
        ) as err:
            return HostError(f"{name} answered, but not in the agreed form: {type(err).__name__}: {err}")

    def _order(self, name: str) -> Order:
        servers = self._servers(name)
        return Order(
            agent=AGENT_PATH,
            mark=HOOK_MARK,
            files=tuple(self._owners(name)),
            ours=self._our_paths,
            tests={server: kind_named(SERVERS, server).tests for server in servers},
            logs={server: kind_named(SERVERS, server).error_logs for server in servers},
        )

    def _servers(self, name: str) -> tuple[str, ...]:
        host = next(host for host in self.fleet.hosts if host.name == name)
        return tuple(server.provider for server in host.servers if server.running)

    def _owners(self, name: str) -> dict[str, str]:
        """Files that a hook may stand in; of a server that does not run nothing is selected."""
        parts = [(kind_named(SERVERS, server), self._surveys[name][server]) for server in self._servers(name)]
        files = [item for kind, part in parts for item in kind.hook_files(part).items()]
        return {str(path): str(digest) for path, digest in files}

    @cached_property
    def _our_paths(self) -> tuple[str, ...]:
        """Everything that any host of the plan gets outside our own folders, and these folders."""
        secret = (made_secret(self.loaded) or _NO_KEY) if self.campaign.doors.bypass else None
        bundles = build_bundles(self.plan, self.loaded.pages, secret, _NO_KEY)
        paths = {file.path for bundle in bundles for file in bundle.files}
        return (*_OUR_FOLDERS, *sorted(path for path in paths if not path.startswith(_OUR_FOLDERS)))
