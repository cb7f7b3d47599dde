# SPDX-License-Identifier: GPL-3.0-or-later
"""The name under which `ansible-doc` finds `plan.yml`; the work is done by the action plugin `action/plan.py`."""
