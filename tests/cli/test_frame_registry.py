"""The registry, the commands' modules and their declarations agree."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import cuectl.cli.commands as package
from cuectl.cli.frame import registry
from cuectl.cli.frame.click import KINDS
from cuectl.cli.frame.declare import GLOBAL_OPTIONS, Argument, Command, Option

COMMANDS = sorted(registry.COMMANDS)
FILE_KINDS = {"file", "directory"}


def takes(command: Command) -> list[Option | Argument]:
    return [*command.options, *command.arguments]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_what_the_registry_says(name: str) -> None:
    command = registry.load(name)

    assert command.name == name
    assert command.summary == registry.COMMANDS[name][2]
    assert registry.COMMANDS[name][1] in (*registry.SECTIONS, "")


@pytest.mark.parametrize("name", COMMANDS)
def test_run_takes_what_is_declared(name: str) -> None:
    command = registry.load(name)
    keys = [item.key for item in takes(command)]
    keys += ["argv"] if command.argv else []

    inspect.signature(command.run).bind(None, **dict.fromkeys(keys))
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("name", COMMANDS)
def test_no_option_means_two_things(name: str) -> None:
    command = registry.load(name)
    names = [text for option in (*command.options, *GLOBAL_OPTIONS) for text in option.names]

    assert sorted(set(names)) == sorted(names)
    assert not {"-h", "--help", "--version"} & set(names)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_texts_are_phrases_without_a_full_stop(name: str) -> None:
    command = registry.load(name)
    texts = [command.summary, *(item.help for item in takes(command))]

    for text in texts:
        assert text, name
        assert text == text.strip().rstrip(".")
        assert not text[0].islower() or text.split()[0] in ("bash,",), text


@pytest.mark.parametrize("name", COMMANDS)
def test_what_completes_a_value_is_known(name: str) -> None:
    command = registry.load(name)

    wanted = {item.complete for item in takes(command) if item.complete}
    assert wanted <= KINDS.keys() | FILE_KINDS


def test_every_command_that_is_declared_is_in_the_registry() -> None:
    root = Path(package.__file__).parent
    declared = set()
    for path in root.rglob("*.py"):
        module = ".".join(path.relative_to(root).with_suffix("").parts)
        for value in vars(import_module(f"{package.__name__}.{module}")).values():
            if isinstance(value, Command):
                declared.add((module, value.name))

    assert declared == {(module, name) for name, (module, _, _) in registry.COMMANDS.items()}


def test_every_group_has_members_and_every_member_a_group_or_a_command() -> None:
    firsts = {name.split(" ")[0] for name in COMMANDS if " " in name}

    assert firsts <= registry.GROUPS.keys() | registry.COMMANDS.keys()
    assert registry.GROUPS.keys() <= firsts


def test_looking_at_every_declaration_imports_no_package_from_outside() -> None:
    code = (
        "import sys; from cuectl.cli.frame import registry\n"
        "for name in registry.COMMANDS: registry.load(name)\n"
        "print(sorted({'click', 'croniter', 'yaml', 'filelock', 'tabulate'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_every_command_has_a_help(
    name: str, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from cuectl.entry import main

    assert main([*name.split(), option]) == 0

    found = capsys.readouterr()
    assert found.out.startswith(f"Usage: cuectl {name}")
    assert found.err == ""
    assert max(map(len, found.out.splitlines())) <= 100


def test_the_help_of_the_program_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    from cuectl.entry import main

    assert main(["--help"]) == 0

    text = capsys.readouterr().out
    for name, (_, summary) in registry.top_level().items():
        assert f"  {name} " in text
        assert summary in " ".join(text.split())
