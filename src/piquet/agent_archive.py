# SPDX-License-Identifier: GPL-3.0-or-later
"""The host agent as it travels: its modules as one zip that Python runs, with a request, or installed as `piquet-host`.

Same input, same bytes: no time, no random value and nothing of the controller is in any of it.
"""

from __future__ import annotations

import importlib.util
import io
import marshal
import zipfile
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files as package_files
from importlib.resources.abc import Traversable
from types import CodeType
from typing import Any

from piquet import __version__
from piquet.protocol import places
from piquet.protocol.canonical import canonical

_EPOCH = (1980, 1, 1, 0, 0, 0)
_UNCHECKED_PYC = importlib.util.MAGIC_NUMBER + b"\x01\0\0\0" + bytes(8)
_MARSHAL_WITHOUT_REFERENCES = 2  # references depend on what else the process holds, and bytes would differ


def payload(request: Mapping[str, Any], members: Mapping[str, bytes] | None = None) -> bytes:
    """The agent, a request and what it needs, as one zip that Python runs; same input, same bytes.

    Args:
        request: what is asked.
        members: name in the zip → bytes, of what the verb needs.
    """
    return _zip({"request.json": canonical(request), **(members or {})}, after=agent_modules())


@cache
def agent_modules() -> bytes:
    """What every payload begins with; it takes a tenth of a second, so an engine has it before it forks for each host.

    The modules are there compiled too: half of a short verb's time is compiling them. A Python of another version
    than ours does not know that form and reads the sources beside it.
    """
    return _zip({**_agent_sources(), **_compiled_modules()})


@cache
def agent_zipapp(python: str = places.DEFAULT_PYTHON) -> bytes:
    """`piquet-host` as it is installed: one file, standard library only, run by the Python of this path."""
    return f"#!{python}\n".encode() + _zip(_agent_sources())


@cache
def _agent_sources() -> dict[str, bytes]:
    """The agent's modules under their import names, and the few lines that start it."""
    head = f'"""piquet-host."""\n\n__version__ = "{__version__}"\n'
    start = '"""Start piquet-host."""\n\nfrom piquet.host.__main__ import main\n\nraise SystemExit(main())\n'
    modules = {"piquet/__init__.py": head.encode(), "__main__.py": start.encode()}
    for part in ("protocol", "host"):
        modules.update(_sources(package_files(f"piquet.{part}"), f"piquet/{part}"))
    return modules


@cache
def _compiled_modules() -> dict[str, bytes]:
    """The same modules as this Python compiles them, valid whatever the time stamps say.

    Source: PEP 552, unchecked hash-based pycs; PEP 273, zipimport tries `.pyc` before `.py`.
    """
    return {
        f"{name}c": _UNCHECKED_PYC + marshal.dumps(_code(name, source), _MARSHAL_WITHOUT_REFERENCES)
        for name, source in _agent_sources().items()
        if name != "__main__.py"
    }


def _code(name: str, source: bytes) -> CodeType:
    return compile(source, name, "exec", dont_inherit=True)


def _sources(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for item in sorted(folder.iterdir(), key=lambda item: item.name):
        if item.is_dir() and item.name != "__pycache__":
            yield from _sources(item, f"{prefix}/{item.name}")
        elif item.name.endswith(".py"):
            yield f"{prefix}/{item.name}", item.read_bytes()


def _zip(members: Mapping[str, bytes], after: bytes = b"") -> bytes:
    """A zip of these members, behind those of another one."""
    buffer = io.BytesIO(after)
    with zipfile.ZipFile(buffer, "a" if after else "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(members):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, members[name])
    return buffer.getvalue()
