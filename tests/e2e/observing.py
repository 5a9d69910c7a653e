"""Look at a store and at processes from outside, with none of the program's own code."""

from __future__ import annotations

import hashlib
import json
import os
import select
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT_S = 60.0
_LOOK_EVERY_S = 0.01
FINAL = {"succeeded", "failed", "timed_out", "interrupted", "cancelled", "skipped", "missed"}

Record = dict[str, Any]


def until(condition: Callable[[], Any], what: str = "", limit_s: float = LIMIT_S) -> Any:
    """Wait for a condition to hold and return what it gave."""
    deadline = time.monotonic() + limit_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {limit_s:g} s: {what or condition}"
        select.select([], [], [], _LOOK_EVERY_S)
    return found


def processes_with(text: str) -> list[int]:
    """Return the processes whose environment or command line holds a text, zombies left out."""
    wanted = text.encode()
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            folder = Path("/proc") / name
            told = (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if wanted in told:
            found.append(int(name))
    return found


def is_gone(pid: int) -> bool:
    """Tell whether a process is over, reaped or not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[0] in "ZX"


class StoreState:
    """What stands in a state directory."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def lines(self) -> list[Record]:
        """Return the journal, with every sum and the whole chain checked."""
        found: list[Record] = []
        previous = "0" * 16
        for path in sorted((self.home / "journal").glob("0*.jsonl")):
            for raw in path.read_bytes().splitlines():
                body, tail = raw[:-26], raw[-26:]
                assert tail.startswith(b',"sum":"'), raw
                line = json.loads(raw)
                assert hashlib.sha256(body).hexdigest()[:16] == line["sum"], raw
                assert line["prev"] == previous
                assert line["seq"] == len(found) + 1
                previous = line["sum"]
                found.append(line)
        return found

    def of_type(self, kind: str) -> list[Record]:
        """Return the lines of a type."""
        return [line for line in self.lines() if line["type"] == kind]

    def implied(self) -> dict[str, Any]:
        """Return every view that the journal implies."""
        views: dict[str, Any] = {}
        for line in self.lines():
            for path, value in line.get("set", {}).items():
                if value is None:
                    views.pop(path, None)
                else:
                    views[path] = value
        return views

    def differences(self) -> list[str]:
        """Return where the views are not what the journal implies."""
        implied = self.implied()
        found: dict[str, Any] = {}
        for folder in {path.partition("/")[0] for path in implied} | VIEW_FOLDERS:
            for path in (self.home / folder).rglob("*"):
                if path.is_file():
                    text = path.read_text()
                    found[str(path.relative_to(self.home))] = json.loads(text) if text else True
        return [
            f"{path}: {found.get(path)!r}, and the journal says {implied.get(path)!r}"
            for path in sorted(found.keys() | implied.keys())
            if found.get(path) != implied.get(path)
        ]

    def executions(self, cue_name: str | None = None) -> list[Record]:
        """Return the newest record of each execution, by its id, so by its time."""
        newest: dict[str, Record] = {}
        for line in self.lines():
            for path, value in line.get("set", {}).items():
                if path.startswith(("open/", "waiting/")) and isinstance(value, dict):
                    newest[value["id"]] = value
            if record := line.get("record"):
                newest[record["id"]] = record
        return [
            newest[name]
            for name in sorted(newest)
            if cue_name is None or newest[name]["cue_name"] == cue_name
        ]

    def one(self, cue_name: str | None = None) -> Record:
        """Return the only execution."""
        (record,) = self.executions(cue_name)
        return record

    def ends(self, cue_name: str | None = None) -> list[str]:
        """Return status and, where there is one, reason of each execution."""
        return [
            f"{one['status']}({one['reason']})" if one.get("reason") else one["status"]
            for one in self.executions(cue_name)
        ]

    def settled_twice(self) -> list[str]:
        """Return the executions that the journal ends more than once."""
        ids = [line["execution"] for line in self.of_type("execution.settled")]
        return sorted({one for one in ids if ids.count(one) > 1})

    def alerts(self) -> list[str]:
        """Return the types of all alerts that were raised."""
        return [line["detail"]["type"] for line in self.of_type("alert.raised")]

    def cue(self, name: str) -> Record:
        """Return a cue's state."""
        views = self.implied()
        (identity,) = (
            value["id"]
            for path, value in views.items()
            if path.startswith("cues/") and path.count(".") == 1 and value["name"] == name
        )
        state = views[f"cues/{identity}.s.json"]
        assert isinstance(state, dict)
        return {"id": identity, **state}

    def spawn_logs(self) -> str:
        """Return all lines of all spawn logs."""
        folder = self.home / "passes"
        return "".join(path.read_text() for path in sorted(folder.iterdir()))

    def output(self, execution: Record) -> bytes:
        """Return what an execution has printed."""
        (path,) = (self.home / "runs").glob(f"*/{execution['id']}.out")
        return path.read_bytes()


VIEW_FOLDERS = {"cues", "open", "waiting", "keys", "alerts", "revised", "config", "due"}
