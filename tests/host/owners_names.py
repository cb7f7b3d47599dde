# SPDX-License-Identifier: GPL-3.0-or-later
"""What an owner's server says when it knows no name."""

from __future__ import annotations

NO_NAME = "no-such-name.invalid"
"""Source: RFC 6761, 6.4: no name server knows it."""
