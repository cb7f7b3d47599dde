# SPDX-License-Identifier: GPL-3.0-or-later
"""How Ansible reaches a host, in pyinfra's words. What has no equal there is refused, never passed over.

No file, no network, no pyinfra here.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from piquet.errors import FleetError, Problem

Data = dict[str, Any]

_SAME: Mapping[str, str] = {
    "ansible_host": "ssh_hostname", "ansible_ssh_host": "ssh_hostname",
    "ansible_user": "ssh_user", "ansible_ssh_user": "ssh_user",
    "ansible_password": "ssh_password", "ansible_ssh_pass": "ssh_password",
    "ansible_ssh_password": "ssh_password",
    "ansible_ssh_private_key_file": "ssh_key", "ansible_private_key_file": "ssh_key",
    "ansible_ssh_private_key_passphrase": "ssh_key_password",
    "ansible_become_password": "_sudo_password", "ansible_become_pass": "_sudo_password",
    "ansible_sudo_pass": "_sudo_password",
}  # fmt: skip
"""Variables whose value is taken as it is, as text."""
_PORTS = ("ansible_port", "ansible_ssh_port")
_ARGUMENTS = ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args")
_KEY_CHECKING = ("ansible_host_key_checking", "ansible_ssh_host_key_checking")
_ONLY: Mapping[str, tuple[str, ...]] = {
    "ansible_connection": ("ssh", "smart", "local", "paramiko", "ansible.builtin.ssh", "ansible.builtin.local"),
    "ansible_become_user": ("root",),
    "ansible_become_method": ("sudo", "ansible.builtin.sudo"),
    "ansible_shell_type": ("sh",),
}  # fmt: skip
_HARMLESS = frozenset(
    {
        "ansible_become", "ansible_ssh_pipelining", "ansible_pipelining", "ansible_python_interpreter",
        "ansible_ssh_retries", "ansible_ssh_timeout", "ansible_timeout", "ansible_ssh_transfer_method",
        "ansible_control_path", "ansible_control_path_dir", "ansible_remote_tmp", "ansible_facts",
    }
)  # fmt: skip
"""Say nothing about which host is reached as whom: `piquet_become` and `piquet_python` are what counts here."""
_REFUSED_PREFIXES = (
    "ansible_ssh_", "ansible_become_", "ansible_sftp_", "ansible_scp_", "ansible_paramiko_",
    "ansible_private_key",
)  # fmt: skip
_QUIET_FLAGS = frozenset("qvCTn")
_QUIET_OPTIONS = frozenset(
    {
        "batchmode", "compression", "controlmaster", "controlpath", "controlpersist", "loglevel",
        "gssapiauthentication", "serveraliveinterval", "serveralivecountmax", "tcpkeepalive", "connectionattempts",
        "preferredauthentications", "passwordauthentication", "kbdinteractiveauthentication",
        "pubkeyauthentication", "updatehostkeys", "checkhostip", "hashknownhosts", "visualhostkey",
    }
)  # fmt: skip
"""Options of ssh that change how a connection is kept or which ways to log in are tried, not where it leads."""


class _RefusedError(Exception):
    """A variable that pyinfra cannot be told."""

    def __init__(self, message: str, expected: str = "", got: str = "") -> None:
        super().__init__(message)
        self.message, self.expected, self.got = message, expected, got


def host_data(host: str, variables: Mapping[str, Any], *, checks_keys: bool = True) -> Data:
    """One host's data for pyinfra: what Ansible says of reaching it, and every other variable as it is.

    Args:
        host: inventory name.
        variables: as `ansible-inventory` gives them.
        checks_keys: refuse a host whose key nobody knows, as Ansible does, where the variables say nothing of it.

    Raises:
        FleetError: with every variable that has no equal.
    """
    data: Data = {"ssh_hostname": host}
    problems = []
    for name, value in sorted(variables.items(), key=lambda item: (item[0] in _ARGUMENTS, item[0])):
        try:
            data |= _pyinfra_data(name, value, data)
        except _RefusedError as err:
            hint = "say it in an ssh configuration file, and name that with -F in ansible_ssh_common_args"
            problems.append(Problem(host, 0, 0, f"`{name}`: {err.message}", err.expected, err.got, hint))
    if problems:
        raise FleetError("pyinfra cannot reach these hosts as Ansible does", problems)
    data.setdefault("ssh_strict_host_key_checking", "yes" if checks_keys else "no")
    return data


def _pyinfra_data(name: str, value: Any, data: Mapping[str, Any]) -> Data:
    if not name.startswith("ansible_"):
        return {name: value}
    if name in _HARMLESS:
        return {}
    text = _plain_text(value)
    if name in _SAME:
        return {_SAME[name]: text}
    if name in _PORTS:
        return {"ssh_port": _number(text)}
    if name in _KEY_CHECKING:
        return {"ssh_strict_host_key_checking": "yes" if text.lower() in ("true", "yes", "1") else "no"}
    if name in _ARGUMENTS:
        found = _from_arguments(text)
        return {key: found[key] for key in found if key not in data or key == "ssh_hostname"}
    if name in _ONLY:
        if text not in _ONLY[name]:
            raise _RefusedError("pyinfra has no equal here", " or ".join(_ONLY[name]), text)
        return {name: text.rpartition(".")[2]} if name == "ansible_connection" else {}
    if name.startswith(_REFUSED_PREFIXES):
        raise _RefusedError("there is no equal in pyinfra")  # the value may be a secret
    return {name: value}


def _plain_text(value: Any) -> str:
    """A value that is one: no secret that is still locked, no template that Ansible would fill in."""
    if isinstance(value, Mapping) or (isinstance(value, str) and "$ANSIBLE_VAULT" in value):
        raise _RefusedError("this is locked by ansible-vault", "a plain value", "!vault")
    if "{{" in str(value):
        raise _RefusedError("this holds a template", "the value itself", "{{ … }}")
    return str(value)


def _number(text: str) -> int:
    if not text.isdecimal():
        raise _RefusedError("this is no number", "22", text)
    return int(text)


def _from_arguments(text: str) -> Data:
    """The data that a list of ssh's arguments stands for; as for ssh, the first word on a thing counts."""
    data: Data = {}
    for flag, value in _flags(text):
        for key, found in _flag(flag, value).items():
            data.setdefault(key, found)
    return data


