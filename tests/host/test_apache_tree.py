# SPDX-License-Identifier: GPL-3.0-or-later
"""Apache's tree: what `DUMP_CONFIG` prints becomes statements and virtual hosts, however strange the files."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from piquet.host.servers.apache import hosts as apache_hosts
from piquet.host.servers.apache import server as apache
from piquet.host.servers.apache import text as apache_text
from piquet.host.servers.apache.hosts import ApacheHost
from piquet.host.servers.apache.tree import Statement, TreeError, parse_tree, walk
from piquet.host.system import commands, processes
from tests.host.folder_host import FolderHost

DUMP = """\
# In file: /etc/apache2/apache2.conf
#   2:
ServerName main.example
# In file: macro 'v' (defined on line 17 of "/etc/a "b.conf") used on line 42 of "/etc/a "b.conf"
#   1:
<VirtualHost *:80>
  #   2:
  ServerName one.example
  #   3:
  Header set X "a \\"b\\"      continued"
  #  12:
  <If "true">
    #  13:
    <Else >
      #  14:
      Header set Q x
    </Else>
  </If>
# In file: /etc/apache2/inc "x" \\.conf
  # 1234:
  RewriteEngine on
# In file: macro 'v' (defined on line 17 of "/etc/a "b.conf") used on line 42 of "/etc/a "b.conf"
</VirtualHost>
#  48:
<VirtualHost *:81>
#  50:
<Directory /srv/a>
#  51:
Listen 80
"""


def names(section: Statement) -> list[str]:
    """What stands right in a section."""
    return [row.name for row in section.inner or ()]


def test_statements_are_nested_as_the_server_says() -> None:
    """By their indent: a section without content has no closing line, and closing lines may stand in another file."""
    root = parse_tree(DUMP)
    assert names(root) == ["servername", "virtualhost", "virtualhost", "directory", "listen"]
    site = (root.inner or [])[1]
    assert names(site) == ["servername", "header", "if", "rewriteengine"]
    assert (site.inner or [])[1].words == ("set", "X", 'a "b"      continued')
    assert [row.args for row in (site.inner or []) if row.name == "if"] == ['"true"']
    depths = {read.row.name: [section.name for section in read.around] for read in walk(root)}
    assert depths["header"] == ["if", "else"]


def test_what_a_macro_made_stands_where_it_is_used() -> None:
    """In the file that the server names last, whatever quotes are in its name."""
    site = (parse_tree(DUMP).inner or [])[1]
    assert site.place == ('/etc/a "b.conf', 42)
    inner = (
        'macro \'in\' (defined on line 2 of "f") used on line 1 of "macro \'out\' (defined on line 5 of "f") '
    )
    assert Statement("x", "", f'{inner}used on line 9 of "g""', 3, None).place == ("g", 9)
    assert Statement("x", "", '/etc/used on line 9 of "g"', 3, None).place == (
        '/etc/used on line 9 of "g"',
        3,
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Syntax error on line 3\n",
        "# In file: /etc/apache2/x\nRewriteRule ^ - [G]\n.conf\n#   1:\nListen 80\n",
        "# In file: /x\n    #   1:\n    Listen 80\n",
        "# In file: /x\n#   1:\nListen 80\n  #   2:\n  ServerName a\n",
    ],
)
def test_what_is_no_tree_is_refused(text: str) -> None:
    """Nothing at all, a file whose name has lines of its own, statements that stand in no section."""
    with pytest.raises(TreeError):
        parse_tree(text)


def found(text: str, ssl: bool = True) -> dict[str, ApacheHost]:
    """Virtual hosts of a configuration by their first name."""
    root = apache_text.read_texts("/main.conf", lambda _: text, lambda _: [])
    listed = apache_hosts.hosts(root, "/main.conf", ssl, {"known.example": ["192.0.2.7", "2001:db8::7"]}.get)  # type: ignore[arg-type]
    return {host.names[0] if host.names else "": host for host in listed}


def sockets(host: ApacheHost) -> list[tuple[str, int, bool, bool]]:
    """Address, port, TLS, default."""
    return [(one["address"], one["port"], one["tls"], one["default"]) for one in host.listens]


def test_addresses_are_those_that_the_server_listens_on() -> None:
    """Families, names, `_default_`, ports left out or open; TLS by statement, by protocol, by the server level."""
    text = (
        "Listen 80\nListen [::]:443\nListen 8443 https\nSSLEngine off\n"
        "<VirtualHost *:80 [2001:db8::1]:443 known.example:80>\nServerName a.example:80\nSSLEngine on\n</VirtualHost>\n"
        "<VirtualHost _default_>\nServerName https://b.example\nServerAlias c.example *.d.example www.*.x\n"
        "</VirtualHost>\n"
    )
    hosts = found(text)
    first, second = hosts["a.example"], hosts["b.example"]
    assert sockets(first) == [
        ("0.0.0.0", 80, True, True),
        ("2001:db8::1", 443, True, True),
        ("192.0.2.7", 80, True, True),
        ("2001:db8::7", 80, True, True),
    ]
    assert sockets(second) == [("0.0.0.0", port, False, port != 80) for port in (80, 443, 8443)]
    assert (second.names, second.strange) == (["b.example", "c.example", "*.d.example"], ["www.*.x"])
    assert [one[2] for one in sockets(found(text.replace("SSLEngine off\n", ""))["b.example"])] == [
        False,
        True,
        True,
    ]


def test_whoever_answers_without_a_name_of_its_own_has_the_servers() -> None:
    """A virtual host for all addresses, and the main server where none answers; nobody else."""
    text = "Listen 80\nListen 81\nServerName main.example\n"
    host = "<VirtualHost {}:80>\nServerAlias alias.example\n</VirtualHost>\n"
    assert sockets(found(text)["main.example"]) == [
        ("0.0.0.0", 80, False, True),
        ("0.0.0.0", 81, False, True),
    ]
    assert found(text + host.format("*")).keys() == {"main.example"}
    assert {n for h in found(text + host.format("*")).values() for n in h.names} == {"main.example"}
    named = found(text + host.format("192.0.2.1"))
    assert named["alias.example"].names == ["alias.example"]
    assert sockets(named["main.example"]) == [("0.0.0.0", 80, False, True), ("0.0.0.0", 81, False, True)]


@pytest.mark.parametrize(
    ("listen", "host", "is_mapped", "expected"),
    [
        ("Listen 80", "[::]:80", True, ["::", "0.0.0.0"]),
        ("Listen 80", "[::]:80", False, ["::", "0.0.0.0"]),
        ("Listen [::]:80", "[::]:80", True, ["::", "0.0.0.0"]),
        ("Listen [::]:80", "[::]:80", False, ["::"]),
        ("Listen [::]:80\nListen 0.0.0.0:80", "[::]:80", False, ["::", "0.0.0.0"]),
        ("Listen [2001:db8::1]:80", "[::]:80", True, ["::"]),
        ("Listen 80", "*:80 [::]:80", True, ["0.0.0.0", "::"]),
        ("Listen 80", "[2001:db8::1]:80", True, ["2001:db8::1"]),
        ("Listen 80", "*:80", True, ["0.0.0.0"]),
    ],
)
def test_a_host_for_every_address_is_for_both_families(
    listen: str, host: str, is_mapped: bool, expected: list[str]
) -> None:
    """As far as there are sockets for both: most builds take IPv4 at one for IPv6."""
    text = f"{listen}\nServerName main.example\n<VirtualHost {host}>\nServerName a.example\n</VirtualHost>\n"
    root = apache_text.read_texts("/main.conf", lambda _: text, lambda _: [])
    listed = apache_hosts.hosts(root, "/main.conf", False, lambda _: [], is_mapped)
    assert [one["address"] for h in listed if "a.example" in h.names for one in h.listens] == expected


@pytest.mark.parametrize(
    ("server", "own", "expected"),
    [
        ("", "", [False, False, False]),
        ("", "RemoteIPProxyProtocol On", [True, True, False]),
        ("RemoteIPProxyProtocol On", "", [True, True, True]),
        ("RemoteIPProxyProtocol Off", "RemoteIPProxyProtocol on", [True, True, False]),
    ],
)
def test_who_wants_a_proxy_line_is_known_by_socket(server: str, own: str, expected: list[bool]) -> None:
    """One host's word holds for all at its address and port; the server's for all."""
    text = (
        f"Listen 80\nListen 81\n{server}\n<VirtualHost *:80>\nServerName a.example\n{own}\n</VirtualHost>\n"
        "<VirtualHost *:80>\nServerName b.example\n</VirtualHost>\n"
        "<VirtualHost *:81>\nServerName c.example\n</VirtualHost>\n"
    )
    hosts = found(text)
    assert [hosts[f"{n}.example"].listens[0]["proxy_protocol"] for n in "abc"] == expected


MD = {
    "MDomain a.example\nMDRequireHttps temporary\n{}": ["a.example", "www.a.example"],
    "MDomain a.example manual\nMDRequireHttps permanent\n{}": ["a.example"],
    "MDomain a.example\nMDMembers manual\nMDRequireHttps permanent\n{}": ["a.example"],
    "<MDomainSet a.example>\nMDRequireHttps permanent\n</MDomainSet>\n{}": ["a.example", "www.a.example"],
    "<MDomain *.a.example>\nMDRequireHttps temporary\n</MDomain>\n{}": ["a.example", "www.a.example"],
    "MDRequireHttps temporary\n<MDomainSet www.a.example>\nMDMembers manual\n</MDomainSet>\n{}": [
        "www.a.example"
    ],
    "MDRequireHttps temporary\n<MDomainSet a.example>\nMDRequireHttps off\n</MDomainSet>\n{}": [],
    "MDomain a.example\n{}": [],
    "MDRequireHttps temporary\n{}": [],
    "MDomain b.example\nMDRequireHttps temporary\n{}": [],
}


@pytest.mark.parametrize("text", MD)
def test_whose_requests_mod_md_sends_to_https(text: str) -> None:
    """By managed domains of any form, what they or the server say, and who else belongs to them; TLS hosts never."""
    host = "<VirtualHost *:80>\nServerName a.example\nServerAlias www.a.example\n</VirtualHost>\n"
    for port, expected in ((80, MD[text]), (443, [])):
        whole = "Listen 80\nListen 443\n" + text.format(host.replace(":80", f":{port}"))
        root = apache_text.read_texts("/main.conf", lambda _, whole=whole: whole, lambda _: [])  # type: ignore[misc]
        hosts = apache_hosts.hosts(root, "/main.conf", True, lambda _: [])
        assert apache_hosts.redirected_to_https(root, hosts) == expected


def test_the_running_servers_options_decide_what_is_read(host: FolderHost) -> None:
    """What its start defines is defined when it is asked, attached or not; what it is to do is not repeated."""
    conf = host.apache_conf
    more = f"<IfDefine EXTRA>\n<VirtualHost *:{host.apache_port}>\nServerName extra.test\n</VirtualHost>\n</IfDefine>\n"
    conf.write_text(conf.read_text() + more)
    for words in (["-D", "EXTRA"], ["-DEXTRA", "-e", "warn"]):
        subprocess.run([*host.platform.packaged["apache"].command, *words, "-k", "start"], check=True)
        deadline = time.monotonic() + 5
        while not host.machine().servers["apache"].is_running() and time.monotonic() < deadline:
            time.sleep(0.05)
        server = host.machine().servers["apache"]
        assert server.carried() == ["-D", "EXTRA"]
        survey = server.survey()
        assert survey
        assert ["extra.test"] in [vhost["names"] for vhost in survey.document["vhosts"]]
        subprocess.run([*host.platform.packaged["apache"].command, "-k", "stop"], check=True)
        while host.machine().servers["apache"].is_running() and time.monotonic() < deadline:
            time.sleep(0.05)
    survey = host.machine().servers["apache"].survey()
    assert survey
    assert ["extra.test"] not in [vhost["names"] for vhost in survey.document["vhosts"]]


@pytest.mark.parametrize("is_broken", [True, False])
def test_a_server_that_tells_nothing_is_read_and_that_is_said(
    is_broken: bool, host: FolderHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken configuration, or no mod_info: what the texts say, and a finding that it is only that."""
    if is_broken:
        host.apache_conf.write_text(host.apache_conf.read_text() + "NoSuchDirective on\n")
    else:
        monkeypatch.setattr(apache.Apache, "_module_files", lambda *_: iter(()))
    survey = host.machine().servers["apache"].survey()
    assert survey
    (said,) = [finding for finding in survey.findings if finding.code == "configuration-untold"]
    assert ("test" if is_broken else "mod_info.so") in said.got
    assert not survey.document["told"]
    assert [vhost["names"] for vhost in survey.document["vhosts"]] == [
        ["one.test", "*.one.test"],
        ["two.test", "alias.two.test"],
    ]


