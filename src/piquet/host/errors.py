# SPDX-License-Identifier: GPL-3.0-or-later
"""The exceptions of the agent: each carries findings, so that a refusal says every reason at once."""

from __future__ import annotations

from typing import Iterable, Tuple

from piquet.protocol.findings import Finding


class AgentError(Exception):
    """A verb was refused or failed, and the host is in the state that the message says."""

    def __init__(self, message: str, findings: Iterable[Finding] = ()) -> None:
        """Keep the sentence for a person and the reasons."""
        super().__init__(message)
        self.message = message
        self.findings: Tuple[Finding, ...] = tuple(findings)


class LockedError(AgentError):
    """Another piquet-host holds the lock."""


class StateError(AgentError):
    """A state file of ours exists but cannot be read."""


class PayloadError(AgentError):
    """What the controller sent is not what the plan promised."""


class ConfigurationError(AgentError):
    """A web server refuses its whole configuration, or did not take it up."""
