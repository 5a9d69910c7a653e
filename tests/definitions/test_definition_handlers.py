from __future__ import annotations

import pytest

from cuectl.definitions.rules.definitions import Handler
from tests.definitions.definition_texts import errors, hint_of, load


def handler(text: str) -> Handler:
    return load(f"handlers:\n  a: {text}\n").handlers["a"]


def test_the_short_form_is_a_command_line() -> None:
    assert handler('"sh tidy.sh"') == Handler(name="a", shell="sh tidy.sh", cwd="/srv/shop")


def test_a_text_runs_in_sh_and_a_list_without() -> None:
    assert handler("{cmd: x | y}").shell == "x | y"
    assert handler("{cmd: x | y}").argv == ()
    assert handler("{cmd: [chmod, 0644, 5, true, '']}").argv == ("chmod", "0644", "5", "true", "")
    assert handler("{cmd: [x]}").shell is None
    assert handler("{cmd: x, shell: true}").shell == "x"
    assert handler("{cmd: [x], shell: false}").argv == ("x",)


def test_without_a_shell_a_text_is_split_into_words() -> None:
    assert handler("{cmd: \"git commit -m 'two words'\", shell: false}").argv == (
        *("git", "commit", "-m", "two words"),
    )


def test_a_template_stays_whole_when_a_text_is_split() -> None:
    text = "{cmd: 'x --to={{ payload.a }} {{payload.b}} \"{{ c }} d\"', shell: false}"

    assert handler(text).argv == ("x", "--to={{ payload.a }}", "{{payload.b}}", "{{ c }} d")


@pytest.mark.parametrize(
    ("timeout", "seconds"),
    [
        ("3600", 3600),
        ("0.5", 0.5),
        ('"60"', 60),
        ("60s", 60),
        ("30m", 1800),
        ("2h", 7200),
        ("1d", 86_400),
        ("1h30m", 5400),
    ],
)
def test_a_timeout_is_a_number_of_seconds_or_a_span(timeout: str, seconds: float) -> None:
    assert handler(f"{{cmd: x, timeout: {timeout}}}").timeout_s == seconds


def test_values_of_variables_are_texts_as_they_are_written() -> None:
    env = handler("{cmd: x, env: {A: 1.10, B: true, C: 0644, D: '', E: null, F: on}}").env

    assert env == {"A": "1.10", "B": "true", "C": "0644", "D": "", "E": "", "F": "on"}


@pytest.mark.parametrize(
    ("cwd", "directory"),
    [
        (".", "/srv/shop"),
        ("sub/dir", "/srv/shop/sub/dir"),
        ("../other", "/srv/other"),
        ("/opt/x", "/opt/x"),
        ("~", "~"),
        ("~/src", "~/src"),
        ("~ana/src", "~ana/src"),
    ],
)
def test_a_directory_is_relative_to_the_file(cwd: str, directory: str) -> None:
    assert handler(f"{{cmd: x, cwd: {cwd}}}").cwd == directory


