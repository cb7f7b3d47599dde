# SPDX-License-Identifier: GPL-3.0-or-later
"""The disk of a test host: the shared base image below, the host's own files above."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path

from testbed import plain
from testbed.host import Host
from testbed.kernel import run
from testbed.layout import lay_out_redhat

# The web server that a host does not run is masked, as on a machine that never had it.
_FOREIGN_UNITS: Mapping[str, tuple[str, ...]] = {
    "nginx": ("apache2.service", "apache-htcacheclean.service"),
    "apache": ("nginx.service",),
}
_FOREIGN_SCRIPTS: Mapping[str, tuple[str, ...]] = {
    "nginx": ("apache2", "apache-htcacheclean"),
    "apache": ("nginx",),
}

_NETWORK = """\
[Match]
Name=host0

[Network]
Address={ip}/24
LinkLocalAddressing=ipv6
IPv6AcceptRA=no
DHCP=no
"""

# Ansible and the tests share one connection; many sessions at once pass through it.
_SSHD = """\
HostKey /etc/ssh/ssh_host_ed25519_key
MaxSessions 100
MaxStartups 100
UseDNS no
"""


def host_files(host: Host, host_key: str, login_key: str) -> dict[str, tuple[int, str]]:
    """The files that make the base image this host: path → (mode, text).

    Args:
        host: name, address and provider.
        host_key: private key of its sshd.
        login_key: public key that may log in as root.
    """
    network = (0o644, _NETWORK.format(ip=host.ip))
    own = {"/etc/systemd/network/10-host0.network": network} if host.init == "systemd" else plain.files(host)
    return {
        **own,
        "/etc/hostname": (0o644, f"{host.name}\n"),
        "/etc/hosts": (0o644, f"127.0.0.1 localhost\n::1 localhost\n{host.ip} {host.name}\n"),
        "/etc/machine-id": (0o444, f"{uuid.uuid5(uuid.NAMESPACE_DNS, f'{host.name}.{host.ip}').hex}\n"),
        "/etc/resolv.conf": (0o644, "# test host: no name server\n"),
        "/etc/ssh/ssh_host_ed25519_key": (0o600, host_key),
        "/etc/ssh/sshd_config.d/testbed.conf": (0o644, _SSHD),
        "/root/.ssh/authorized_keys": (0o600, f"{login_key}\n"),
    }


def masked_units(host: Host) -> tuple[str, ...]:
    """Units that must not run on this host."""
    return _FOREIGN_UNITS[host.provider]


def lay_disk(host: Host, image: Path, host_key: str, login_key: str) -> None:
    """Mount the host's overlay and write its own files; an existing disk is an error."""
    home = host.root.parent
    for part in ("upper", "work", "root"):
        (home / part).mkdir(parents=True)
    options = f"lowerdir={image},upperdir={home / 'upper'},workdir={home / 'work'}"
    run("mount", "-t", "overlay", "piquet-testbed", "-o", options, str(host.root))
    for path, (mode, text) in host_files(host, host_key, login_key).items():
        _write(host.root / path.lstrip("/"), mode, text)
    for unit in masked_units(host):
        (host.root / "etc/systemd/system" / unit).symlink_to("/dev/null")
    if host.layout == "redhat":
        lay_out_redhat(host.root, host.provider)
    if host.init == "plain":
        _replace_init(host)


def _replace_init(host: Host) -> None:
    """Make busybox process 1, and keep the scripts of the server that the host does not run out of its boot."""
    init = host.root / "sbin/init"
    init.unlink()
    init.symlink_to(plain.INIT)
    for name in _FOREIGN_SCRIPTS[host.provider]:
        for link in (host.root / "etc").glob(f"rc?.d/[SK][0-9][0-9]{name}"):
            link.unlink()


def _write(target: Path, mode: int, text: str) -> None:
    """Replace a file; whatever stood there, a link out of the disk for instance, is not followed."""
    target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    target.touch(mode=mode)
    target.chmod(mode)
    target.write_text(text, encoding="utf-8")
