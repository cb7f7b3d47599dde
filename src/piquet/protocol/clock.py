# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of a host's clock that differs too much from the controller's, wherever it is noticed."""

from __future__ import annotations

from piquet.protocol.findings import Finding


def clock_skew(subject: str, skew_s: float, max_skew_s: float) -> Finding:
    """The finding; its window is measured by the host's own clock.

    Args:
        subject: the host, or the clock where the host is named already.
        skew_s: how far the host's clock is ahead, seconds; negative if it is behind.
        max_skew_s: how much is allowed, seconds.
    """
    message = "the host's clock differs from the controller's"
    expected = f"at most {max_skew_s:g} s"
    got = f"{abs(skew_s):.1f} s {'ahead' if skew_s > 0 else 'behind'}"
    hint = "start time synchronisation (chrony, systemd-timesyncd) on both, then try again"
    return Finding("error", "clock-skew", subject, message, expected, got, hint)
