# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of the data, kept by looking at every import: the core opens nothing, and nothing points backwards."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from piquet import resources
from tests.unit.package import ROOT

MODULES = {
    ".".join(("piquet", *file.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): file
    for file in sorted(ROOT.rglob("*.py"))
}
WAY = (
    "piquet.protocol", "piquet.printable", "piquet.errors", "piquet.findings", "piquet.campaign", "piquet.outlook",
    "piquet.answers", "piquet.banner", "piquet.style_policy", "piquet.resources", "piquet.pages", "piquet.load",
    "piquet.fleet", "piquet.plan", "piquet.servers", "piquet.decision", "piquet.agent_archive", "piquet.bundle",
    "piquet.controller",
    "piquet.engines",
    "piquet.deploys", "piquet.verify", "piquet.report", "piquet.preview", "piquet.suite",
    "piquet.cli", "piquet.__main__",
)  # fmt: skip
"""A module may import from its own folder and from those to its left."""
ON_THE_HOST = ("errors", "system", "state", "servers", "", "verbs", "request", "command_line", "__main__")
"""The same for the agent; "" is what verbs are made of, beside the rooms."""

CONSTANTS = {
    "piquet.agent_archive": {".read_bytes"},
    "piquet.pages.words": {".read_text"},
    "piquet.decision.words": {".read_text"},
    "piquet.pages.theme": {".read_bytes"},
    "piquet.pages.banner": {".read_bytes"},
}
"""Modules that read files of the package itself: the agent's source, the words of the pages."""

EDGES = frozenset(
    {
        "piquet.campaign.folder",
        "piquet.load",
        "piquet.campaign.schema",
        "piquet.fleet.inventory",
        "piquet.fleet.workdir",
        "piquet.pages.confined",
        "piquet.decision.pdf",
        "piquet.decision.signed_folder",
        "piquet.decision.signing",
    }
)
"""Where the core meets disk and processes; `schema` reads one constant of the package."""

CORE = sorted(
    name
    for name in MODULES
    if name.startswith(
        (
            "piquet.campaign",
            "piquet.fleet",
            "piquet.pages",
            "piquet.plan",
            "piquet.servers",
            "piquet.decision",
        )
    )
    or name
    in (
        "piquet.printable",
        "piquet.protocol",
        "piquet.protocol.canonical",
        "piquet.protocol.decision",
        "piquet.protocol.signatures",
        "piquet.protocol.signers",
        "piquet.protocol.findings",
        "piquet.errors",
        "piquet.findings",
        "piquet.outlook",
        "piquet.answers",
        "piquet.banner",
        "piquet.style_policy",
        "piquet.agent_archive",
        "piquet.bundle",
    )
    if name not in EDGES
)
WORLD = frozenset(
    (
        *(
            "os",
            "pathlib",
            "io",
            "shutil",
            "tempfile",
            "glob",
            "time",
            "socket",
            "ssl",
            "subprocess",
            "asyncio",
        ),
        *(
            "threading",
            "requests",
            "urllib",
            "http",
            "aiohttp",
            "random",
            "secrets",
            "uuid",
            "platform",
            "getpass",
        ),
        *("signal", "logging"),
    )
)
IN_MEMORY = {
    "io": {"StringIO", "BytesIO"},
    "pathlib": {"PurePosixPath"},
    "urllib": {"quote", "unquote", "urlsplit"},
}
CLOCKS = frozenset({"now", "utcnow", "today", "time", "monotonic", "perf_counter", "localtime", "gmtime"})
OPENERS = frozenset({"open", "input", "print", "exec", "eval", "__import__", "breakpoint"})
METHODS = frozenset(
    {"read_text", "read_bytes", "write_text", "write_bytes", "unlink", "mkdir", "environ", "getenv"}
)


def imports(name: str) -> Iterator[str]:
    """Every module that a module imports, absolute, also those imported late."""
    for node in ast.walk(ast.parse(MODULES[name].read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def place(name: str) -> int | None:
    """Where a module stands on the way of the data; None for the package itself."""
    fits = [number for number, folder in enumerate(WAY) if f"{name}.".startswith(f"{folder}.")]
    return fits[0] if fits else None


def faults(tree: ast.AST) -> Iterator[str]:
    """What a module of the core may not do: reach for the world, read a clock, open anything."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] in WORLD - {"io"})
        elif isinstance(node, ast.ImportFrom):
            top = str(node.module).partition(".")[0]
            allowed = IN_MEMORY.get(top, set())
            yield from (
                f"{top}.{alias.name}" for alias in node.names if top in WORLD and alias.name not in allowed
            )
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in OPENERS:
            yield f"{node.func.id}()"
        elif isinstance(node, ast.Attribute) and node.attr in CLOCKS | METHODS | {
            "open",
            "open_code",
            "FileIO",
        }:
            yield f".{node.attr}"


def test_every_part_has_its_place() -> None:
    """A new folder has to say where on the way it stands; the agent stands beside it, on another machine."""
    lost = [name for name in MODULES if place(name) is None and not name.startswith("piquet.host")]
    assert lost == ["piquet"]


@pytest.mark.parametrize("name", MODULES)
def test_no_import_goes_against_the_way(name: str) -> None:
    """A module knows what comes before it; nobody imports the agent, and it imports nothing but the protocol."""
    ours = sorted({other for other in imports(name) if other in MODULES and other != "piquet"})
    if name.startswith("piquet.host"):
        assert [other for other in ours if not other.startswith(("piquet.host", "piquet.protocol"))] == []
    else:
        assert [other for other in ours if (place(other) or 0) > (place(name) or 0)] == []
        assert [other for other in ours if other.startswith("piquet.host")] == []


def place_on_the_host(name: str) -> int:
    """Where a module of the agent stands."""
    room = name.removeprefix("piquet.host").removeprefix(".").partition(".")[0]
    return ON_THE_HOST.index(room if room in ON_THE_HOST else "")


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("piquet.host.")])
def test_the_agents_rooms_are_read_in_one_order(name: str) -> None:
    """A room knows those before it; no verb knows another verb."""
    ours = {other for other in imports(name) if other in MODULES and other.startswith("piquet.host.")}
    assert [other for other in ours if place_on_the_host(other) > place_on_the_host(name)] == []
    if name.startswith("piquet.host.verbs."):
        assert [other for other in ours if other.startswith("piquet.host.verbs.")] == []


@pytest.mark.parametrize("name", CORE)
def test_the_core_opens_nothing_and_reads_no_clock(name: str) -> None:
    """Same input, same output, on any machine at any hour."""
    allowed = CONSTANTS.get(name, set())
    assert [
        fault for fault in faults(ast.parse(MODULES[name].read_text("utf-8"))) if fault not in allowed
    ] == []


@pytest.mark.parametrize(
    "code",
    [
        "import os", "import os.path", "from pathlib import Path", "import subprocess", "from time import time",
        "from datetime import datetime\ndatetime.now()", "import datetime\ndatetime.date.today()", "open('x')",
        "from importlib.resources import files\nfiles('x').read_text()", "import io\nio.open('x')",
        "from urllib.request import urlopen", "import socket", "def late():\n    import requests",
    ],
)  # fmt: skip
def test_the_policy_sees(code: str) -> None:
    """Each way around the rule is noticed."""
    assert list(faults(ast.parse(code)))


@pytest.mark.parametrize(
    "code", ["import io\nio.StringIO()", "from pathlib import PurePosixPath", "import json, re"]
)
def test_the_policy_lets_pass(code: str) -> None:
    """What stays in memory is allowed."""
    assert not list(faults(ast.parse(code)))


def test_pages_of_pure_modules_are_in_the_core() -> None:
    """The list above is not empty by mistake."""
    expected = {"piquet.campaign.model", "piquet.campaign.parse", "piquet.fleet.read", "piquet.plan.make"}
    assert expected <= set(CORE)


ROOMS_OF_SERVERS = ("piquet.servers", "piquet.host.servers")
VARIABLES_OF_ROLES = {
    "piquet.deploys.settings": {"piquet_nginx", "piquet_apache"},
}
"""Variables of the roles."""


@pytest.mark.parametrize("name", [n for n in MODULES if not n.startswith(ROOMS_OF_SERVERS)])
def test_only_its_rooms_name_a_web_server(name: str) -> None:
    """A new one is a folder in each of them; everything else asks the registries. Sentences may name them."""
    tree = ast.parse(MODULES[name].read_text("utf-8"))
    named = {word for word in _words_of_code(tree) if re.search("nginx|apache", word, re.IGNORECASE)}
    assert named - VARIABLES_OF_ROLES.get(name, set()) == set()


def _words_of_code(tree: ast.AST) -> Iterator[str]:
    """Identifiers, imported modules, and texts that are one word."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
            yield node.value
        elif isinstance(node, ast.Name | ast.Attribute | ast.arg | ast.keyword):
            yield str(getattr(node, "id", None) or getattr(node, "attr", None) or getattr(node, "arg", ""))
        elif isinstance(node, ast.alias):
            yield node.name
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name


def test_a_public_name_has_one_meaning() -> None:
    """No class and no constant is defined twice."""
    found: dict[str, list[str]] = {}
    for name, file in MODULES.items():
        for node in ast.parse(file.read_text("utf-8")).body:
            for defined in names_defined(node):
                found.setdefault(defined, []).append(name)
    assert {name: places for name, places in found.items() if len(places) > 1} == {}


TESTS = Path(__file__).parents[1]
OUR_PLACE = re.compile(r"/(?:etc|run|var/lib|var/spool)/piquet")


@pytest.mark.parametrize("module", sorted(MODULES))
def test_our_places_are_spelled_once(module: str) -> None:
    """`protocol.places` has them; docstrings may name them, messages and configuration ask for them."""
    if module == "piquet.protocol.places":
        return
    tree = ast.parse(MODULES[module].read_text("utf-8"))
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    constants = [n for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    assert [c.value for c in constants if id(c) not in said and OUR_PLACE.search(c.value)] == []


def test_templates_ask_for_our_places() -> None:
    """Like everybody else."""
    texts = {file: file.read_text("utf-8") for file in resources.templates().rglob("*.j2")}
    assert len(texts) > 20
    assert [str(file) for file, text in texts.items() if OUR_PLACE.search(text)] == []


def test_no_test_module_imports_another() -> None:
    """What tests share lies in a module whose name says what it is."""
    found = [
        f"{file.relative_to(TESTS)}: {name}"
        for file in sorted(TESTS.rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom)
        for name in (node.module or "", *(alias.name for alias in node.names))
        if name.rpartition(".")[2].startswith("test_")
    ]
    assert found == []


PORTS = {
    "run": "piquet.host.verbs.",  # a verb of the agent
    "command": "piquet.cli.",  # a command
    "attempt": "piquet.controller.",  # what an engine asks of the controller
    "files": "piquet.servers.",  # a web server's configuration
    "main": "piquet.",  # where a process begins
}
"""Functions that every module of a room has, so that whoever calls it need not know which."""


def test_a_public_function_has_one_name() -> None:
    """None is defined twice, but for the ports."""
    found: dict[str, list[str]] = {}
    for module, file in MODULES.items():
        for node in ast.parse(file.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
                found.setdefault(node.name, []).append(module)
    twice = {
        name: modules
        for name, modules in found.items()
        if len(modules) > 1 and not (name in PORTS and all(m.startswith(PORTS[name]) for m in modules))
    }
    assert twice == {}


def names_defined(node: ast.stmt) -> list[str]:
    """Public classes and constants that a statement at the top of a module defines."""
    if isinstance(node, ast.ClassDef):
        return [node.name] if not node.name.startswith("_") else []
    targets = (
        node.targets
        if isinstance(node, ast.Assign)
        else [node.target]
        if isinstance(node, ast.AnnAssign)
        else []
    )
    return [t.id for t in targets if isinstance(t, ast.Name) and not t.id.startswith("_")]


@pytest.mark.parametrize("name", MODULES)
def test_every_file_says_its_licence_and_its_purpose(name: str) -> None:
    """The first line is the licence, the next thing a docstring."""
    text = MODULES[name].read_text("utf-8")
    assert text.startswith("# SPDX-License-Identifier: GPL-3.0-or-later\n")
    assert ast.get_docstring(ast.parse(text))


def named_in_the_architecture() -> list[str]:
    """Dotted names in code marks that begin with a room of ours."""
    text = (ROOT.parents[1] / "ARCHITECTURE.md").read_text("utf-8")
    rooms = {name.split(".")[1] for name in MODULES if "." in name}
    found = re.findall(r"`([a-z_]+(?:\.[A-Za-z_]+)+)`", text)
    return sorted(
        {name for name in found if name.split(".")[0] in rooms and not name.endswith((".py", ".yml"))}
    )


@pytest.mark.parametrize("name", named_in_the_architecture())
def test_the_architecture_names_what_is_there(name: str) -> None:
    """Each module, and each function in it."""
    module, _, member = f"piquet.{name}".rpartition(".")
    if f"piquet.{name}" in MODULES:
        return
    tree = ast.parse(MODULES[module].read_text("utf-8"))
    there = {
        n.name for n in tree.body if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
    }
    there |= {a.asname or a.name for n in tree.body if isinstance(n, ast.ImportFrom) for a in n.names}
    assert member in there


HIDING = frozenset(
    (
        *(
            "about",
            "after",
            "against",
            "alike",
            "around",
            "at",
            "before",
            "begun",
            "below",
            "beside",
            "by",
            "found",
        ),
        *(
            "given",
            "held",
            "here",
            "hidden",
            "kept",
            "last",
            "led",
            "local",
            "lost",
            "none",
            "now",
            "of",
            "once",
            "one",
        ),
        *(
            "only",
            "other",
            "others",
            "ours",
            "outside",
            "own",
            "plain",
            "raw",
            "said",
            "seen",
            "shown",
            "since",
            "some",
        ),
        *(
            "spoken",
            "struck",
            "taken",
            "then",
            "there",
            "till",
            "together",
            "told",
            "unknown",
            "usual",
            "when",
            "where",
        ),
        *("without", "worse", "worst", "would"),
    )
)
"""Words that alone say neither what a function returns nor what it does."""


def test_private_functions_say_what_they_return_or_do() -> None:
    """More than a participle or a preposition."""
    names = {
        f"{module}.{node.name}"
        for module, file in MODULES.items()
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("_")
    }
    words = {name: name.rpartition("._")[2] for name in names}
    assert [n for n, word in sorted(words.items()) if word in HIDING or re.fullmatch(r"[a-z]+ed", word)] == []
