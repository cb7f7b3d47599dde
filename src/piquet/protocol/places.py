# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things of ours lie on a host."""

from __future__ import annotations

ETC = "/etc/piquet"
"""What was staged: configuration, manifest, plan."""
LIB = "/var/lib/piquet"
"""Pages, and the agent's state."""
SPOOL = "/var/spool/piquet"
"""The token of an arming."""
RUN = "/run/piquet"
"""Flags, and the tokens of rehearsals; gone after a reboot."""
AGENT_PATH = "/usr/local/sbin/piquet-host"
CRON_FILE = "/etc/cron.d/piquet"
"""A name without a dot, or cron passes it over; root's, and nobody else may write it, or cron refuses it."""
UNIT_DIR = "/etc/systemd/system"
HOOK_MARK = "# piquet hook"
"""Behind our include line in a server block of somebody else."""
DEFAULT_PYTHON = "/usr/bin/python3"
END_IT_NOW = f"rm -rf {RUN}/live {SPOOL} {LIB}/armed.json; sync"
"""The printed line: the whole release, for somebody who has nothing of ours but the paper."""
DIGEST_MARK = "@PIQUET_PLAN_DIGEST@"
"""Stands where the agent writes the plan digest, which cannot be known while the plan is being made."""
