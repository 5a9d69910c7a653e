"""The manual is complete, up to date, well formed, and its examples are command lines."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import cuectl
from cuectl.cli.frame import registry
from cuectl.cli.frame.click import parse_by_click
from cuectl.cli.frame.declare import GLOBAL_OPTIONS
from cuectl.cli.frame.parse import settings_of, values_of
from cuectl.cli.manual.__main__ import main
from cuectl.cli.manual.markup import Code, Heading, as_roff, as_text
from cuectl.cli.manual.pages import all_pages, find_page, sections_of
from cuectl.values.errors import CuectlError, ExitStatus
from tests.fixtures.builder import ROOT

if TYPE_CHECKING:
    from cuectl.cli.manual.markup import Page

PACKAGE = Path(cuectl.__file__).parent
PAGES = {page.file: page for page in all_pages()}
REQUIRED = [
    *("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "ENVIRONMENT", "FILES"),
    *("EXAMPLES", "SEE ALSO"),
]
ORDER = [
    *("NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "OPTIONS", "EXIT STATUS", "ENVIRONMENT"),
    *("FILES", "NOTES", "EXAMPLES", "SEE ALSO"),
]
GROFF = shutil.which("groff")
MANDOC = shutil.which("mandoc")


@cache
def text_of(name: str) -> str:
    return as_text(PAGES[name])


def headings(page: Page) -> list[str]:
    return [b.text for b in page.blocks if isinstance(b, Heading) and b.level == 1]


def test_the_pages_in_man_are_those_of_the_sources(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check", str(ROOT / "man")]) == 0, capsys.readouterr().err


def test_a_stale_page_is_noticed_and_written_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path)]) == 0
    (tmp_path / "man1" / "cuectl.1").write_text("old")
    (tmp_path / "gone.1").write_text("")

    assert main(["--check", str(tmp_path)]) == 1
    assert capsys.readouterr().err == (
        f"{tmp_path}/man1/cuectl.1 is stale; run: python -m cuectl.cli.manual\n"
        f"{tmp_path}/gone.1 is stale; run: python -m cuectl.cli.manual\n"
    )

    assert main([str(tmp_path)]) == 0
    assert main(["--check", str(tmp_path)]) == 0


@pytest.mark.skipif(GROFF is None, reason="groff is not installed")
@pytest.mark.parametrize("name", PAGES)
def test_groff_has_nothing_to_warn_about(name: str) -> None:
    done = subprocess.run(
        ["groff", "-ww", "-man", "-Tutf8"],
        input=as_roff(PAGES[name]).encode("ascii"),
        capture_output=True,
        check=True,
    )

    assert done.stderr == b""
    assert len(done.stdout) > 200


@pytest.mark.skipif(MANDOC is None, reason="mandoc is not installed")
def test_mandoc_has_nothing_to_warn_about() -> None:
    pages = [str(ROOT / "man" / page.path) for page in PAGES.values()]
    done = subprocess.run(
        ["mandoc", "-Tlint", "-Wwarning", *pages], capture_output=True, text=True, check=False
    )

    assert done.stdout + done.stderr == ""
    assert done.returncode == 0


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_its_sections_in_the_usual_order(name: str) -> None:
    found = headings(PAGES[name])

    assert found[0] == "NAME"
    assert found[-1] == "SEE ALSO"
    assert len(set(found)) == len(found)
    if PAGES[name].section == 1:
        places = [ORDER.index(title) for title in found]
        assert places == sorted(places)


@pytest.mark.parametrize("name", sorted(registry.COMMANDS))
def test_the_page_of_a_command_says_everything(name: str) -> None:
    page, command = find_page(name), registry.load(name)
    text = as_text(page)

    assert [title for title in REQUIRED if title not in headings(page)] == []
    for option in command.options:
        assert all(re.search(rf"(?<![\w-]){re.escape(n)}(?![\w-])", text) for n in option.names)
    for status, meaning in command.exits:
        assert f"\n       {status}\n" in text
        assert meaning.split()[0] in text


def test_every_command_and_every_global_option_is_on_the_main_page() -> None:
    text = text_of("cuectl.1")

    for name in registry.top_level():
        assert f"cuectl-{name}(1)" in text
    for option in GLOBAL_OPTIONS:
        assert all(f" {name}" in text for name in option.names)


def test_every_exit_status_and_every_code_is_explained() -> None:
    text = text_of("cuectl-exit-codes.7")
    kinds = [CuectlError]
    for kind in kinds:
        kinds += kind.__subclasses__()

    for status in ExitStatus:
        assert re.search(rf"^       {int(status)}( |$)", text, re.MULTILINE), status
    for code in {kind.code for kind in kinds} | set(_class_codes()):
        assert re.search(rf"\b{code}\b", text), code


def _class_codes() -> list[str]:
    pattern = re.compile(r'^    code = "(\w+)"$', re.MULTILINE)
    return [code for path in PACKAGE.rglob("*.py") for code in pattern.findall(path.read_text())]


VARIABLE = re.compile(r"_?(?:CUECTL|CUEAPI|CUE)_[A-Z][A-Z_]*[A-Z]")
# Parts that get a prefix in `executions/targets.py`.
TWINS = {"CUE_ID", "CUE_NAME"}
# Beginnings of names that end with the name of an agent.
BEGINNINGS = {"CUE_OUTPUT", "CUE_FORWARDED"}


def test_every_variable_is_explained() -> None:
    manual = "\n".join(text_of(name) for name in PAGES)
    found: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.update(VARIABLE.findall(node.value))

    missing = {name for name in found - TWINS - BEGINNINGS if not re.search(rf"\b{name}\b", manual)}
    assert not missing
    for twin in ("EXECUTION_ID", "CUE_ID", "CUE_NAME", "WORKER_ID", "PAYLOAD", "OUTCOME_FILE"):
        assert f"CUEAPI_{twin}, CUE_{twin}" in text_of("cuectl-handlers.7")


REFERENCE = re.compile(r"\b(cuectl(?:-[a-z-]+)?|cue\.yaml)\((\d)\)")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_refers_to_pages_that_are_there(name: str) -> None:
    found = {f"{page}.{section}" for page, section in REFERENCE.findall(text_of(name))}

    assert found - PAGES.keys() == set()


BEFORE = re.compile(r"^(\$ )?([A-Z_]+=(\S*|'[^']*') +)*")
# A pass starts it with a socket that only it has.
NOT_FOR_PEOPLE = {"cuectl-pass-api.1"}


def lines_of(page: Page) -> list[tuple[bool, str]]:
    """Return the command lines in the code of a page, and whether each is its synopsis."""
    found, title = [], ""
    for block in page.blocks:
        if isinstance(block, Heading) and block.level == 1:
            title = block.text
        elif isinstance(block, Code):
            whole = "\n".join(block.lines).replace("\\\n", " ")
            lines = (BEFORE.sub("", line.strip()) for line in whole.splitlines())
            found += [(title == "SYNOPSIS", one) for one in lines if one.startswith("cuectl ")]
    return found


LINES = [(name, is_synopsis, line) for name in PAGES for is_synopsis, line in lines_of(PAGES[name])]
EXAMPLES = [(name, line) for name, is_synopsis, line in LINES if not is_synopsis]
SYNOPSES = {name: line for name, is_synopsis, line in LINES if is_synopsis}


OF_COMMANDS = {f"cuectl-{name.replace(' ', '-')}.1" for name in registry.COMMANDS}


def test_every_command_has_one_synopsis_and_an_example() -> None:
    assert len(SYNOPSES) + len(EXAMPLES) == len(LINES)
    assert OF_COMMANDS - SYNOPSES.keys() == set()
    assert OF_COMMANDS - {name for name, _ in EXAMPLES} == NOT_FOR_PEOPLE
    groups = {SYNOPSES[name] for name in SYNOPSES.keys() - OF_COMMANDS}
    assert [line for line in groups if not line.endswith(" COMMAND ...")] == []


@pytest.mark.parametrize("name", sorted(OF_COMMANDS))
@pytest.mark.parametrize("whole", [False, True])
def test_a_synopsis_is_what_the_command_takes(name: str, *, whole: bool) -> None:
    """With all that is optional and without any of it."""
    line = SYNOPSES[name].replace("[OPTIONS]", "").replace("...", "")
    words = re.sub(r"[][]", "", line) if whole else re.sub(r"\[.*?\]", "", line)

    found = parse_by_click(words.split()[1:])

    assert not isinstance(found, int)


@pytest.mark.parametrize(("name", "line"), EXAMPLES)
def test_an_example_is_a_command_line(name: str, line: str) -> None:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    for word in lexer:
        if word in ("|", "||", "&&", ";", ">", ">>", "<", "&"):
            break
        words.append(word)

    found = parse_by_click(words[1:])

    if isinstance(found, int):
        # `--help` and `--version` have answered already.
        assert (found, {"--help", "--version"} & set(words) != set()) == (0, True), line
        return
    command, raw = found
    settings_of(command, raw)
    values_of(command, raw)


def test_every_source_belongs_to_a_page() -> None:
    folder = PACKAGE / "cli" / "manual" / "sections"
    known = {name.replace(" ", "-") for name in registry.COMMANDS} | {"cuectl"}

    assert {path.stem for path in folder.glob("*.md")} <= known
    for path in folder.glob("*.md"):
        titles = set(sections_of(path.stem))
        assert titles <= set(ORDER), path


@pytest.mark.parametrize("name", PAGES)
def test_lines_of_the_text_fit_a_terminal(name: str) -> None:
    code = {
        f"{' ' * 11}{line}".rstrip()
        for block in PAGES[name].blocks
        if isinstance(block, Code)
        for line in block.lines
    }
    for line in text_of(name).splitlines():
        assert len(line) <= 80 or line in code, line