def _flags(text: str) -> Iterator[tuple[str, str]]:
    """Every flag with its value, `-o` ones in lower case: `("o:port", "22")`."""
    try:
        words = iter(shlex.split(text))
    except ValueError as err:
        raise _RefusedError(f"these are no arguments: {err}", got=text) from err
    for word in words:
        if not word.startswith("-") or len(word) < 2:
            raise _RefusedError("ssh's arguments begin with -", got=word)
        flag, value = word[1], word[2:]
        if flag in _TAKES_VALUE:
            value = value or next(words, "")
            if flag == "o":
                key, _, value = value.replace("=", " ", 1).strip().partition(" ")
                flag = f"o:{key.lower()}"
            yield flag, value.strip().strip('"')
        else:
            yield from ((letter, "") for letter in word[1:])


def _flag(flag: str, value: str) -> Data:
    option = flag.removeprefix("o:")
    if flag in _QUIET_FLAGS or (flag.startswith("o:") and option in _QUIET_OPTIONS):
        return {}
    if flag in _KNOWN:
        return _KNOWN[flag](value)
    word = f"-o {option}" if flag.startswith("o:") else f"-{flag}"
    raise _RefusedError(f"ssh's {word} cannot be translated", got=f"{word} {value}".strip())


def _identities_only(value: str) -> Data:
    return {"ssh_allow_agent": False, "ssh_look_for_keys": False} if value.lower() == "yes" else {}


def _config(value: str) -> Data:
    return {"ssh_config_file": "/dev/null" if value == "none" else value}


_KNOWN: Mapping[str, Callable[[str], Data]] = {
    "F": _config,
    "i": lambda value: {"ssh_key": value},
    "l": lambda value: {"ssh_user": value},
    "p": lambda value: {"ssh_port": _number(value)},
    "A": lambda value: {"ssh_forward_agent": True},
    "o:forwardagent": lambda value: {"ssh_forward_agent": value.lower() == "yes"},
    "o:hostname": lambda value: {"ssh_hostname": value},
    "o:identityfile": lambda value: {"ssh_key": value},
    "o:identitiesonly": _identities_only,
    "o:port": lambda value: {"ssh_port": _number(value)},
    "o:user": lambda value: {"ssh_user": value},
    "o:stricthostkeychecking": lambda value: {"ssh_strict_host_key_checking": value.lower()},
    "o:userknownhostsfile": lambda value: {"ssh_known_hosts_file": value},
    "o:connecttimeout": lambda value: {"ssh_paramiko_connect_kwargs": {"timeout": _number(value)}},
}
_TAKES_VALUE = frozenset("BbcDEeFIiJLlmOopQRSWw")
