"""What a person looks at: lists, `status` and the page, among a hundred cues and among many."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import time
from contextlib import ExitStack
from threading import Thread
from typing import TYPE_CHECKING

from cuectl.values.times import DAY
from tests.bench.bulk import TRUE, a_cue, daily, make_cues
from tests.bench.table import Line, floor_line, ratio_line, title
from tests.bench.timing import Candidate, Sample, against, measure, run_here, run_process

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bench.scene import Scene

FEW = 100
BAR, PEOPLE_BAR, JSON_BAR = 1.5, 3.0, 1.3
_LOOKS = {
    "list -n 20": ("list", "-n", "20"),
    "next -n 5": ("next", "-n", "5"),
    "status": ("status",),
}


def measure_looks(scene: Scene) -> list[Line]:
    """Measure each look among a hundred cues and among many, and a list beside empty click."""
    now = time.time_ns() // 1_000_000
    homes = {FEW: scene.home("looks-few"), scene.many: scene.home("looks-many")}
    for count, home in homes.items():
        step = DAY // count
        cues = (a_cue(n, daily(now + DAY // 2 + n * step), TRUE, now) for n in range(count))
        make_cues(home, cues, now)
        scene.program("a first pass", home, "run-due").run(0)
    return [*_among_many(scene, homes), *_beside_click(scene, homes[FEW])]


def _among_many(scene: Scene, homes: dict[int, str]) -> list[Line]:
    with ExitStack() as stack:
        candidates = [
            Candidate(name=f"{name}, {count:,} cues", run=_process(scene, home, *words))
            for name, words in _LOOKS.items()
            for count, home in homes.items()
        ]
        for count, home in homes.items():
            page = Server(scene, home)
            stack.callback(page.stop)
            candidates.append(Candidate(name=f"the page, {count:,} cues", run=page.first_page))
        found = measure(candidates, scene.rounds(15, 7))
    lines = [title(f"looks among {scene.many:,} cues")]
    for few, many in zip(candidates[::2], candidates[1::2], strict=True):
        lines.append(floor_line(against(found, few.name, few.name)))
        lines.append(ratio_line(against(found, many.name, few.name), BAR))
    return lines


def _beside_click(scene: Scene, home: str) -> list[Line]:
    environment = scene.installed.environment(home)
    floor = Candidate(
        name="an empty click program",
        run=lambda _: run_process([scene.installed.empty_click], environment),
    )
    ours, theirs = os.openpty()
    Thread(target=_drain, args=(ours,), daemon=True).start()
    people = _process(scene, home, "list", stdout=theirs, TERM="xterm", COLUMNS="80")
    as_json = _process(scene, home, "list", "--json")
    wanted = {f"list, {FEW} cues, 80 columns": PEOPLE_BAR, f"list --json, {FEW} cues": JSON_BAR}
    candidates = [
        Candidate(name=name, run=run) for name, run in zip(wanted, (people, as_json), strict=True)
    ]
    found = measure([floor, *candidates], scene.rounds(30, 12))
    lines = [title("a list beside empty click"), floor_line(against(found, floor.name, floor.name))]
    lines += [ratio_line(against(found, name, floor.name), bar) for name, bar in wanted.items()]
    os.close(theirs)
    return lines


def _drain(terminal: int) -> None:
    try:
        while os.read(terminal, 65536):
            pass
    except OSError:
        os.close(terminal)


def _process(
    scene: Scene, home: str, *words: str, stdout: int | None = None, **variables: str
) -> Callable[[int], Sample]:
    argv = [scene.installed.cuectl, *words]
    environment = scene.installed.environment(home, **variables)
    where = {} if stdout is None else {"stdout": stdout}
    # `status` says 4 when something is wrong, such as that no scheduler is installed.
    return lambda _: run_process(argv, environment, statuses=(0, 4), **where)


class Server:
    """A running `cuectl serve`, and one session of its page."""

    def __init__(self, scene: Scene, home: str) -> None:
        words = [scene.installed.cuectl, "--json", "serve", "--port", "0"]
        environment = scene.installed.environment(home)
        self._process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        told = json.loads(self._process.stdout.readline())
        self._port = int(told["url"].rpartition(":")[2])
        first = self._ask(told["page"])
        self._base = "/".join(first.headers["Location"].split("/", 3)[:3]) + "/"

    def first_page(self, _: int) -> Sample:
        """Read the page of all cues once."""
        return run_here(self._read)

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()

    def _read(self) -> None:
        answer = self._ask(self._base)
        if answer.status != 200:
            raise ChildProcessError(f"the page: status {answer.status}")

    def _ask(self, path: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=600)
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer
