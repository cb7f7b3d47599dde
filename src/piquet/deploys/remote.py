# SPDX-License-Identifier: GPL-3.0-or-later
"""pyinfra's connection as `piquet.controller.transport.Remote` wants it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any

from paramiko import SSHException
from pyinfra.api.arguments import CONNECTOR_ARGUMENT_KEYS, pop_global_arguments
from pyinfra.api.command import StringCommand
from pyinfra.api.exceptions import ConnectError, PyinfraError
from pyinfra.api.host import Host
from pyinfra.api.state import State
from pyinfra.connectors.local import LocalConnector

from piquet.controller.answer import CommandOutcome
from piquet.controller.transport import said_before

_BECOMING = ("_sudo", "_su_user", "_doas", "_dzdo")
_NO_PASSWORD = "sudo: a password is required"  # noqa: S105 - what sudo says


class ConnectionLostError(Exception):
    """The host could not be reached any more, so nobody knows how far it came."""


class PyinfraRemote:
    """Runs commands through the host's connector, with pyinfra's own arguments for becoming root."""

    can_pipe = True
    is_text_only = True

    def __init__(self, host: Host, arguments: Mapping[str, Any], *, become: bool) -> None:
        """A connected host.

        Args:
            host: of pyinfra.
            arguments: its global arguments: what the configuration, the host's data and the caller say.
            become: become root by sudo, where the caller chose no other way and the login is not root's already.
        """
        self._host = host
        known = {key: arguments[key] for key in CONNECTOR_ARGUMENT_KEYS if key in arguments}
        known["_get_pty"] = False  # a terminal would echo the payload and cut its lines
        has_own_way = any(known.get(key) for key in _BECOMING)
        needs_sudo = become and not has_own_way and not is_root(host)
        self._as_root = known | ({"_sudo": True} if needs_sudo else {})

    def run(self, command: str, data: bytes | None, as_root: bool) -> CommandOutcome:
        """Run one shell command, `data` being ASCII text.

        Raises:
            ConnectionLostError: there is no connection any more.
        """
        arguments = dict(self._as_root) if as_root else {}
        arguments["_stdin"] = data.decode("ascii") if data is not None else None
        try:
            is_ok, output = self._host.run_shell_command(StringCommand(command), **arguments)
        except (SSHException, EOFError, OSError, PyinfraError) as err:
            if is_connected(self._host):
                is_closed = data and isinstance(err, OSError) and not isinstance(err, TimeoutError)
                said = self._said_without_input(command, arguments) if is_closed else ""
                return CommandOutcome(1, "", said or _reason(err))
            raise ConnectionLostError(f"the connection was lost: {_reason(err)}") from err
        if not is_ok and not is_connected(self._host):
            raise ConnectionLostError("the connection was lost; what the host did is unknown: run status")
        return CommandOutcome(0 if is_ok else 1, output.stdout, output.stderr)

    def _said_without_input(self, command: str, arguments: Mapping[str, Any]) -> str:
        """Why a command ended before it had read its input, such as a sudo that wants a password; "" if unknown.

        An agent that gets no input does nothing.
        """
        try:
            _, output = self._host.run_shell_command(StringCommand(command), **{**arguments, "_stdin": ""})
        except EOFError as err:
            return _reason(err)
        except (SSHException, OSError, PyinfraError):
            return ""
        return said_before(str(output.stderr))

    def put(self, data: bytes, path: str) -> None:
        """Write a remote file by the connection's own file transfer."""
        self._host.put_file(BytesIO(data), path)


def global_arguments(state: State, host: Host, explicit: Mapping[str, Any]) -> dict[str, Any]:
    """What pyinfra would give an operation on this host, and what the caller of the deploy said."""
    found, _ = pop_global_arguments(state, host, {})
    return {**found, **explicit}


def is_root(host: Host) -> bool:
    """Whether the login is root's, so that there is nothing to become."""
    if isinstance(host.connector, LocalConnector):
        return os.geteuid() == 0
    transport = _transport(host)
    return bool((transport.get_username() if transport else host.data.get("ssh_user")) == "root")


def connecting(connect: Callable[[], None]) -> Callable[[], None]:
    """A `connect` for which a host that sends rubbish cannot be reached; pyinfra would end the whole run."""

    def wrapped() -> None:
        try:
            connect()
        except ConnectError:
            raise
        except Exception as err:  # paramiko passes on whatever a host's bytes break in it
            raise ConnectError(f"{type(err).__name__}: {err}") from err

    return wrapped


def is_connected(host: Host) -> bool:
    """Whether commands can still be sent; a connection that is none (@local) cannot be lost."""
    transport = _transport(host)
    return transport is None or bool(transport.is_active())


def _transport(host: Host) -> Any:
    client: Any = getattr(host.connector, "client", None)
    return client.get_transport() if hasattr(client, "get_transport") else None


def _reason(err: Exception) -> str:
    if isinstance(err, EOFError):
        return _NO_PASSWORD
    return f"{type(err).__name__}: {err}"
