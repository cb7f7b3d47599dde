# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether SELinux enforces here, and what then lets a web server see our flags and pages. Nothing is changed.

Types are given to names, and taken on by what lies there when somebody relabels it; `/run` is written as `/var/run`,
to which policies map it. Not run on: no test host has a kernel that enforces.

Source: semanage-fcontext(8), restorecon(8), httpd_selinux(8), `file_contexts.subs_dist` of the targeted policy.
"""

from __future__ import annotations

from pathlib import Path

from piquet.protocol.places import LIB, RUN

ENFORCE = Path("/sys/fs/selinux/enforce")
TYPES = (
    f"semanage fcontext -a -t httpd_var_run_t '/var{RUN}(/.*)?'",
    f"semanage fcontext -a -t httpd_sys_content_t '{LIB}/www-[^/]+(/.*)?'",
)
"""Commands that say which types our folders have: the one with flags, and those with pages."""
RELABEL = f"restorecon -RF {RUN} {LIB}"
"""What gives them to what is there: after stage, and after a boot, since `/run` begins empty."""


def is_enforcing() -> bool:
    """Whether the kernel forbids what its policy does not allow."""
    try:
        return ENFORCE.read_text("ascii", "replace").strip() == "1"
    except OSError:
        return False
