"""The stores that sweeps begin with: a user's directory, cues, handlers that leave traces.

Below the root of a run: `user/.cue` is the state directory, `work` the working directory, and
`effects/log` stands for the outside world: what handlers did, one line each.
"""

from __future__ import annotations

import os
import select
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cuectl.store.journal.check import Replay
from cuectl.store.journal.segments import read_lines
from cuectl.values.errors import StateError

from .leftovers import kill_leftovers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .warm import Answer, Warm

Record = dict[str, Any]

DAY = "2026-11-21"
_LONG_AGO_S = 1_700_000_000
TINY = "segment_bytes=2000,checkpoint_events=3,checkpoint_young_events=1,checkpoint_age_ms=0"

HANDLERS = r"""
handlers:
  note:
    cmd: 'echo "ran $CUE_IDEMPOTENCY_KEY $CUE_ATTEMPT" >> "$EFFECTS";
      echo "{\"success\": true}" > "$CUE_OUTCOME_FILE"'
  chain:
    cmd: 'echo "ran $CUE_IDEMPOTENCY_KEY $CUE_ATTEMPT" >> "$EFFECTS";
      cuectl chain --name child --task note --key next || exit 1;
      echo "chained $CUE_IDEMPOTENCY_KEY" >> "$EFFECTS";
      echo "{\"success\": true}" > "$CUE_OUTCOME_FILE"'
  report:
    cmd: 'echo "ran $CUE_IDEMPOTENCY_KEY $CUE_ATTEMPT" >> "$EFFECTS";
      cuectl report --success --external-id shown || exit 1;
      echo "reported $CUE_IDEMPOTENCY_KEY" >> "$EFFECTS"'
  flaky:
    cmd: 'echo "ran $CUE_IDEMPOTENCY_KEY $CUE_ATTEMPT" >> "$EFFECTS";
      if [ $CUE_ATTEMPT = 1 ]; then
        echo "{\"success\": false}" > "$CUE_OUTCOME_FILE"; exit 1;
      fi;
      echo "{\"success\": true}" > "$CUE_OUTCOME_FILE"'
  silent:
    cmd: 'echo "ran $CUE_IDEMPOTENCY_KEY $CUE_ATTEMPT" >> "$EFFECTS"'
  sleep:
    cmd: 'echo "ran $CUE_IDEMPOTENCY_KEY $CUE_ATTEMPT" >> "$EFFECTS"; exec sleep 600'
"""