def test_a_payload_file_can_be_asked_for() -> None:
    assert handler("{cmd: x, payload_file: true}").payload_file
    assert not handler("{cmd: x}").payload_file


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("5", "2:6: handler 'a' must be a command or a mapping with 'cmd'"),
        ("[x]", "2:6: handler 'a' must be a command or a mapping with 'cmd'"),
        ('""', "2:6: 'cmd' in handler 'a' is empty"),
        ("{}", "2:6: handler 'a' has no 'cmd'"),
        ("{timeout: 5}", "2:6: handler 'a' has no 'cmd'"),
        ("{cmd: }", "2:7: 'cmd' in handler 'a' has no value"),
        ("{cmd: 5}", "2:12: 'cmd' in handler 'a' must be a text or a list, not 5"),
        ("{cmd: {a: b}}", "2:12: 'cmd' in handler 'a' must be a text or a list, not a mapping"),
        ("{cmd: []}", "2:12: 'cmd' in handler 'a' names no program"),
        ("{cmd: ['']}", "2:12: 'cmd' in handler 'a' names no program"),
        ("{cmd: [x, [y]]}", "2:16: an item of 'cmd' in handler 'a' must be text, not a list"),
        ("{cmd: x, comand: y}", "2:15: unknown key 'comand' in handler 'a'"),
        ("{cmd: x, shell: bash}", "2:22: 'shell' in handler 'a' must be true or false, not 'bash'"),
        (
            "{cmd: [x], shell: true}",
            "2:24: 'shell' in handler 'a' is true, but 'cmd' is a list, which runs without a shell",
        ),
        (
            '{cmd: "x \'y", shell: false}',
            "2:12: 'cmd' in handler 'a' cannot be split into words: no closing quotation",
        ),
        ("{cmd: x, timeout: 0}", "2:24: 'timeout' in handler 'a' must be more than nothing"),
        ("{cmd: x, timeout: -5}", "2:24: 'timeout' in handler 'a': '-5' is not a span of time"),
        ("{cmd: x, timeout: 5x}", "2:24: 'timeout' in handler 'a': '5x' is not a span of time"),
        ("{cmd: x, timeout: .inf}", "2:24: 'timeout' in handler 'a': '.inf' is not a span of time"),
        (
            "{cmd: x, timeout: [5]}",
            "2:24: 'timeout' in handler 'a' must be a duration such as 90s or 30m, not a list",
        ),
        ("{cmd: x, env: [A=1]}", "2:20: 'env' in handler 'a' must be a mapping, not a list"),
        ("{cmd: x, env: {A: [1]}}", "2:24: 'A' in 'env' of handler 'a' must be a text, not a list"),
        (
            "{cmd: x, env: {A-B: 1}}",
            "2:21: 'A-B' in 'env' of handler 'a' is not the name of a variable",
        ),
        (
            "{cmd: x, env: {'': 1}}",
            "2:21: '' in 'env' of handler 'a' is not the name of a variable",
        ),
        (
            '{cmd: x, env: {A: "${1}"}}',
            "2:24: 'A' in 'env' of handler 'a': '${1}' does not name a variable",
        ),
        ("{cmd: x, cwd: 5}", "2:20: 'cwd' in handler 'a' must be text, not 5"),
        ("{cmd: x, cwd: ''}", "2:20: 'cwd' in handler 'a' is empty"),
        (
            "{cmd: x, payload_file: yes}",
            "2:29: 'payload_file' in handler 'a' must be true or false, not 'yes'",
        ),
    ],
)
def test_what_is_wrong_in_a_handler_is_said_at_its_place(text: str, message: str) -> None:
    assert errors(f"handlers:\n  a: {text}\n") == [message]


def test_a_template_where_no_value_is_safe_is_refused() -> None:
    text = "handlers:\n  a: {cmd: 'echo $(( {{ payload.x }} ))'}\n"

    place = "2:12: 'cmd' in handler 'a': "
    assert errors(text) == [
        f"{place}template '{{{{ payload.x }}}}' stands inside an arithmetic expression"
    ]


def test_a_script_inside_a_list_is_looked_at_too() -> None:
    text = "handlers:\n  a: {cmd: [sh, -c, 'echo $(( {{ payload.x }} ))']}\n"

    assert errors(text)[0].startswith("2:12: 'cmd' in handler 'a': template '{{ payload.x }}'")


def test_what_people_try_gets_a_way_out() -> None:
    assert hint_of("handlers: {a: {cmd: x, command: y}}\n") == "did you mean 'cmd'?"
    assert hint_of("handlers: {a: {cmd: x, user: root}}\n") == (
        "cuectl runs handlers as the user who runs cuectl"
    )
    assert hint_of("handlers: {a: {cmd: x, retries: 2}}\n") == (
        "it belongs to the cue: retry: {max_attempts: 3}"
    )
    assert hint_of("handlers: {a: {}}\n") == "say what to run: cmd: python3 audit.py"
    assert hint_of("handlers: {a: {cmd: x, cwd: 5}}\n") == "put it in quotes"
