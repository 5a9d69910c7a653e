"""Every command has what every command must have; a new one fails here until it does."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from typing import TYPE_CHECKING

import pytest

from cuectl.cli.frame import help as help_text
from cuectl.cli.frame import registry
from cuectl.cli.manual.markup import as_text
from cuectl.cli.manual.pages import find_page
from cuectl.values.errors import ExitStatus
from tests.cli.command_cases import CASES, MACHINERY, WITHOUT_JSON
from tests.cli.schema_check import FOLDER, assert_fits
from tests.fixtures.builder import ROOT
from tests.fixtures.forking import quick
from tests.fixtures.schedulers import StandIns

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.builder import Cuectl


NAMES = sorted(registry.COMMANDS)
TRIED = sorted(CASES)
ENDINGS = {int(one) for one in ExitStatus}

DEFINITIONS = """\
handlers:
  audit: "true"
cues:
  from-file: {cron: "0 3 * * *", task: audit}
"""
AGENTS = """\
agents: {bot: {driver: command, cmd: [cat], prompt: stdin, cwd: .}}
workflows: [flows.py]
subscriptions:
  - {name: on-deploy, event: deploy.done, agent: bot, filter: {stage: "!test"}, prompt: Look}
"""
FLOWS = """\
from cuectl.workflow import workflow

@workflow
async def done(engine, *, who: str = "you"):
    return who

@workflow
async def ask(engine):
    bot = await engine.spawn("bot")
    engine.send(bot, "hello")
    await engine.drain(bot)
    return await engine.ask_human("go on?")
"""
INSIDE = """\
cuectl --json report --success --external-id run-1
cuectl --json chain --name after -- true
"""


class Scene:
    """A state directory in which there is one of everything, and the ids in it."""

    def __init__(self, folder: Path, programs: Path) -> None:
        folder.mkdir()
        self.folder = folder
        cuectl = quick(folder, programs).at("2026-11-21T01:00:00Z")
        cuectl.files(
            {"cue.yaml": DEFINITIONS, "broken.yaml": "cues: [", "crontab.txt": "@daily x\n"}
        )
        cuectl.files({"agents.yaml": AGENTS, "flows.py": FLOWS}).run("apply", "agents.yaml")
        cuectl.env(PYTHONDONTWRITEBYTECODE="1")
        self.run = cuectl.run("--json", "workflow", "run", "done").json["id"]
        self.parked = cuectl.run("--json", "workflow", "run", "ask").json["id"]
        self.session = cuectl.run("--json", "sessions", "list", "--all").json[0]["handle"]
        self.event = cuectl.run("--json", "emit", "deploy.done").json["event"]["id"]
        cuectl.run("create", "--name", "nightly", "--cron", "0 2 * * *", "--", "sh", "-c", INSIDE)
        self.settled = self.fired(cuectl, "nightly", "--wait")
        for name, options in {
            "judged": ["--verification-mode", "manual"],
            "reporting": ["--outcome-deadline", "1h"],
        }.items():
            cuectl.run("create", "--name", name, *options, "--", "true")
        cuectl.run("create", "--name", "gone", "--", "true")
        cuectl.run("delete", "gone", "--yes")
        self.judged = self.fired(cuectl, "judged", "--wait")
        self.reporting = self.fired(cuectl, "reporting")
        cuectl.run("run-due")
        self.open = self.fired(cuectl, "nightly")
        self.out = str(folder / "none.tar.gz")

    @staticmethod
    def fired(cuectl: Cuectl, *words: str) -> str:
        found: str = cuectl.run("--json", "fire", *words).json["id"]
        return found

    def copy(self, folder: Path, programs: Path) -> Cuectl:
        """Return the program with a copy of the scene to work on."""
        cuectl = quick(folder, programs).at("2026-11-21T01:00:20Z")
        for name in ("user", "work"):
            shutil.copytree(self.folder / name, folder / name, dirs_exist_ok=True)
        return cuectl

    def words(self, text: str) -> list[str]:
        """Return the words of a case with the ids of this scene."""
        return [word.format(**vars(self)) if "{" in word and len(word) > 1 else word
                for word in shlex.split(text)]  # fmt: skip


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, programs: Path) -> Scene:
    return Scene(tmp_path_factory.mktemp("every") / "scene", programs)


@pytest.fixture
def copied(scene: Scene, tmp_path: Path, programs: Path) -> Cuectl:
    cuectl = scene.copy(tmp_path, programs)
    usual = cuectl.environment["PATH"]
    # Whether this machine has a crontab is not what is tried here.
    tools = StandIns(tmp_path / "machine", cuectl, "crontab").folder / "tools"
    return cuectl.env(PATH=f"{tools}:{usual}")


def contents(folder: Path) -> dict[str, bytes]:
    """Return what stands below a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_every_command_is_tried_here() -> None:
    assert CASES.keys() | MACHINERY == set(NAMES)
    for case in CASES.values():
        assert case.bad or case.bad_status


