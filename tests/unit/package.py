# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the package lies."""

from __future__ import annotations

from pathlib import Path

import piquet

ROOT = Path(piquet.__file__).parent
