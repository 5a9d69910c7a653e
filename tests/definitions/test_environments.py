from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.definitions.checks import check_definitions
from cuectl.definitions.rules.files import from_record, to_record

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl

TEXT = """\
environments:
  crontab: {PATH: "/opt/bin:/usr/bin:/bin", WHO: ana, VERSION: 3.10, HERE: "${HOME}/x"}
handlers:
  told: {cmd: 'echo "$WHO $VERSION"', env: {WHO: "{{ payload.who }}"}}
cues:
  plain: {shell: 'echo "$WHO $VERSION $PATH $HERE"', environment: crontab}
  own: {shell: 'echo "$WHO $VERSION"', environment: crontab, env: {WHO: bob}}
  task: {task: told, environment: crontab, payload: {who: cleo}}
  free: {shell: 'echo "${WHO:-nobody}"'}
"""


def output(cuectl: Cuectl, name: str) -> str:
    assert cuectl.run("fire", name, "--wait").status == 0
    return cuectl.run(
        "executions", "output", cuectl.json("get", name)["executions"][0]["id"]
    ).stdout


def test_a_cue_gets_the_variables_that_it_names_and_its_own_count_more(cuectl: Cuectl) -> None:
    cuectl.files({"cue.yaml": TEXT})
    assert cuectl.run("apply", "cue.yaml").status == 0
    home = cuectl.environment["HOME"]
    path = "/opt/bin:/usr/bin:/bin"
    assert output(cuectl, "plain").startswith(f"ana 3.10 {path}")
    assert output(cuectl, "plain").rstrip().endswith(f" {home}/x")
    assert output(cuectl, "own") == "bob 3.10\n"
    assert output(cuectl, "task") == "cleo 3.10\n"
    assert output(cuectl, "free") == "nobody\n"
    # A change counts for all that name it, without a change of theirs.
    cuectl.files({"cue.yaml": TEXT.replace("WHO: ana", "WHO: eve")})
    assert cuectl.run("apply", "cue.yaml").status == 0
    assert output(cuectl, "plain").startswith("eve 3.10 ")


def test_one_that_is_not_defined_is_told_and_fails_the_run(cuectl: Cuectl) -> None:
    made = cuectl.run("create", "--name", "a", "--environment", "crontab", "--shell", "true")
    assert "no environment 'crontab' is defined yet" in made.stderr
    assert cuectl.run("fire", "a", "--wait").status == 3
    assert "no environment 'crontab' is defined" in cuectl.run("executions", "list").stdout
    cuectl.files({"cue.yaml": "environments: {crontab: {A: b}}\n"})
    assert cuectl.run("apply", "cue.yaml").status == 0
    assert cuectl.run("fire", "a", "--wait").status == 0
    assert cuectl.run("update", "a", "--shell", "false").status == 0
    assert cuectl.json("get", "a")["target"]["environment"] == "crontab"


def test_what_is_wrong_with_an_environment_is_said_at_its_place() -> None:
    text = "environments: {a: {1x: b, C: [d]}, e: f}\ncues: {g: {shell: h, environment: i}}\n"
    definitions, problems = check_definitions(text, "cue.yaml")
    assert definitions is None
    assert [one.text for one in problems] == [
        "cue.yaml:1:20: error: '1x' in 'env' of environment 'a' is not the name of a variable",
        "cue.yaml:1:30: error: 'C' in 'env' of environment 'a' must be a text, not a list",
        "cue.yaml:1:39: error: environment 'e' must be a mapping, not 'f'",
        "cue.yaml:2:35: warning: no environment 'i' is defined",
    ]


def test_environments_and_no_time_limit_outlive_their_record() -> None:
    text = "environments: {a: {B: c}}\ncues: {d: {shell: e, environment: a, timeout: none}}\n"
    definitions, problems = check_definitions(text, "cue.yaml")
    assert (definitions is not None, problems) == (True, [])
    assert definitions is not None
    record = to_record(definitions)
    assert record["cues"]["d"]["policy"]["timeout_s"] == "none"
    assert from_record(record) == definitions
