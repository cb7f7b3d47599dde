# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands that act on hosts: what they offer is what the roles say, and they are quick to explain themselves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from piquet.cli import COMMANDS, cli, exit_codes, host_variables, hosts, run_command
from piquet.cli.run_summary import ARM_CHECK
from piquet.engines import ENGINES
from piquet.protocol.verbs import HOST_VERBS
from piquet.resources import root

HEAVY = (
    "ansible",
    "ansible_runner",
    "pyinfra",
    "gevent",
    "aiohttp",
    "rich",
    "jinja2",
    "nh3",
    "tinycss2",
    "ruamel",
    "jsonschema",
)


def given(verb: str, *arguments: str) -> dict[str, Any]:
    """The roles' variables that a command line sets."""
    context = hosts.host_command(verb).make_context(verb, ["-i", "hosts.yml", *arguments])
    return hosts.variables(verb, context.params)


def test_every_verb_of_the_agent_is_a_command() -> None:
    """None is left out, and none is there that no playbook has."""
    assert set(HOST_VERBS) <= set(COMMANDS)
    assert all((root() / f"playbooks/{verb}.yml").is_file() for verb in HOST_VERBS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_each_command_says(name: str) -> None:
    """The list is kept apart so that no module is imported for it; it must not drift away."""
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    said = (command.help or "").partition("\n\n")[0].replace("\n", " ")
    assert said.startswith(COMMANDS[name].removesuffix(".")), said


@pytest.mark.parametrize("verb", HOST_VERBS)
def test_options_are_variables_of_the_roles(verb: str) -> None:
    """Each option sets a variable that the verb's role declares, and each variable of a role can be set."""
    known = host_variables.specifications(verb)
    named = {hosts.OPTIONS[option][0] for option in (*HOST_VERBS[verb].options, "workdir")}
    assert named - {""} <= known.keys()
    for name, spec in known.items():
        value = str(
            (spec.get("choices") or [spec.get("default", "")])[0]
            if spec.get("choices")
            else spec.get("default", "")
        )
        assert host_variables.parse_variables(verb, [f"{name}={value if value != '[]' else ''}"]).keys() == {
            name
        }


@pytest.mark.parametrize(
    ("verb", "arguments", "expected"),
    [
        ("status", [], {}),
        ("survey", ["--workdir", "w"], {"piquet_workdir": str(Path.cwd() / "w")}),
        ("stage", ["c.yml"], {"piquet_campaign": str(Path.cwd() / "c.yml")}),
        ("stage", ["--canary", "a", "--canary", "b"], {"piquet_canary": ["a", "b"]}),
        ("stage", ["--no-baseline"], {"piquet_baseline": False}),
        ("arm", ["--partial", "--digest", "d"], {"piquet_arm_partial": True, "piquet_plan_digest": "d"}),
        ("rehearse", ["--phase", "2"], {"piquet_rehearse_phase": 2}),
        ("rehearse", ["--end", "--digest", "d"], {"piquet_rehearse_end": True, "piquet_plan_digest": "d"}),
        ("rehearse", [], {}),
        ("arm", ["-e", "piquet_max_skew_s=1.5"], {"piquet_max_skew_s": 1.5}),
        ("status", ["-e", "piquet_become=no"], {"piquet_become": False}),
        ("stage", ["-e", "piquet_canary=a, b"], {"piquet_canary": ["a", "b"]}),
        ("status", ["-e", "piquet_hosts=all:!web7"], {"piquet_hosts": "all:!web7"}),
        ("status", ["-e", "piquet_python=/opt/a b=c"], {"piquet_python": "/opt/a b=c"}),
    ],
)
def test_the_command_line_as_variables(verb: str, arguments: list[str], expected: dict[str, Any]) -> None:
    """Only what was said is set, of the type that the role wants; the rest keeps the roles' own rules."""
    assert expected == given(verb, *arguments)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-e", "piquet_become"], "expected NAME=VALUE"),
        (["-e", "piquet_becom=no"], "did you mean piquet_become?"),
        (["-e", "ansible_user=root"], "status has no such variable"),
        (["-e", "piquet_arm_partial=true"], "status has no such variable"),
        (["-e", "piquet_become=perhaps"], "expected a value of type bool"),
        (["--workdir", "a", "-e", "piquet_workdir=b"], "given twice: piquet_workdir"),
    ],
)
def test_what_no_role_knows_is_refused(arguments: list[str], said: str) -> None:
    """A typing mistake never reaches a host."""
    with pytest.raises(click.UsageError) as caught:
        given("status", *arguments)
    assert said in str(caught.value)


def test_the_step_that_arms_nobody_has_its_name_in_the_role() -> None:
    """The one name of a step that the command line relies on."""
    assert f"- name: {ARM_CHECK}\n" in (root() / "roles/arm/tasks/main.yml").read_text("utf-8")


def test_exit_codes_are_one_table() -> None:
    """The page holds the table of the module, `--help` its short form, and every constant is in it."""
    assert exit_codes.exit_code_table() in (root() / "docs/exit-codes.md").read_text("utf-8")
    listed = {int(code) for code, _ in exit_codes.rows()}
    assert listed == {
        value for name, value in vars(exit_codes).items() if name.isupper() and isinstance(value, int)
    }


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"_PIQUET_COMPLETE": "bash_complete", "COMP_WORDS": "piquet ro", "COMP_CWORD": "1"},
        {"_PIQUET_COMPLETE": "bash_complete", "COMP_WORDS": "piquet arm --engine ", "COMP_CWORD": "3"},
    ],
)
def test_help_and_completion_import_nothing_heavy(environment: dict[str, str]) -> None:
    """A shell waits for them at every key."""
    code = (
        "import sys\nfrom piquet.cli import run_command\ntry: run_command(['--help'])\nexcept SystemExit: pass\n"
        f"sys.exit(', '.join(sorted(set(sys.modules) & set({HEAVY!r}))) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def completed(words: str, number: int) -> list[str]:
    """What a shell is offered."""
    environment = {"_PIQUET_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(number)}
    done = subprocess.run(
        [sys.executable, "-m", "piquet"], env=environment, capture_output=True, text=True, check=False
    )
    return done.stdout.split()


def test_completion_knows_verbs_engines_and_files() -> None:
    """Verbs by their beginning, engines by name, files where an inventory is wanted."""
    assert completed("piquet ro", 1) == ["plain,rollback"]
    assert completed("piquet ", 1) == [f"plain,{name}" for name in COMMANDS]
    assert completed("piquet arm --engine ", 3) == [f"plain,{engine}" for engine in ENGINES]
    assert completed("piquet arm -i ho", 3) == ["file,ho"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It calls piquet with the variable that click looks for."""
    assert run_command(["completion", shell]) == 0
    assert f"_PIQUET_COMPLETE={shell}_complete" in capsys.readouterr().out
