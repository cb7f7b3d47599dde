# SPDX-License-Identifier: GPL-3.0-or-later
"""The ready suite on real hosts: it passes all through a campaign, and what is broken it names in plain words."""

from __future__ import annotations

import io
import shutil
import sysconfig
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from testbed import Fleet, reload_server
from testbed.host import Host
from tests.drive import Drill, lead_s, sleep_until, write_campaign

from .suite_run import Run, read_junit, run_suite

SITES = {
    "nginx": "server {{ listen 80; server_name {name}; return 200 here; }}\n",
    "apache": "<VirtualHost *:80>\n    ServerName {name}\n    DocumentRoot /var/www/html\n</VirtualHost>\n",
}
FILE = {
    "nginx": "/etc/nginx/conf.d/e2e-testinfra.conf",
    "apache": "/etc/apache2/sites-enabled/e2e-testinfra.conf",
}
BROKEN = "/etc/nginx/conf.d/e2e-testinfra-broken.conf"
LASTS_S = 900
_USER = """\
useradd --create-home --shell /bin/sh op
install -d -m 700 -o op ~op/.ssh && install -m 600 -o op ~root/.ssh/authorized_keys ~op/.ssh/authorized_keys
printf 'op ALL=(ALL) NOPASSWD: ALL\\n' >/etc/sudoers.d/op && chmod 440 /etc/sudoers.d/op
"""
ON_THE_HOST = "/opt/e2e-testinfra"
LEFT_AT_HOME = ("mypy*", "*mypyc*", "ruff*", "pip*", "cryptography*", "gevent*", "greenlet*", "ansible_test", "nacl*",
                "hypothesis*", "ansible_collections", "__pycache__", "piquet*", "_editable_impl_piquet*")  # fmt: skip
_PROGRAM = '#!/bin/sh\nexec python3 -c "from ansible.cli.inventory import main; main()" "$@"\n'


def name_of(host: Host, letter: str = "a") -> str:
    """A site of ours on a host: `a` and `b` are selected, `free` is not."""
    return f"{letter}.{host.name}.e2e-testinfra.example"


