"""`graph`: three forms of what starts what."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl

START = "2026-11-21T02:00:00Z"
DEFINITIONS = """\
agents:
  linter: {driver: command, cmd: ["true"], cwd: .}
  fixer: {driver: command, cmd: ["true"], cwd: .}
cues:
  nightly: {cron: "0 2 * * *", command: [echo, "a \\"quoted\\" <b>"]}
subscriptions:
  - {name: lint, event: file.changed, watch: "src/**/*.py", agent: linter, prompt: x}
  - {name: fix, event: agent.completed, source_session: linter, agent: fixer, prompt: y}
  - {name: again, event: agent.completed, source_session: fixer, agent: linter, prompt: z}
"""


def scene(cuectl: Cuectl) -> None:
    cuectl.at(START).files({"cue.yaml": DEFINITIONS})
    assert cuectl.run("apply", "cue.yaml").status == 0


def edges(cuectl: Cuectl, *words: str) -> set[tuple[str, str, bool]]:
    found = cuectl.json("graph", *words)
    labels = {node["id"]: node["label"] for node in found["nodes"]}
    return {(labels[e["source"]], labels[e["target"]], e["dashed"]) for e in found["edges"]}


def test_events_start_cues_and_cues_start_work(cuectl: Cuectl) -> None:
    scene(cuectl)

    assert edges(cuectl) == {
        ("0 2 * * *", "nightly", False),
        ("nightly", "echo 'a \"quoted\" <b>'", False),
        ("file.changed src/**/*.py", "lint", False),
        ("lint", "agent linter", False),
        ("agent linter", "fix", False),
        ("fix", "agent fixer", False),
        ("agent fixer", "again", False),
        ("again", "agent linter", False),
    }


def test_the_drawing_is_xml_with_every_label_as_text(cuectl: Cuectl) -> None:
    scene(cuectl)

    root = ElementTree.fromstring(cuectl.run("graph", "--format", "svg").stdout)

    texts = [one.text for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "echo 'a \"quoted\" <b>'" in texts
    assert "agent fixer" in texts
    assert not list(root.iter("{http://www.w3.org/2000/svg}script"))


def test_mermaid_and_dot_escape_what_they_would_read(cuectl: Cuectl) -> None:
    scene(cuectl)

    mermaid = cuectl.run("graph", "--format", "mermaid").stdout
    assert mermaid.startswith("flowchart LR\n")
    assert "#60;b#62;" in mermaid
    assert "<" not in mermaid.replace("-->", "")
    dot = cuectl.run("graph").stdout
    assert '\\"quoted\\"' in dot
    for line in dot.splitlines()[3:-1]:
        assert re.fullmatch(r'  n\d+ (\[label=".*" .*\]|-> n\d+( \[.*\])?);', line), line


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_graphviz_reads_it(cuectl: Cuectl) -> None:
    scene(cuectl)
    text = cuectl.run("graph").stdout
    done = subprocess.run(["dot", "-Tsvg"], input=text, capture_output=True, text=True, check=True)
    assert "agent linter" in done.stdout
    assert done.stderr == ""


def test_what_was_chained_is_dashed_and_a_chain_has_its_results(cuectl: Cuectl) -> None:
    cuectl.at(START)
    chained = ("good -- true", "bad -- false", "later --in 1d -- true")
    script = "; ".join(f"cuectl chain --name {one}" for one in chained)
    cuectl.run("create", "--name", "first", "--", "sh", "-c", script)
    root = cuectl.json("fire", "first")["id"]
    cuectl.run("run-due")
    cuectl.at("2026-11-21T02:01:00Z").run("run-due")

    assert {("first", "good", True), ("first", "bad", True)} <= edges(cuectl)
    found = cuectl.json("graph", "--chain", root)
    kinds = {node["label"]: node["kind"] for node in found["nodes"]}
    assert kinds == {
        "first: reported_success": "good",
        "good: reported_success": "good",
        "bad: reported_failure": "bad",
        "later (not yet)": "open",
    }


def test_a_home_without_cues_has_an_empty_drawing(cuectl: Cuectl) -> None:
    answer = cuectl.run("graph", "--format", "svg")

    assert answer.status == 0
    assert answer.stderr == "no cue starts anything yet; make one with: cuectl create\n"
    ElementTree.fromstring(answer.stdout)
