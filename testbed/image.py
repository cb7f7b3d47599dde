# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of the test hosts: each made once by mmdebstrap from the machine's own mirror, then only read.

An image is a directory that hosts share as the lower layer of an overlay. Its name is a key over all that decides
its content, so another recipe makes another image and an old one is never changed.
"""

from __future__ import annotations

import fcntl
import hashlib
import shlex
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from testbed.kernel import TestbedError, mounts_below, run, succeeds

# What a shared host usually has loaded; piquet itself never loads a module, so the image must.
APACHE_MODULES = ("deflate", "expires", "headers", "proxy", "proxy_http", "rewrite", "ssl")


SUITES = ("bullseye", "bookworm", "trixie", "forky")
"""Debian 11 to 14, on which test hosts were booted."""

# Of these the security archive of Debian 11 lists builds that it does not hold; the release's own are whole.
_PINS = {"bullseye": r"Package: nginx* libnginx-*\nPin: release n=bullseye-security\nPin-Priority: -1\n"}


@dataclass(frozen=True)
class Recipe:
    """What an image is made of.

    Attributes:
        packages: of the distribution; what they only recommend is left out.
        hooks: shell lines that mmdebstrap runs at the end, with the image's root as $1.
        answers: lines for debconf-set-selections(1), known before any of the packages asks.
    """

    packages: tuple[str, ...]
    hooks: tuple[str, ...]
    answers: tuple[str, ...] = ()


# Host keys and machine ids belong to a host, not to the image; periodic jobs of the distribution would only
# disturb measurements.
BASE = Recipe(
    (
        "apache2",
        "busybox",
        "ca-certificates",
        "cron",
        "curl",
        "dbus",
        "iproute2",
        "libfaketime",
        "libnginx-mod-http-headers-more-filter",
        "libnginx-mod-http-lua",
        "nginx",
        "openssh-server",
        "openssl",
        "procps",
        "python3",
        "sudo",
        "systemd",
        "systemd-sysv",
        "tzdata",
    ),
    (
        f'chroot "$1" a2enmod --quiet {" ".join(APACHE_MODULES)}',
        # Modules are there for a test to load, and are loaded nowhere else.
        'rm -f "$1"/etc/nginx/modules-enabled/*-mod-http-lua.conf "$1"/etc/nginx/modules-enabled/*-mod-http-ndk.conf '
        '"$1"/etc/nginx/modules-enabled/*-mod-http-headers-more-filter.conf',
        'rm -f "$1"/etc/ssh/ssh_host_*_key* "$1"/etc/apt/sources.list "$1"/etc/apt/apt.conf.d/99mmdebstrap',
        'systemctl --root="$1" --quiet enable systemd-networkd.service ssh.service',
        'systemctl --root="$1" --quiet mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer '
        "e2scrub_all.timer fstrim.timer logrotate.timer console-getty.service getty@.service "
        "systemd-networkd-wait-online.service systemd-resolved.service systemd-timesyncd.service",
    ),
)
"""A bare host with both servers: what every fleet has unless it asks for more."""


def cache_dir() -> Path:
    """Where images are kept: `.cache/` of the checkout."""
    return Path(__file__).resolve().parents[1] / ".cache" / "testbed"


def image_key(suite: str, recipe: Recipe = BASE) -> str:
    """Name of an image: the suite for people, and a digest over all that decides its content."""
    answers = ["", *recipe.answers] if recipe.answers else []
    pins = [_PINS[suite]] if suite in _PINS else []
    content = "\n".join([suite, *pins, *sorted(recipe.packages), "", *recipe.hooks, *answers])
    return f"{suite}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"


def suite_of(os_release: str) -> str:
    """The code name of the running distribution.

    Args:
        os_release: text of `/etc/os-release`.

    Raises:
        TestbedError: the distribution has no code name, so it is neither Debian nor Ubuntu.

    Source: os-release(5).
    """
    fields = dict(line.split("=", 1) for line in os_release.splitlines() if "=" in line)
    suite = fields.get("VERSION_CODENAME", "").strip("\"'")
    if not suite:
        raise TestbedError(
            "test hosts need Debian or Ubuntu: /etc/os-release has no VERSION_CODENAME\n"
            f"  got:      {fields.get('PRETTY_NAME', 'nothing')}"
        )
    return suite


def source_lines(index_targets: str, suite: str) -> tuple[str, ...]:
    """The distribution's own package sources, as sources.list(5) lines, without third parties.

    Args:
        index_targets: `apt-get indextargets` in the form URI|release|component, one target a line.
        suite: code name whose archives are wanted: the release, its updates and its security fixes.

    Raises:
        TestbedError: apt knows no mirror of this suite.
    """
    wanted = {suite, f"{suite}-updates", f"{suite}-security"}
    targets = (line.split("|") for line in index_targets.splitlines() if line.count("|") == 2)
    own = [(uri, release, part) for uri, release, part in targets if release in wanted]
    lines = dict.fromkeys(
        f"deb {uri} {release} {part}" for uri, release, part in own if part in {"main", "universe"}
    )
    if not lines:
        raise TestbedError(
            f"apt on this machine has no source for {suite}\n\n  hint: see /etc/apt/sources.list and sources.list.d"
        )
    return tuple(lines)


def acquire_options(apt_config: str) -> tuple[str, ...]:
    """The machine's own proxy, TLS and validity settings of apt, to be used for the image as well.

    Args:
        apt_config: output of `apt-config dump`.
    """
    kept = ("Acquire::http::", "Acquire::https::", "Acquire::Check-")
    lines = (line.strip() for line in apt_config.splitlines())
    return tuple(line.rstrip(";") for line in lines if line.startswith(kept) and not line.endswith('"";'))


def image_path(recipe: Recipe = BASE, suite: str = "") -> Path:
    """Where an image is, or will be: of this machine's own suite unless another is named."""
    return cache_dir() / image_key(suite or own_suite(), recipe)


