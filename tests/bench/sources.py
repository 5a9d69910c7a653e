"""Event sources that have nothing new: a large tree, and many small ones in one pass."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from cuectl.events.sources.file_changed import poll
from cuectl.events.sources.registry import PollRequest
from cuectl.process.runtime import monotonic_s
from tests.bench.table import Line, count_line, floor_line, ratio_line, title
from tests.bench.timing import Candidate, Sample, against, measure, run_here

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.events.rules.event import Seen
    from tests.bench.scene import Scene

TREE_BAR = 2.0
PASS_BAR = 4.0
_IN_A_DIRECTORY = 100
_SOURCES = 50
_LONG_AGO_S = 1_700_000_000


def measure_sources(scene: Scene) -> list[Line]:
    """Measure one look at a large tree, and a pass over many sources with nothing new."""
    return [*_measure_tree(scene), *_measure_pass(scene)]


def make_tree(root: str, files: int) -> None:
    """Make a tree of files that nobody has touched for years."""
    for number in range(files):
        directory = number // _IN_A_DIRECTORY
        folder = f"{root}/{directory // 20}/{directory}"
        if number % _IN_A_DIRECTORY == 0:
            os.makedirs(folder)
        path = f"{folder}/module_{number}.ts"
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
        os.utime(path, (_LONG_AGO_S, _LONG_AGO_S))


def bare_walk(root: str) -> int:
    """Walk over a tree with scandir and stat and do nothing else: the floor."""
    count, stack = 0, [root]
    while stack:
        with os.scandir(stack.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    stack.append(entry.path)
                else:
                    entry.stat()
                    count += 1
    return count


def look(root: str, memory: dict[str, object] | None, watch: str = "**/*.ts") -> Seen:
    """Look at a tree as a pass does."""
    return poll(
        PollRequest(
            trigger={"watch": watch},
            root=root,
            memory=memory,
            now=0,
            machine_ns=time.time_ns() + 10_000_000_000,
            deadline_s=monotonic_s() + 600,
            environment={},
            home="/nowhere",
            accepts=bool,
        )
    )


def _measure_tree(scene: Scene) -> list[Line]:
    from cuectl.store import source_memory

    count = 10_000 if scene.quick else 100_000
    root, home = str(scene.folder / "tree"), scene.home("tree-home")
    make_tree(root, count)
    first = look(root, None).memory
    assert first is not None
    os.makedirs(home, exist_ok=True)
    named = source_memory.write(home, "cue_tree", 1, first)

    def again() -> None:
        seen = look(root, source_memory.read(home, "cue_tree", named))
        if seen.happenings or seen.memory is not None:
            raise SystemExit("a tree that nobody has touched has news")

    floor = _here("bare scandir and stat", lambda: bare_walk(root))
    candidates = [floor, _here(f"file.changed, {count:,} files, nothing new", again)]
    found = measure(candidates, scene.rounds(15, 7))
    lines = [title(f"one look at a tree of {count:,} files")]
    lines.append(floor_line(against(found, floor.name, floor.name)))
    return [*lines, ratio_line(against(found, candidates[1].name, floor.name), TREE_BAR)]


def _here(name: str, work: Callable[[], object]) -> Candidate:
    return Candidate(name=name, run=lambda _: run_here(work))


def _measure_pass(scene: Scene) -> list[Line]:
    home = scene.home("sources")
    project = os.path.dirname(home)
    roots = _make_sources(project)
    scene.program("apply", home, "apply", f"{project}/cue.yaml").run(0)
    scene.program("the first look", home, "run-due").run(0)
    python = scene.bare_python()

    def start_and_walk(number: int) -> Sample:
        began = python.run(number)
        walked = run_here(lambda: [bare_walk(root) for root in roots])
        return Sample(wall_s=began.wall_s + walked.wall_s, cpu_s=began.cpu_s + walked.cpu_s)

    floor = Candidate(name="python -c pass and the bare walks", run=start_and_walk)
    one = scene.program(f"run-due, {_SOURCES} sources, nothing new", home, "run-due")
    before = _journal_bytes(home)
    found = measure([floor, one], scene.rounds(60, 15))
    return [
        title(f"a pass over {_SOURCES} sources of files and tasks with nothing new"),
        floor_line(against(found, floor.name, floor.name)),
        ratio_line(against(found, one.name, floor.name), PASS_BAR),
        count_line("bytes written to the journal", _journal_bytes(home) - before, 0),
    ]


def _make_sources(project: str) -> list[str]:
    """Make half as many directories as sources, each watched for files and for tasks."""
    lines = ["agents:", "  echo: {driver: command, cmd: [cat]}", "subscriptions:"]
    roots = []
    for number in range(_SOURCES // 2):
        root = f"{project}/part{number}"
        make_tree(root, _IN_A_DIRECTORY)
        for name in ("a.md", "b.md"):
            with open(f"{root}/{name}", "w", encoding="ascii") as file:
                file.write("- [ ] one\n")
            os.utime(f"{root}/{name}", (_LONG_AGO_S, _LONG_AGO_S))
        roots += [root, root]
        common, below = "agent: echo, prompt: x", f"part{number}/**/*"
        lines += [
            f"  - {{{common}, name: f{number}, event: file.changed, watch: '{below}.ts'}}",
            f"  - {{{common}, name: t{number}, event: task.pending, watch: '{below}.md'}}",
        ]
    with open(f"{project}/cue.yaml", "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")
    return roots


def _journal_bytes(home: str) -> int:
    folder = f"{home}/journal"
    return sum(
        os.path.getsize(f"{folder}/{name}") for name in os.listdir(folder) if "jsonl" in name
    )
