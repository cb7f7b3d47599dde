# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said twice, once for Ansible and once for pyinfra, is the same; and what is said once is read right."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from piquet.deploys import facts
from piquet.deploys.install import INSTALL_SCRIPT
from piquet.deploys.settings import IN_FOLDER, VARIABLES, read_settings
from piquet.deploys.steps import COURSES, Step
from piquet.errors import FleetError
from piquet.protocol.verbs import HOST_VERBS
from tests.ansible.roles import ROOT, module_of, read, tasks_of

FACTS = sorted((Path(__file__).parent / "facts").glob("*.json"))
FOLDER = Path("/srv/us")


def options() -> dict[str, dict[str, Any]]:
    """Variable → its specification, over all roles but `verify`, which has no deploy."""
    found = {}
    for role in sorted({*HOST_VERBS, "settings"}):
        specs = read(ROOT / "roles" / role / "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
        found |= {name: {"role": role, **option} for name, option in specs.items()}
    return found


def test_variables_are_those_of_the_roles() -> None:
    """Names, types, defaults and homes; the two paths are below the inventory's folder in both."""
    expected = {
        name: (o["role"], o["type"], o["default"]) for name, o in options().items() if name not in IN_FOLDER
    }
    got = {name: (v.role, v.kind, v.default) for name, v in VARIABLES.items() if name not in IN_FOLDER}
    assert expected == got
    for name in IN_FOLDER:
        folder, _, rest = options()[name]["default"].partition("}}/")
        assert (rest, "inventory_dir" in folder) == (VARIABLES[name].default, True)


def test_every_verb_has_a_deploy_that_calls_it() -> None:
    """The same verbs as roles, each a file to be run directly."""
    assert sorted(COURSES) == sorted(HOST_VERBS) == sorted(p.stem for p in (ROOT / "deploys").glob("*.py"))
    for verb in HOST_VERBS:
        text = (ROOT / "deploys" / f"{verb}.py").read_text("utf-8")
        assert text.endswith(f"from piquet.deploys import {verb}\n\n{verb}()\n")


@pytest.mark.parametrize("verb", HOST_VERBS)
def test_a_verb_is_called_the_same_everywhere(verb: str) -> None:
    """Its one sentence in the table stands over the playbook, the role and the deploy."""
    says, role = HOST_VERBS[verb].says, ROOT / "roles" / verb
    assert says == read(ROOT / f"playbooks/{verb}.yml")[0]["name"]
    assert says == read(role / "meta/argument_specs.yml")["argument_specs"]["main"]["short_description"]
    assert says == read(role / "meta/main.yml")["galaxy_info"]["description"]
    assert f"{says}." == (role / "README.md").read_text("utf-8").splitlines()[2]
    assert f'"""{says}: `pyinfra INVENTORY deploys/{verb}.py`."""' in (ROOT / f"deploys/{verb}.py").read_text(
        "utf-8"
    )
    assert (verb in {"hook", "trust", "stage", "arm"}) == ("campaign" in HOST_VERBS[verb].options)


def in_words(step: Step) -> tuple[str, str, bool, bool]:
    """A step as a task of a role shows itself."""
    module = "ansible.builtin.raw" if step.action == "python" else f"piquet.fleet.{step.action}"
    return step.name, module, step.goes_on, step.is_fatal


@pytest.mark.parametrize("verb", HOST_VERBS)
def test_steps_are_the_tasks_of_the_role(verb: str) -> None:
    """The same names in the same order, by the same action, and the same to happen on failure."""
    expected = [
        (t["name"], module_of(t), t.get("ignore_unreachable", False), t.get("any_errors_fatal", False))
        for t in tasks_of(verb)
    ]
    assert expected == [in_words(step) for step in COURSES[verb]]


@pytest.mark.parametrize("verb", ["hook", "stage"])
def test_how_sites_answer_is_remembered_before_a_reload(verb: str) -> None:
    """What a reload of ours brings into force would else be taken for usual; the roles have the same steps."""
    actions = [step.action for step in COURSES[verb]]
    assert "verify" in actions[: actions.index("agent")]
    remember = COURSES[verb][actions.index("verify")]
    settings = read_settings("web1", {}, FOLDER)
    assert remember.arguments(settings, {})["baseline"] == "keep"
    assert remember.when("web1", settings, {})


def _key(register: str) -> str:
    """The step of a deploy whose result a role registers under this name."""
    name = register.removeprefix("__piquet_")
    return "check" if name == "arm_check" else name


@pytest.mark.parametrize("verb", HOST_VERBS)
def test_steps_are_given_what_the_tasks_are(verb: str) -> None:
    """The arguments of each task that are no template are those of its step."""
    settings = read_settings("web1", {}, FOLDER)
    told = {"plan": {"digest": "d"}, "can": {"ok": []}, "armed": {"bad": [], "begun": []}}
    for task, step in zip(tasks_of(verb), COURSES[verb], strict=True):
        if step.action == "python":
            assert task["ansible.builtin.raw"] == INSTALL_SCRIPT
            continue
        given, ours = task[module_of(task)], step.arguments(settings, told)
        named = ("of", "before", "undo", "advice", "afterwards")
        plain = {k: v for k, v in given.items() if "{{" not in str(v) and k not in named}
        assert plain == {name: ours[name] for name in plain}
        assert set(given) <= set(ours)
        assert [_key(name) for name in given.get("of", ())] == list(ours.get("of", ()))
        assert [_key(given.get(k, "")) for k in ("before", "undo")] == [
            ours.get(k, "") for k in ("before", "undo")
        ]
        assert given.get("afterwards", "").strip() == ours.get("afterwards", "")
        if "advice" in given:
            words = given["advice"].strip()
            assert words == ours["advice"]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("piquet_become", "no", False), ("piquet_become", 1, True), ("piquet_become", True, True),
        ("piquet_canary", "web1,web2", ["web1", "web2"]), ("piquet_canary", ["web1"], ["web1"]),
        ("piquet_rehearse_phase", 2, 2), ("piquet_rehearse_phase", "2", 2),
        ("piquet_max_skew_s", 5, 5.0), ("piquet_max_skew_s", "0.5", 0.5), ("piquet_plan_digest", 123, "123"),
        ("piquet_workdir", None, "/srv/us/.piquet"), ("piquet_python", "/opt/py", "/opt/py"),
    ],
)  # fmt: skip
def test_values_are_read_as_ansible_reads_them(name: str, value: Any, expected: Any) -> None:
    """pyinfra's command line makes numbers and truths of words; what is meant is clear all the same."""
    assert expected == read_settings("web1", {name: value}, FOLDER)[name]


@pytest.mark.parametrize(
    ("name", "value"),
    [("piquet_become", "perhaps"), ("piquet_become", 2), ("piquet_canary", {"a": 1}), ("piquet_canary", [1]),
     ("piquet_rehearse_phase", 1.5), ("piquet_rehearse_phase", "next"), ("piquet_rehearse_phase", True),
     ("piquet_max_skew_s", "soon"), ("piquet_max_skew_s", True), ("piquet_python", ["/usr/bin/python3"])],
)  # fmt: skip
def test_a_value_of_another_type_is_refused(name: str, value: Any) -> None:
    """With host, name, expected and got."""
    with pytest.raises(FleetError, match=rf"(?s)web1.*`{name}`.*expected.*got"):
        read_settings("web1", {name: value}, FOLDER)


@pytest.mark.parametrize("file", FACTS, ids=[file.stem for file in FACTS])
def test_facts_read_what_hosts_say(file: Path) -> None:
    """One file a case: what the command printed, and the value of the fact."""
    case = json.loads(file.read_text("utf-8"))
    assert case["value"] == getattr(facts, case["fact"])().process(case["output"])


def test_the_python_fact_asks_a_real_shell() -> None:
    """A Python that is there and one that is not, and a path that a shell would take apart."""
    for python, is_there in ((sys.executable, True), ("/nowhere/python3", False), ("/tmp/$(id) ;id", False)):
        command = facts.Python().command(python)
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
        assert is_there == (facts.Python().process(done.stdout.splitlines()) is not None)
    assert shlex.quote("/tmp/$(id) ;id") in facts.Python().command("/tmp/$(id) ;id")


def test_importing_the_deploys_by_name_alone_imports_no_pyinfra() -> None:
    """Whoever runs them patches the standard library first; nothing else of the package is slowed by them."""
    code = "import sys, piquet.deploys, piquet.cli; sys.exit('pyinfra' in sys.modules or 'gevent' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
