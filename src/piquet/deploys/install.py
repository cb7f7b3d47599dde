# SPDX-License-Identifier: GPL-3.0-or-later
"""Have the distribution's package manager install Python, only where it is missing and only when asked for."""

from __future__ import annotations

import shlex

from piquet.controller.transport import Remote
from piquet.deploys.steps import StepResult
from piquet.printable import printable

INSTALLED = "piquet-installed"
PYTHON_MISSING = "piquet-missing"
INSTALL_SCRIPT = """\
if command -v python3 >/dev/null 2>&1; then exit 0; fi
if command -v apt-get >/dev/null 2>&1; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get -q install --yes --no-install-recommends python3 ||
    { apt-get -q update && apt-get -q install --yes --no-install-recommends python3; } || exit 1
elif command -v dnf >/dev/null 2>&1; then
  dnf --quiet --assumeyes install python3 || exit 1
elif command -v apk >/dev/null 2>&1; then
  apk --quiet add python3 || exit 1
else
  echo 'there is no apt-get, dnf or apk' >&2
  exit 1
fi
echo piquet-installed
"""
"""The same as in the role `stage`; a test holds them together."""
_LOOK = f"command -v python3 >/dev/null 2>&1 || echo {PYTHON_MISSING}"


def install(remote: Remote, host: str, *, check: bool) -> StepResult:
    """Install Python on one host, or in check mode say whether it would be.

    Returns:
        An Ansible result.
    """
    script = _LOOK if check else INSTALL_SCRIPT
    outcome = remote.run(f"sh -c {shlex.quote(script)}", None, as_root=True)
    if outcome.rc:
        said = printable(outcome.stderr or outcome.stdout).strip().splitlines()[-8:]
        text = "\n".join(["Python could not be installed", *(f"  | {line}" for line in said)])
        return {"changed": False, "failed": True, "msg": f"{host}: {text}"}
    changed = (PYTHON_MISSING if check else INSTALLED) in outcome.stdout.split()
    word = "would be" if check else "was"
    return {"changed": changed, "msg": f"{host}: Python {word} installed" if changed else f"{host}: ok"}
