# SPDX-License-Identifier: GPL-3.0-or-later
"""The pytest plugin: options and fixtures for tests that look at a fleet from inside its hosts.

Without `--piquet-campaign` it does nothing and imports nothing of piquet: it is loaded into every pytest run of the
environment that piquet is installed in.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from piquet.answers import Answer
    from piquet.campaign.model import Campaign
    from piquet.plan import Plan
    from piquet.verify.inside.judge_host import Case
    from piquet.verify.inside.session import Picket
    from piquet.verify.observation import Target

DEFAULT_HOSTS = "ansible://all"
_MOMENTS = ("now", "before", "armed", "during", "after", "removed")
_KEY: pytest.StashKey[Any] = pytest.StashKey()
_NEEDED = "give --piquet-campaign=campaign.yml and --ansible-inventory=hosts.yml"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options; hosts, inventory and sudo are testinfra's own."""
    group = parser.getgroup("piquet", "piquet (pytest --pyargs piquet.suite)")
    group.addoption(
        "--piquet-campaign", metavar="FILE", help="The campaign file that hosts are held against."
    )
    group.addoption(
        "--piquet-moment",
        choices=_MOMENTS,
        default="now",
        help="now: by the clock (the default). before: staged, nothing shows. armed. during: a phase is in force. "
        "after: all is back. removed: and nothing of ours is left.",
    )
    group.addoption("--piquet-workdir", metavar="DIR", help="Surveys [.piquet by the inventory].")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Read campaign, inventory and surveys, where asked for; what is wrong with them ends the run in plain words."""
    if session.config.getoption("piquet_campaign"):
        session.config.stash[_KEY] = _picket(session.config)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what is being checked."""
    picket = config.stash.get(_KEY, None)
    return [picket.headline()] if picket else []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Name the sites that nobody asked, so that none is silently left out."""
    picket = config.stash.get(_KEY, None)
    for one in picket.unasked() if picket else ():
        terminalreporter.write_line(f"not asked: {one.label}")


@pytest.hookimpl(tryfirst=True)  # before testinfra looks for hosts that nobody named
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per site of each host, for tests that take `piquet_site`."""
    if not {"piquet", "piquet_site"} & set(metafunc.fixturenames):
        return
    picket = metafunc.config.stash.get(_KEY, None)
    if picket is None:
        raise pytest.Collector.CollectError(f"{metafunc.function.__name__} needs a campaign: {_NEEDED}")
    if "piquet_site" not in metafunc.fixturenames:
        return
    pairs = [(name, site) for name in picket.hosts for site in picket.sites(name)]
    metafunc.parametrize("piquet_site", pairs, ids=[f"{name}-{site}" for name, site in pairs])


@pytest.fixture(scope="session")
def piquet(request: pytest.FixtureRequest) -> Picket:
    """All that this run knows: campaign, plan, expectations, one look at every host."""
    picket: Picket | None = request.config.stash.get(_KEY, None)
    if picket is None:
        pytest.fail(_NEEDED, pytrace=False)
    return picket


@pytest.fixture(scope="session")
def piquet_campaign(piquet: Picket) -> Campaign:
    """The campaign, as its file says."""
    return piquet.campaign


@pytest.fixture(scope="session")
def piquet_plan(piquet: Picket) -> Plan:
    """Who shows what, when."""
    return piquet.plan


@pytest.fixture
def piquet_host(piquet: Picket, host: Any, request: pytest.FixtureRequest) -> Case:
    """What testinfra's `host` was found to be, with what it is held against."""
    name = piquet.name_of(host.backend.get_hostname())
    request.node.user_properties.append(("host", name))  # in the JUnit file, beside the test's name
    return _case(piquet, name)


@pytest.fixture
def piquet_answers(piquet: Picket, host: Any) -> Mapping[Target, Answer]:
    """Every site at every door of testinfra's `host` → what `GET /` must answer there at this moment."""
    from piquet.verify.expectations import phase_at
    from piquet.verify.questions import FRONT

    name = piquet.name_of(host.backend.get_hostname())
    expectations = piquet.expectations(name)
    at = _case(piquet, name).look.at
    phases = {number: phase for phase in piquet.campaign.phases for number in [phase.number]}
    found = {}
    for target in piquet.targets(name):
        own = [phases[number] for number in target.phases]
        phase = None if expectations.moment in ("before", "after") else phase_at(own, at)
        found[target] = expectations.answer(target, FRONT, phase)
    return found


def _case(picket: Picket, name: str) -> Case:
    from piquet.errors import HostError

    try:
        return picket.case(name)
    except HostError as err:
        pytest.fail(str(err), pytrace=False)


def _picket(config: pytest.Config) -> Picket:
    """Read everything, and take up the connections.

    Raises:
        pytest.UsageError: something cannot be used; the message says what and what to do.
    """
    from piquet.errors import PiquetError
    from piquet.verify.inside.session import Inputs, Picket

    option = config.option
    if not option.ansible_inventory:
        raise pytest.UsageError(f"piquet reads the hosts and their surveys by the inventory: {_NEEDED}")
    workdir = Path(option.piquet_workdir) if option.piquet_workdir else None
    inputs = Inputs(Path(option.piquet_campaign), option.ansible_inventory, workdir, option.piquet_moment)
    try:
        picket = Picket(inputs)
        picket.connect({host.backend.get_hostname(): host for host in _connections(option)})
    except PiquetError as err:
        raise pytest.UsageError(str(err)) from err
    return picket


def _connections(option: Any) -> list[Any]:
    """testinfra's hosts, as it makes them itself of its options."""
    import testinfra

    names = (
        "connection",
        "ssh_config",
        "ssh_identity_file",
        "sudo",
        "sudo_user",
        "ansible_inventory",
        "force_ansible",
    )
    values = {name: getattr(option, name) for name in names}
    try:
        return list(testinfra.get_hosts((option.hosts or DEFAULT_HOSTS).split(","), **values))
    except RuntimeError as err:
        raise pytest.UsageError(f"--hosts={option.hosts or DEFAULT_HOSTS}: {err}") from err
