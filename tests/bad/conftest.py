# SPDX-License-Identifier: GPL-3.0-or-later
"""The same way to write golden files anew as in the unit tests."""

from tests.host.conftest import box as box
from tests.unit.conftest import is_regenerating as is_regenerating
