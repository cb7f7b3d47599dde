# SPDX-License-Identifier: GPL-3.0-or-later
"""The name under which `ansible-doc` finds `agent.yml`; the work is done by the action plugin `action/agent.py`."""