@pytest.mark.parametrize("name", NAMES)
def test_a_command_has_a_man_page_with_examples(name: str) -> None:
    dashed = name.replace(" ", "-")
    page = (ROOT / "man" / "man1" / f"cuectl-{dashed}.1").read_text()

    assert '\n.SH "EXAMPLES"\n' in page
    called = "cuectl" if name in MACHINERY else f"cuectl {name}"
    assert called in as_text(find_page(name)).partition("EXAMPLES")[2]


@pytest.mark.parametrize("name", [name for name in NAMES if name not in WITHOUT_JSON])
def test_a_command_has_a_schema_that_its_page_and_the_list_name(name: str) -> None:
    assert help_text.has_schema(name), f"write cuectl/schemas/{help_text.file_name(name)}"
    text = " ".join(as_text(find_page(name)).split())

    assert help_text.file_name(name) in text
    assert f"cuectl {name} {help_text.file_name(name)}. " in " ".join(
        as_text(find_page("cuectl-json")).split()
    )


def test_every_schema_is_one_and_is_used() -> None:
    from jsonschema import Draft202012Validator

    texts = {path.stem: path.read_text() for path in FOLDER.glob("*.json")}
    commands = {name.replace(" ", "-") for name in NAMES}

    for name, text in texts.items():
        Draft202012Validator.check_schema(json.loads(text))
        used = any(f'"{name}.json' in other for key, other in texts.items() if key != name)
        assert name in commands or used or name in ("error", "warning"), name


@pytest.mark.parametrize("name", [name for name in TRIED if not CASES[name].reason])
def test_a_command_answers_in_json_as_its_schema_says(
    copied: Cuectl, scene: Scene, name: str
) -> None:
    case = CASES[name]

    answer = copied.run("--json", *name.split(), *scene.words(case.good), stdin=case.stdin)

    assert answer.status == case.good_status, answer
    assert answer.stdout, "no answer at all"
    lines = (help_text.schema(name) or {}).get("x-lines")
    for one in answer.stdout.splitlines() if lines else [answer.stdout]:
        assert_fits(json.loads(one), name.replace(" ", "-"))


@pytest.mark.parametrize("name", TRIED)
def test_bad_input_gets_one_clear_line_and_changes_nothing(
    copied: Cuectl, scene: Scene, name: str
) -> None:
    case = CASES[name]
    words = [*name.split(), *scene.words(case.bad)]
    before = contents(copied.home), contents(copied.work)

    answer = copied.run(*words)

    said, nothing = answer.stderr, answer.stdout
    if case.about_input:
        said, nothing = nothing, said

    assert answer.status == case.bad_status, answer
    assert nothing == ""
    first, *rest = said.splitlines()
    assert re.fullmatch(r"(cuectl|\S+:\d+:\d+): error: .*[^.]", first), first
    assert [line.strip()[:6] for line in rest] in ([], ["hint: "]), rest
    assert (contents(copied.home), contents(copied.work)) == before

    in_json = copied.run("--json", *words)
    assert in_json.status == case.bad_status
    if not case.about_input:
        assert in_json.stdout == ""
        assert_fits(json.loads(in_json.stderr), "error")


@pytest.mark.parametrize("name", TRIED)
def test_the_statuses_of_a_command_are_documented(name: str) -> None:
    case = CASES[name]
    own = {status for status, _ in registry.load(name).exits}
    general = as_text(find_page("cuectl-exit-codes"))

    for status in {case.good_status, case.bad_status} - {0}:
        assert status in own or (status in ENDINGS and f"\n       {status} " in general)


@pytest.mark.parametrize("name", NAMES)
def test_a_command_completes_its_options(name: str) -> None:
    from click.shell_completion import ShellComplete

    from cuectl.cli.frame.click import Root

    complete = ShellComplete(Root(), {}, "cuectl", "_CUECTL_COMPLETE")
    found = {item.value for item in complete.get_completions(name.split(), "--")}
    first, _, second = name.rpartition(" ")
    words = {item.value for item in complete.get_completions(first.split(), second)}

    assert {option.name for option in registry.load(name).options} <= found
    assert {"--json", "--help"} <= found
    assert second in words or not registry.COMMANDS[name][1] or first in registry.COMMANDS


def test_a_handler_gets_json_from_its_commands(copied: Cuectl, scene: Scene) -> None:
    said = copied.run("executions", "output", scene.settled).stdout.splitlines()

    reported, chained = (json.loads(line) for line in said)
    assert_fits(reported, "report")
    assert reported["execution_id"] == scene.settled
    assert_fits(chained, "chain")
    assert chained["name"] == "after"


def test_serve_says_where_it_serves(copied: Cuectl) -> None:
    server = copied.start("--json", "serve", "--socket", "here.sock")
    try:
        assert server.stdout is not None
        answer = json.loads(server.stdout.readline())
    finally:
        server.terminate()
        server.communicate(timeout=60)

    assert_fits(answer, "serve")
    assert answer["socket"] == os.fspath(copied.work / "here.sock")
