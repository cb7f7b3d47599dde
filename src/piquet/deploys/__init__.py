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

from typing import Any

from piquet.protocol.verbs import HOST_VERBS


def __getattr__(name: str) -> Any:
    """A deploy, imported at first use."""
    if name not in HOST_VERBS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return import_module("piquet.deploys.verbs").DEPLOYS[name]


def __dir__() -> list[str]:
    """The deploys, for whoever looks what there is."""
    return [*globals(), *HOST_VERBS]