def test_a_told_configuration_is_no_finding(host: FolderHost) -> None:
    """Whether mod_info is loaded by its owner or by the question."""
    for line in ("", "LoadModule info_module /usr/lib/apache2/modules/mod_info.so\n"):
        host.apache_conf.write_text(line + host.apache_conf.read_text())
        survey = host.machine().servers["apache"].survey()
        assert survey
        assert survey.document["told"]
        assert "configuration-untold" not in [finding.code for finding in survey.findings]


@pytest.mark.parametrize("files", [1, 300])
def test_the_work_grows_with_the_sites_and_no_faster(
    files: int, host: FolderHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many processes for ten times the sites; each file is read and each statement parsed once."""
    folder = host.apache_conf.parent / "sites-enabled"
    folder.mkdir()
    host.apache_conf.write_text(host.apache_conf.read_text() + "Include sites-enabled/*.conf\n")
    counted: dict[int, tuple[int, int, int]] = {}
    for sites in (30, 300):
        for path in folder.iterdir():
            path.unlink()
        per_file = max(1, sites // files)
        for number in range(sites // per_file):
            text = "".join(_site(host, number * per_file + n) for n in range(per_file))
            (folder / f"{number:04}.conf").write_text(text)
        counted[sites] = _counts(host, monkeypatch)
    assert counted[300][0] == counted[30][0] <= 6
    assert counted[300][1] - counted[30][1] == (0 if files == 1 else 270)
    assert counted[300][2] - counted[30][2] == 270 * 4


def _site(host: FolderHost, number: int) -> str:
    inner = f"ServerName s{number}.test\n<Location />\nOptions None\n</Location>\n"
    return f"<VirtualHost *:{host.apache_port}>\n{inner}</VirtualHost>\n"


def _counts(host: FolderHost, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int, int]:
    """Processes, files and statements of one survey."""
    ran, read, made = [], [], []
    run, text, begin = commands.execute, Path.read_text, Statement.__init__

    def count_run(*args: object, **options: object) -> commands.Result:
        ran.append(args)
        return run(*args, **options)  # type: ignore[arg-type]

    def count_read(path: Path, *args: str, **options: str) -> str:
        read.append(path)
        return text(path, *args, **options)

    def count_made(row: Statement, *args: object) -> None:
        made.append(row)
        begin(row, *args)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(processes, "names", frozenset)  # whatever else runs here
        patched.setattr(commands, "execute", count_run)
        patched.setattr(Path, "read_text", count_read)
        patched.setattr(Statement, "__init__", count_made)
        survey = host.machine().servers["apache"].survey()
    assert survey
    assert len({path for path in read if path.suffix == ".conf"}) == sum(
        path.suffix == ".conf" for path in read
    )
    return len(ran), len([path for path in read if path.suffix == ".conf"]), len(made)
