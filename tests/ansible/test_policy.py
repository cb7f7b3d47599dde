# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules that every playbook and role keeps, read from the YAML itself."""

from __future__ import annotations

import re

import pytest

from piquet.controller import host_results, prepare, step, verify
from piquet.protocol.verbs import HOST_VERBS
from tests.ansible.roles import ROOT, module_of, read, tasks_of

ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
VERB_ROLES = sorted({*HOST_VERBS, "eve", "verify"})
SKELETON = ("defaults/main.yml", "meta/argument_specs.yml", "meta/main.yml", "tasks/main.yml", "README.md")
ARGUMENTS = {
    "agent": step.VERB_ARGUMENTS, "plan": prepare.PLAN_ARGUMENTS, "tally": host_results.TALLY_ARGUMENTS,
    "verify": verify.VERIFY_ARGUMENTS,
}  # fmt: skip
RAW = "ansible.builtin.raw"
"""Needs no Python on the host, so it is how Python gets there."""
CAPITALISED_IMPERATIVE = re.compile(r"[A-Z][a-z]+\b(?<!ing)(?<!ed)")


HOSTS = (
    "{{ piquet_hosts | default('all') if groups.all "
    "else undef('no host in the inventory: is the path after -i right?') }}"
)
"""Ansible itself would skip such a run and end with 0, a rollback too."""


def test_one_role_and_one_playbook_per_verb() -> None:
    """Every verb can be had both ways, and nothing else is there but the shared settings."""
    playbooks = sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml"))
    assert playbooks == VERB_ROLES
    assert sorted([*VERB_ROLES, "settings"]) == ROLES


@pytest.mark.parametrize("role", ROLES)
def test_skeleton_is_the_same_everywhere(role: str) -> None:
    """A reader finds the same five files in every role."""
    assert [part for part in SKELETON if not (ROOT / "roles" / role / part).is_file()] == []


@pytest.mark.parametrize("role", ROLES)
def test_documented_defaults_are_the_real_ones(role: str) -> None:
    """Keys and values of argument_specs equal those of defaults, and the types fit."""
    defaults = read(ROOT / "roles" / role / "defaults/main.yml") or {}
    specs = read(ROOT / "roles" / role / "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    assert {name: option["default"] for name, option in specs.items()} == defaults
    types = {"str": str, "bool": bool, "int": int, "float": float, "list": list}
    assert [n for n, o in specs.items() if type(o["default"]) is not types[o["type"]]] == []


@pytest.mark.parametrize("role", ROLES)
def test_readme_names_every_variable_with_its_default(role: str) -> None:
    """What the README's table says is what the role does; computed defaults may be described in words."""
    text = (ROOT / "roles" / role / "README.md").read_text(encoding="utf-8")
    for name, value in (read(ROOT / "roles" / role / "defaults/main.yml") or {}).items():
        assert f"| `{name}` |" in text
        shown = str(value).lower() if isinstance(value, bool) else "empty" if value == "" else str(value)
        assert "{{" in str(value) or re.search(rf"\| `{name}` \| `?{re.escape(shown)}`? \|", text), (
            name,
            shown,
        )


@pytest.mark.parametrize("role", VERB_ROLES)
def test_verbs_share_the_settings(role: str) -> None:
    """Shared variables have one home, and no role repeats them."""
    assert read(ROOT / "roles" / role / "meta/main.yml")["dependencies"] == [
        {"role": "piquet.fleet.settings"}
    ]
    shared = read(ROOT / "roles/settings/defaults/main.yml")
    assert set(shared) & set(read(ROOT / "roles" / role / "defaults/main.yml") or {}) == set()


@pytest.mark.parametrize("role", VERB_ROLES)
def test_only_known_variables_are_used(role: str) -> None:
    """Every variable of ours in a task is a default, a registered result, or set by the task itself."""
    text = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "roles" / role / "tasks").glob("*.yml"))
    known = {
        *(read(ROOT / "roles/settings/defaults/main.yml")),
        *(read(ROOT / "roles" / role / "defaults/main.yml") or {}),
    }
    known |= {task["register"] for task in tasks_of(role) if "register" in task}
    known |= {name for task in tasks_of(role) for name in task.get("vars", {})}
    used = set(re.findall(r"\b_{0,2}piquet_\w+", text))
    assert used - known == set()
    assert used & {"piquet_python", "piquet_campaign"} != set()


@pytest.mark.parametrize("role", ROLES)
def test_every_variable_carries_the_prefix(role: str) -> None:
    """Public variables are piquet_…, registered ones __piquet_…."""
    assert [
        n for n in read(ROOT / "roles" / role / "defaults/main.yml") or {} if not n.startswith("piquet_")
    ] == []
    registered = [task["register"] for task in tasks_of(role) if "register" in task]
    assert [name for name in registered if not name.startswith("__piquet_")] == []


