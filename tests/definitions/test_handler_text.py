from __future__ import annotations

import pytest

from cuectl.definitions.rules.templates import (
    BadTemplate,
    UnsetName,
    argument_list,
    environment_value,
    expand_environment,
    payload_text,
    plain_text,
    shell_command,
)
from cuectl.values.errors import ExitStatus

PAYLOAD: dict[str, object] = {
    "user": "ann",
    "n": 3,
    "f": 1.5,
    "yes": True,
    "none": None,
    "list": [1, "b"],
    "deep": {"er": {"x-1": "found"}, "n": {"0": "zero"}},
    "payload": {"user": "inner"},
    "sly": "${HOME} {{ user }} $$",
}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("user", "ann"),
        ("payload.user", "ann"),
        ("payload.payload.user", "inner"),
        ("n", "3"),
        ("f", "1.5"),
        ("yes", "True"),
        ("none", ""),
        ("missing", ""),
        ("user.x", ""),
        ("missing.x.y", ""),
        ("deep.er.x-1", "found"),
        ("deep.n.0", "zero"),
        ("list", "[1, 'b']"),
        ("list.0", ""),
        ("deep.n", "{'0': 'zero'}"),
    ],
)
def test_a_path_walks_through_objects(path: str, text: str) -> None:
    assert payload_text(PAYLOAD, path) == text


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ payload.user }}", "ann"),
        ("{{user}}-{{  n\t}}", "ann-3"),
        ("a{{ missing }}b", "ab"),
        ("{{ sly }}", "${HOME} {{ user }} $$"),
        ("{ { user } }", "{ { user } }"),
        ("{{ user", "{{ user"),
        ("{{.Names}} {{json .}} {{ }}", "{{.Names}} {{json .}} {{ }}"),
        ("{{{ user }}}", "{ann}"),
        ("$HOME", "$HOME"),
    ],
)
def test_a_value_is_put_in_once(template: str, text: str) -> None:
    assert plain_text(template, PAYLOAD) == text


def test_an_argument_stays_one_element_whatever_it_contains() -> None:
    payload: dict[str, object] = {"x": "a b'; touch pwned; $(id)\n"}

    assert argument_list(["run", "--x={{ x }}", "{{ x }}", "y"], payload) == [
        "run",
        f"--x={payload['x']}",
        payload["x"],
        "y",
    ]


@pytest.mark.parametrize(
    "shell",
    [
        ["sh", "-c"],
        ["/bin/bash", "-euo", "pipefail", "-c"],
        ["bash", "--rcfile", "f", "--norc", "-lc"],
        ["timeout", "60", "bash", "-o", "errexit", "-c"],
        ["zsh", "+o", "x", "-c", "--"],
    ],
)
def test_the_script_of_a_shell_is_filled_in_as_a_shell_command(shell: list[str]) -> None:
    filled = argument_list([*shell, "echo {{ x }}", "{{ x }}"], {"x": "a; b"})

    assert filled == [*shell, "_cue_1='a; b'; echo \"${_cue_1}\"", "a; b"]


@pytest.mark.parametrize(
    "command", [["sh", "script.sh", "-c", "{{ x }}"], ["grep", "-c", "{{ x }}"], ["sh", "{{ x }}"]]
)
def test_other_elements_are_no_scripts(command: list[str]) -> None:
    assert argument_list(command, {"x": "a; b"})[-1] == "a; b"


def test_a_command_without_templates_is_not_touched() -> None:
    command = 'python3 audit.py "$(date)" `x` <<E\n$((1))\nE'

    assert shell_command(command, PAYLOAD) is command
    assert argument_list(["sh", "-c", command], PAYLOAD) == ["sh", "-c", command]
    assert argument_list([], PAYLOAD) == []


ENVIRONMENT = {"HOME": "/home/ann", "EMPTY": "", "SLY": "${HOME} {{ user }} $$", "_a1": "b"}


@pytest.mark.parametrize(
    ("value", "expanded"),
    [
        ("${HOME}", "/home/ann"),
        ("<${HOME}:${_a1}>", "</home/ann:b>"),
        ("$HOME $ a$", "$HOME $ a$"),
        ("$$", "$"),
        ("$${HOME}", "${HOME}"),
        ("$$${HOME}", "$/home/ann"),
        ("${SLY}", "${HOME} {{ user }} $$"),
        ("${EMPTY}", ""),
        ("${EMPTY:-x}", "x"),
        ("${NOT:-x y:-z}", "x y:-z"),
        ("${NOT:-}", ""),
        ("${NOT:-$HOME}", "$HOME"),
        ("${HOME:-x}", "/home/ann"),
        ("", ""),
    ],
)
def test_names_are_expanded_once(value: str, expanded: str) -> None:
    assert expand_environment(value, ENVIRONMENT.get) == expanded
    assert environment_value(value, PAYLOAD, ENVIRONMENT.get) == expanded


@pytest.mark.parametrize("value", ["${NOT}", "a ${HOME} ${NOT} ${ALSO}", "{{ user }}${NOT}"])
def test_a_name_that_is_not_set_is_named(value: str) -> None:
    with pytest.raises(UnsetName) as caught:
        environment_value(value, PAYLOAD, ENVIRONMENT.get)

    assert caught.value.name == "NOT"
    assert caught.value.message == "environment variable 'NOT' is not set"
    assert caught.value.hint == "set it in ~/.cue/env, or give a default: ${NOT:-value}"


@pytest.mark.parametrize(
    "value", ["${}", "${1}", "${a b}", "${HOME", "${HOME-x}", "${HOME:+x}", "${A:-${HOME}}", "${é}"]
)
def test_what_only_looks_like_a_name_is_refused(value: str) -> None:
    for template in (value, f"{value} {{{{ user }}}}"):
        with pytest.raises(BadTemplate, match="does not name a variable"):
            environment_value(template, PAYLOAD, ENVIRONMENT.get)


def test_neither_kind_of_value_is_expanded_by_the_other() -> None:
    value = environment_value("${SLY}|{{ sly }}|$${x}", PAYLOAD, ENVIRONMENT.get)

    assert value == "${HOME} {{ user }} $$|${HOME} {{ user }} $$|${x}"


def test_a_value_that_no_process_can_be_given_is_refused() -> None:
    for value, why in (("a\0b", "contains a NUL character"), ("\ud800", "is not UTF-8")):
        payload: dict[str, object] = {"x": value}
        for fill in (
            lambda p: plain_text("{{ x }}", p),
            lambda p: shell_command("echo {{ x }}", p),
            lambda p: argument_list(["{{ x }}"], p),
            lambda p: environment_value("{{ x }}", p, ENVIRONMENT.get),
        ):
            with pytest.raises(BadTemplate) as caught:
                fill(payload)
            assert caught.value.message == f"value of 'x' {why}"
            assert caught.value.exit_status is ExitStatus.INVALID
