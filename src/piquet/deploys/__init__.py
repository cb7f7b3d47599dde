# SPDX-License-Identifier: GPL-3.0-or-later
"""piquet as pyinfra deploys: `from piquet.deploys import stage`, then `stage()` in a deploy file.

Thin wrappers of `piquet.controller`, as Ansible's plugins are:

* `settings`  the variables, one table
* `steps`     the verbs' steps, by the names of the roles' tasks
* `strategy`  one verb over all hosts: order, canaries, what must not be begun any more
* `run`       a course within pyinfra's own phases
* `verbs`     the deploys
* `remote`    pyinfra's connection
* `facts`     what pyinfra users may ask of a host
* `ansible`   the inventory connector `@ansible/FILE`
* `runner`    `python -m piquet.deploys VERB`, for the command line

pyinfra is imported only when one of the deploys is, since whoever runs it patches the standard library first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from piquet.deploys.verbs import arm, hook, rehearse, remove, rollback, stage, status, survey, unhook

__all__ = ["arm", "hook", "rehearse", "remove", "rollback", "stage", "status", "survey", "unhook"]


def __getattr__(name: str) -> Any:
    """A deploy, imported at first use."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module("piquet.deploys.verbs"), name)
