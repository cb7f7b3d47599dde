# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways in which a server shows something."""

from __future__ import annotations

from typing import Literal

Way = Literal["include", "lua", "include and headers-more"]