@pytest.fixture(scope="module")
def drill(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    """Three foreign sites on every host, surveyed and hooked, and a campaign for two of them in an hour."""
    for host in fleet:
        sites = [SITES[host.provider].format(name=name_of(host, letter)) for letter in ("a", "b", "free")]
        host.write_file(FILE[host.provider], "".join(sites))
        if host.provider == "apache":
            host.run("a2enmod -q headers rewrite && systemctl restart apache2")
        reload_server(host, host.provider)
    drill = write_campaign(fleet, tmp_path_factory.mktemp("campaign"), 3600, LASTS_S, sites=_chosen(fleet))
    drill.verb("survey")
    drill.verb("hook")
    yield drill
    drill.verb("remove")
    for host in fleet:
        host.run(f"rm -rf {FILE[host.provider]} {BROKEN} {ON_THE_HOST}")
        reload_server(host, host.provider)


@pytest.fixture
def suite(drill: Drill, tmp_path: Path) -> Callable[..., Run]:
    """Run the suite against the fleet, in an empty folder."""
    return lambda *options: run_suite(tmp_path, drill.campaign, drill.fleet.inventory, *options)


def _chosen(fleet: Fleet) -> str:
    names = [name_of(host, letter) for host in fleet for letter in ("a", "b")]
    return "{include: [" + ", ".join(names) + "]}"


def passed(run: Run) -> bool:
    """Every test passed, each host has its own, each site too; the whole output is shown where not."""
    assert (run.status, run.failed) == (0, {}), run.said
    return len(run.cases) > 9


def test_before_the_start(fleet: Fleet, drill: Drill, suite: Callable[..., Run]) -> None:
    """Staged, all passes, but is not called armed; every fault planted then is named on its host alone."""
    drill.verb("stage", piquet_baseline=False)
    assert passed(suite("--piquet-moment=before"))
    armed = suite("--piquet-moment=armed")
    assert {(case[0], "got:      staged" in why) for case, why in armed.failed.items()} == {
        ("test_state", True)
    }
    first, second, third = fleet.of("nginx")[0], fleet.of("nginx")[1], fleet.of("apache")[0]
    kept = {host.name: host.read_file(FILE[host.provider]) for host in (first, second)}
    page = third.run("find /var/lib/piquet -name fr.html").stdout.split()[0]
    kept_page = third.read_file(page)
    try:
        first.write_file(FILE["nginx"], kept[first.name].replace(b"# piquet hook, inline", b"", 1)
                         .replace(b"include /etc/piquet/nginx/server/*.conf; ", b"", 1))  # fmt: skip
        second.write_file(FILE["nginx"], kept[second.name] + b"# the owner was here\n")
        second.write_file(BROKEN, "this is no directive {\n")
        third.write_file(page, "not what was staged")
        run = suite()
    finally:
        for host in (first, second):
            host.write_file(FILE["nginx"], kept[host.name])
        third.write_file(page, kept_page)
        second.run(f"rm -f {BROKEN}")
        for host in (first, second):
            reload_server(host, "nginx")
    assert {case[:2] for case in run.failed} == {
        ("test_owners_files", first.name), ("test_owners_files", second.name),
        ("test_servers", second.name), ("test_staged_files", third.name),
    }, run.said  # fmt: skip
    assert f"{name_of(first)}: its server block has no hook line" in run.message(
        "test_owners_files", first.name
    )
    assert f"{FILE['nginx']} is not as it was surveyed" in run.message("test_owners_files", second.name)
    assert 'unknown directive "this"' in run.message("test_servers", second.name)
    assert f"{page}: Its content was changed." in run.message("test_staged_files", third.name)
    assert "Traceback" not in run.said and "site-packages" not in run.said


@pytest.fixture(scope="module")
def inside(fleet: Fleet, drill: Drill) -> Drill:
    """The same sites in a campaign of the same name whose window is open."""
    begun = time.monotonic()
    drill.verb("rollback")
    lead = lead_s(time.monotonic() - begun) / 2
    near = write_campaign(fleet, drill.folder, lead, LASTS_S, sites=_chosen(fleet))
    near.verb("stage", piquet_baseline=False)
    near.verb("arm")
    sleep_until(near.start_at + 1)
    return near


def test_inside_the_window(fleet: Fleet, inside: Drill, suite: Callable[..., Run]) -> None:
    """All passes, by Ansible's and by ssh's way; a flag taken away is told for that site, and only for that."""
    assert passed(suite("--piquet-moment=during"))
    hosts = ",".join(f"ssh://root@{host.name}" for host in fleet)
    by_ssh = suite(f"--hosts={hosts}", f"--ssh-config={fleet.ssh_config}")
    assert passed(by_ssh)
    assert {host for _, host, _ in by_ssh.cases} == {host.name for host in fleet}
    host = fleet.hosts[0]
    name = name_of(host)
    host.run(f"rm /run/piquet/live/{name}")
    run = suite()
    assert run.failed.keys() == {("test_flags", host.name, ""), ("test_site", host.name, name)}, run.said
    assert f"{name}: its flag is gone" in run.message("test_flags", host.name)
    why = run.message("test_site", host.name, name)
    assert "is not answered by the strike" in why
    assert "expected: 503 the strike page, X-Piquet: drill/1/block" in why


@pytest.mark.long
def test_on_the_host_itself(fleet: Fleet, inside: Drill, suite: Callable[..., Run]) -> None:
    """`local://`: pytest runs on the host, with what a `pip install` there would have brought."""
    *_, host = fleet.of(
        "apache"
    )  # of this machine's own release: some of the packages are built for its Python
    _install(host, inside)
    run = host.run(
        f"cd {ON_THE_HOST}/work && PATH={ON_THE_HOST}/bin:$PATH PYTHONPATH={ON_THE_HOST}/lib HOME=/root "
        "python3 -m pytest --pyargs piquet.suite --hosts=local:// --ansible-inventory=inventory.yml "
        "--piquet-campaign=campaign/campaign.yml --junitxml=report.xml -p no:cacheprovider",
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    report = inside.folder / "local.xml"
    report.write_bytes(host.read_file(f"{ON_THE_HOST}/work/report.xml"))
    assert {(case, who) for case, who, site in read_junit(report) if site == name_of(host)} == {
        ("test_site", host.name)
    }


def test_after(fleet: Fleet, inside: Drill, suite: Callable[..., Run]) -> None:
    """Called off, all is back; removed, nothing is left."""
    inside.verb("rollback")
    assert passed(suite("--piquet-moment=after"))
    inside.verb("remove")
    assert passed(suite("--piquet-moment=removed"))


@pytest.mark.long
def test_something_left_and_a_host_down(fleet: Fleet, drill: Drill, suite: Callable[..., Run]) -> None:
    """What is left is told; a host that is down fails in words of ssh, and keeps nobody from being judged."""
    here, down = fleet.of("nginx")[:2]
    drill.verb("remove")
    here.run("mkdir -p /etc/piquet/nginx")
    down.power_cut()
    try:
        run = suite("--piquet-moment=removed")
    finally:
        down.boot()
        here.run("rm -r /etc/piquet")
    assert {case[1] for case in run.failed} == {here.name, down.name}, run.said
    assert [case for case in run.failed if case[1] == here.name] == [("test_nothing_is_left", here.name, "")]
    assert "got:      /etc/piquet" in run.message("test_nothing_is_left", here.name)
    assert f"{down.name} cannot be reached" in run.message("test_state", down.name)
    assert "Traceback" not in run.said


@pytest.mark.long
def test_a_login_that_is_not_root(
    fleet: Fleet, drill: Drill, suite: Callable[..., Run], tmp_path: Path
) -> None:
    """It is told to become root; with testinfra's `--sudo`, or Ansible's become, all is judged."""
    host = fleet.of("apache")[0]
    drill.verb("remove")
    config, inventory = tmp_path / "ssh_config", tmp_path / "hosts.yml"
    config.write_text(fleet.ssh_config.read_text("utf-8").replace("User root", "User op"), "utf-8")
    inventory.write_text(
        f"web: {{hosts: {{{host.name}: {{ansible_host: {host.ip}, ansible_user: op, ansible_become: true}}}}}}\n",
        "utf-8",
    )
    workdir = f"--piquet-workdir={fleet.folder / '.piquet'}"
    by_ssh = (f"--hosts=ssh://{host.name}", f"--ssh-config={config}", "--piquet-moment=removed")
    host.run(_USER)
    try:
        bare = suite(*by_ssh)
        assert passed(suite(*by_ssh, "--sudo"))
        ways = (f"--ssh-config={config}", "--piquet-moment=removed", workdir)
        assert passed(run_suite(tmp_path, drill.campaign, inventory, *ways))
    finally:
        host.run("rm -f /etc/sudoers.d/op; pkill -u op; userdel --remove op", check=False)
    assert bare.failed.keys() == {("test_state", host.name, "")}, bare.said
    assert "hint: --sudo, or ansible_become: true" in bare.message("test_state", host.name)


def _install(host: Host, drill: Drill) -> None:
    """Give a host the environment's packages, the inventory with its surveys, and the campaign."""
    packages = Path(sysconfig.get_path("purelib"))
    archive = io.BytesIO()
    left_out = shutil.ignore_patterns(*LEFT_AT_HOME)

    def chosen(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        name = Path(entry.name).name
        return None if left_out("", [name]) and not entry.name.startswith("lib/piquet") else entry

    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path in sorted(packages.iterdir()):
            tar.add(path, f"lib/{path.name}", filter=chosen)
        import piquet

        for entry in sorted(packages.glob("piquet-*.dist-info")):
            tar.add(entry, f"lib/{entry.name}")
        tar.add(Path(piquet.__file__).parent, "lib/piquet")
        tar.add(Path(piquet.__file__).parents[2] / "templates", "lib/piquet/_data/templates")
        tar.add(drill.fleet.inventory, "work/inventory.yml")
        tar.add(drill.fleet.folder / ".piquet", "work/.piquet")
        tar.add(drill.folder, "work/campaign")
    host.run(f"mkdir -p {ON_THE_HOST} && tar -x --no-same-owner -C {ON_THE_HOST}", stdin=archive.getvalue())
    host.write_file(f"{ON_THE_HOST}/bin/ansible-inventory", _PROGRAM, 0o755)