def ready_image(recipe: Recipe = BASE, suite: str = "") -> Path:
    """The root directory of an image, made now if it is not there yet (the base one: about a minute).

    Args:
        recipe: what is in it.
        suite: code name of a Debian release; "" for this machine's own.

    Raises:
        TestbedError: a tool is missing or the image could not be made.
    """
    image = image_path(recipe, suite)
    if image.is_dir():
        return image
    image.parent.mkdir(parents=True, exist_ok=True)
    with _locked(image.with_name(f"{image.name}.lock")):
        if not image.is_dir():
            _build(image, recipe, suite or own_suite())
    return image


def own_suite() -> str:
    """The code name of this machine's own release.

    Raises:
        TestbedError: it has none.
    """
    return suite_of(Path("/etc/os-release").read_text(encoding="utf-8"))


def _build(image: Path, recipe: Recipe, suite: str) -> None:
    """Make the image under another name and rename it, so that an interrupted build is never used."""
    partial = image.with_name(f"{image.name}.partial")
    for mount in mounts_below(partial):
        run("umount", str(mount))
    if partial.exists():
        shutil.rmtree(partial)
    targets = ("indextargets", "--no-release-info", "--format", "$(REPO_URI)|$(RELEASE)|$(COMPONENT)")
    own = own_suite()
    sources = source_lines(run("apt-get", *targets, "Created-By: Packages"), own)
    options = [f"--aptopt={option}" for option in acquire_options(run("apt-config", "dump"))]
    if suite != own:
        sources = tuple(line for line in lines_of_suite(sources, own, suite) if _is_published(line))
        options += [
            '--aptopt=Acquire::Check-Valid-Until "false"'
        ]  # the release that is in the making has expired ones
    if pins := _PINS.get(suite):
        options += [f"--setup-hook=printf '%b' {shlex.quote(pins)} >\"$1\"/etc/apt/preferences.d/testbed"]
    options += [f"--customize-hook={hook}" for hook in recipe.hooks]
    options += [f"--essential-hook={_answering(recipe.answers)}"] if recipe.answers else []
    command = ["mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory", *options]
    run(*command, f"--include={','.join(recipe.packages)}", suite, str(partial), *sources)
    partial.rename(image)


def lines_of_suite(sources: Iterable[str], own: str, suite: str) -> tuple[str, ...]:
    """The same archives' lines for another release: its archive, its updates, its security fixes."""
    parts = (line.split(" ") for line in sources)
    return tuple(f"deb {uri} {release.replace(own, suite, 1)} {part}" for _, uri, release, part in parts)


def _is_published(line: str) -> bool:
    """Whether an archive has that release: a release in the making has no security fixes of its own."""
    _, uri, release, _ = line.split(" ")
    with tempfile.TemporaryDirectory() as folder:
        address = f"{uri.rstrip('/')}/dists/{release}/InRelease"
        return succeeds("/usr/lib/apt/apt-helper", "download-file", address, f"{folder}/InRelease")


def _answering(answers: Iterable[str]) -> str:
    """Shell line that gives debconf its answers."""
    lines = " ".join(shlex.quote(answer) for answer in answers)
    return f"printf '%s\\n' {lines} | chroot \"$1\" debconf-set-selections"


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock; it ends with the process, however that ends."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