@dataclass(slots=True, kw_only=True)
class Scene:
    """The places of one sweep, and how to call the program there.

    Attributes:
        root: what the sweep watches and puts back.
        programs: the directory with `cuectl`.
        warm: runs commands that are not under attack.
        more: variables for all commands.
        boot: the boot in which `run` runs commands, '' for the real one.
    """

    root: Path
    programs: Path
    warm: Warm
    more: Mapping[str, str]
    boot: str = ""

    @property
    def home(self) -> Path:
        """The state directory."""
        return self.root / "user" / ".cue"

    def at(self, clock: str) -> dict[str, str]:
        """Return the environment of a command that begins at this time of the day."""
        return {
            "PATH": f"{self.programs}:/usr/bin:/bin",
            "HOME": str(self.root / "user"),
            "TZ": "UTC",
            "LANG": "C.UTF-8",
            "EFFECTS": str(self.root / "effects" / "log"),
            "CUECTL_NOW": f"{DAY}T{clock}Z",
            **self.more,
            **({"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}),
        }

    def argv(self, *words: str) -> Callable[[Path], list[str]]:
        """Return the command for a sweep."""
        return lambda _: [str(self.programs / "cuectl"), *words]

    def run(self, clock: str, *words: str, **env: str) -> Answer:
        """Run a command."""
        where = self.root / "work"
        return self.warm.run(*words, env=self.at(clock) | env, cwd=where, boot=self.boot)

    def must(self, clock: str, *words: str, **env: str) -> Answer:
        """Run a command that has to work."""
        answer = self.run(clock, *words, **env)
        assert answer.status == 0, str(answer)
        return answer

    def lines(self) -> list[Record]:
        """Return the lines of the journal, what is torn or damaged left out."""
        try:
            return list(read_lines(str(self.home)))
        except StateError:
            readable: list[Record] = []
            Replay(str(self.home), readable.append).run()
            return readable

    def executions(self, cue_name: str | None = None) -> list[Record]:
        """Return the newest record of each execution, by its id, so by its time."""
        newest: dict[str, Record] = {}
        for line in self.lines():
            for path, value in line.get("set", {}).items():
                if path.startswith(("open/", "waiting/")) and isinstance(value, dict):
                    newest[value["id"]] = value
            if record := line.get("record"):
                newest[record["id"]] = record
        found = [newest[name] for name in sorted(newest)]
        return [one for one in found if cue_name is None or one["cue_name"] == cue_name]

    def one(self, cue_name: str) -> Record:
        """Return the only execution of a cue."""
        (record,) = self.executions(cue_name)
        return record

    def effects(self) -> list[list[str]]:
        """Return what handlers did, each line as words."""
        path = self.root / "effects" / "log"
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    def spawn_log(self) -> dict[str, str]:
        """Return the letters that all spawn logs together have for each key."""
        found: dict[str, str] = {}
        for path in sorted((self.home / "passes").glob("*")):
            for line in path.read_text().splitlines():
                words = line.split()
                if len(words) == 3 and words[0] in "SPX":
                    found[words[1]] = found.get(words[1], "") + words[0]
        return found


def directories(scene: Scene) -> None:
    """Make the directories of a user who has never called the program."""
    for name in ("user", "work", "effects"):
        (scene.root / name).mkdir()


def handlers(scene: Scene) -> None:
    """Make a user with handlers and a cue that has nothing to do with anything."""
    directories(scene)
    scene.must("01:58:00", "create", "--name", "bystander", "--task", "note", "--cron", "0 9 * * *")
    definitions = scene.home / "cue.yaml"
    definitions.write_text(HANDLERS)
    # Next to a file that may still be changing, a pass never says that there is nothing to do.
    os.utime(definitions, (_LONG_AGO_S, _LONG_AGO_S))


def day_begins(scene: Scene) -> None:
    """Make what a pass at 02:01 finds due: more than runs at once, each of its own kind."""
    handlers(scene)
    once = ("--at", f"{DAY}T02:00:00Z")
    scene.must("01:59:00", "create", "--name", "daily", "--task", "note", "--cron", "0 2 * * *")
    scene.must("01:59:00", "create", "--name", "chains", "--task", "chain", *once)
    scene.must("01:59:00", "create", "--name", "reports", "--task", "report", *once)
    flaky = ("--retries", "1", "--backoff", "0s")
    scene.must("01:59:00", "create", "--name", "flaky", "--task", "flaky", *once, *flaky)
    scene.must("01:59:00", "create", "--name", "note", "--task", "note", *once)


def in_a_handler(scene: Scene, clock: str = "02:01:00") -> dict[str, str]:
    """Let a pass start a handler, end both, and return the environment that it had."""
    handlers(scene)
    scene.must("01:59:00", "create", "--name", "parent", "--task", "sleep", "--in", "1m")
    work = scene.root / "work"
    pid = scene.warm.start("run-due", env=scene.at(clock), cwd=work, boot=scene.boot)
    deadline = time.monotonic() + 60.0
    while not (scene.effects() and "SP" in scene.spawn_log().values()):
        assert time.monotonic() < deadline, "the handler was not started"
        select.select([], [], [], 0.01)
    os.kill(pid, signal.SIGKILL)
    environment = _environment_of(scene)
    kill_leftovers(scene.root)
    return environment


def _environment_of(scene: Scene) -> dict[str, str]:
    """Return the variables that tell a handler who it is."""
    (path,) = (scene.home / "passes").glob("*")
    (pid,) = (int(line.split()[2]) for line in path.read_text().splitlines() if line[0] == "P")
    entries = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    pairs = (os.fsdecode(entry).partition("=") for entry in entries if entry)
    return {name: value for name, _, value in pairs if name.startswith(("CUE_", "CUEAPI_"))}


def effect_counts(effects: Sequence[Sequence[str]]) -> dict[str, int]:
    """Return how often each attempt ran: `<key> <attempt>` to a count."""
    found: dict[str, int] = {}
    for words in effects:
        if words[0] == "ran":
            attempt = " ".join(words[1:])
            found[attempt] = found.get(attempt, 0) + 1
    return found