@pytest.mark.parametrize("role", VERB_ROLES)
def test_tasks_are_named_in_the_imperative_and_fully_qualified(role: str) -> None:
    """A run reads like a list of what is being done, and no module is found by luck."""
    tasks = list(tasks_of(role))
    assert tasks
    assert [t.get("name") for t in tasks if not CAPITALISED_IMPERATIVE.match(t.get("name", ""))] == []
    assert [module_of(task) for task in tasks if module_of(task).count(".") != 2] == []


@pytest.mark.parametrize("role", VERB_ROLES)
def test_actions_get_only_arguments_that_they_know(role: str) -> None:
    """Each call of ours fits the action's own argument list, required ones included."""
    for task in tasks_of(role):
        if not module_of(task).startswith("piquet.fleet."):
            continue
        known = ARGUMENTS[module_of(task).rpartition(".")[2]]
        given = task[module_of(task)]
        assert set(given) - set(known) == set()
        assert [n for n, a in known.items() if a.get("required") and n not in given] == []


@pytest.mark.parametrize("action", sorted(ARGUMENTS))
def test_documentation_of_an_action_is_its_argument_list(action: str) -> None:
    """What ansible-doc shows is what the action accepts: names, types, defaults, choices."""
    keys = ("type", "required", "default", "choices", "elements")
    options = read(ROOT / f"plugins/modules/{action}.yml")["DOCUMENTATION"]["options"]
    documented = {n: {k: o[k] for k in keys if k in o} for n, o in options.items()}
    assert documented == {n: dict(a) for n, a in ARGUMENTS[action].items()}
    assert (ROOT / f"plugins/actions/{action}.py").exists() or (ROOT / f"plugins/action/{action}.py").exists()


@pytest.mark.parametrize("role", sorted(HOST_VERBS))
def test_one_remote_step_per_verb(role: str) -> None:
    """No task but the agent touches a host unasked, each host gets one step; arm checks, arms, and may undo."""
    steps = [t for t in tasks_of(role) if module_of(t) == "piquet.fleet.agent"]
    others = [t for t in tasks_of(role) if module_of(t) != "piquet.fleet.agent"]
    unasked = [t for t in others if "piquet_install_python | bool" not in t.get("when", [])]
    assert [t["name"] for t in unasked if not t.get("run_once")] == []
    verbs = [t["piquet.fleet.agent"]["verb"] for t in steps]
    assert verbs == {"arm": ["arm", "arm", "rollback"], "stage": ["stage", "stage"]}.get(role, [role])


def test_canaries_stop_the_others() -> None:
    """A canary that fails ends the play for all, and no host is staged twice."""
    first, second = (t for t in tasks_of("stage") if module_of(t) == "piquet.fleet.agent")
    assert first["any_errors_fatal"] is True
    assert (first["when"], second["when"]) == (
        "inventory_hostname in __piquet_plan.canary",
        "inventory_hostname in __piquet_plan.rest",
    )
    assert first["piquet.fleet.agent"] == second["piquet.fleet.agent"]


@pytest.mark.parametrize("role", ["rollback", "remove"])
def test_ways_out_need_only_the_inventory(role: str) -> None:
    """No campaign, plan or digest; go on past a host that is down; fail at the end."""
    text = (ROOT / "roles" / role / "tasks/main.yml").read_text(encoding="utf-8")
    assert re.findall(r"piquet_(campaign|plan_digest|hosts)", text) == []
    step_task, last = tasks_of(role)
    assert step_task["ignore_unreachable"] is True and step_task["ignore_errors"] is True
    assert last["piquet.fleet.tally"].get("fail", True) is True


@pytest.mark.parametrize("verb", VERB_ROLES)
def test_playbooks_are_the_role_and_nothing_else(verb: str) -> None:
    """No facts are gathered, the hosts are chosen by one variable, an empty inventory is refused."""
    (play,) = read(ROOT / f"playbooks/{verb}.yml")
    name = play.pop("name")
    assert CAPITALISED_IMPERATIVE.match(name)
    assert play == {
        "hosts": HOSTS,
        "gather_facts": False,
        "roles": [{"role": f"piquet.fleet.{verb}"}],
    }


def test_modes_are_quoted() -> None:
    """A mode without quotes is a number in YAML, and another mode than it looks."""
    files = [p for part in ("roles", "playbooks", "inventory.example") for p in (ROOT / part).rglob("*.yml")]
    assert len(files) > len(ROLES)
    assert [str(p) for p in files if re.search(r"\bmode: *[0-9]", p.read_text(encoding="utf-8"))] == []
