"""Make a state directory with a long past: settled executions by the million, in seconds.

Lines are made from two that the real code wrote, by filling in what differs; numbers, chain
and sums are right, so every reader and `fsck` take the journal for what it is.

    python -m tests.bench.make_history DIRECTORY EXECUTIONS
"""

from __future__ import annotations

import gzip
import hashlib
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cuectl.cues.create import creation_event
from cuectl.cues.rules.record import Cue, CueState, CueStatus
from cuectl.executions import claim
from cuectl.executions.rules.record import Execution, ExecutionStatus
from cuectl.store import home as home_directory
from cuectl.store import idle, paths
from cuectl.store.journal.lines import (
    START_SUM,
    SUM_LETTERS,
    Applied,
    JournalEntry,
    Position,
    Views,
    encode_group,
    segment_name,
    write_applied,
)
from cuectl.store.store import Store
from cuectl.values.ids import execution_id
from cuectl.values.times import from_text, to_text

if TYPE_CHECKING:
    from collections.abc import Iterator

START = from_text("2026-01-01T00:00:00Z")
SEGMENT_BYTES = 16 << 20
FAILED_EVERY = 100
CUES = 100
_RAW_SEGMENTS = 2

_ID, _CUE, _NAME, _AT = "@ID@", "@CUE@", "@NAME@", "2001-02-03T04:05:06Z"
_ENDED, _ANSWER = "2001-02-03T04:05:09Z", "@ANSWER@"


@dataclass(frozen=True, kw_only=True)
class Made:
    """What stands in the directory."""

    home: str
    executions: int
    failed: int
    newest_id: str


def make_history(
    home: str, executions: int, *, step_ms: int = 20_000, segment_bytes: int = SEGMENT_BYTES
) -> Made:
    """Make a state directory whose journal settles so many executions, one a step.

    All segments but the newest are packed, as `gc` leaves them.
    """
    home_directory.make(home)
    cues = [_cue(number) for number in range(CUES)]
    writer = _Writer(home, segment_bytes)
    for cue in cues:
        writer.add_group([creation_event(Store(home), cue, START)], to_text(START))
    ids = writer.add_executions(executions, cues, step_ms)
    writer.finish()
    return Made(home=home, executions=executions, failed=_failed(executions), newest_id=ids)


def _failed(executions: int) -> int:
    return (executions + FAILED_EVERY - 1) // FAILED_EVERY


def _cue(number: int) -> Cue:
    return Cue(
        id=f"cue_{number:012d}",
        name=f"audit-{number}",
        trigger={"type": "manual"},
        target={"type": "task", "task": "audit"},
        payload={"task": "audit"},
        created_at=START,
        updated_at=START,
    )


class _Writer:
    def __init__(self, home: str, segment_bytes: int) -> None:
        self.home = home
        self.segment_bytes = segment_bytes
        self.segment = segment_name(1)
        self.seq = 0
        self.sum = START_SUM
        self.parts: list[bytes] = []
        self.size = 0
        self.raw: list[str] = []

    def add_group(self, events: list[JournalEntry], at: str) -> None:
        data, self.sum = encode_group(events, self.seq + 1, self.sum, at)
        self.seq += len(events)
        self._add(data)

    def add_executions(self, count: int, cues: list[Cue], step_ms: int) -> str:
        claimed, settled, failed = _templates()
        identity = ""
        for number in range(count):
            nominal = START + (number + 1) * step_ms
            cue = cues[number * 7 % len(cues)]
            identity = execution_id(nominal, cue.id, str(nominal))
            template = failed if number % FAILED_EVERY == 0 else settled
            begin, end = to_text(nominal), to_text(nominal + 3000)
            values: dict[str, object] = {
                "id": identity,
                "cue": cue.id,
                "name": cue.name,
                "n": number,
            }
            values |= {"begin": begin, "end": end}
            self._line(claimed, begin, values)
            self._line(template, end, values)
            if self.size >= self.segment_bytes:
                self._rotate(end)
        return identity

    def _line(self, template: str, at: str, values: dict[str, object]) -> None:
        self.seq += 1
        text = (template % {"seq": self.seq, "at": at, "prev": self.sum, **values}).encode("ascii")
        self.sum = hashlib.sha256(text).hexdigest()[:SUM_LETTERS]
        self._add(text + b',"sum":"' + self.sum.encode("ascii") + b'"}\n')

    def _add(self, data: bytes) -> None:
        self.parts.append(data)
        self.size += len(data)

    def _rotate(self, at: str) -> None:
        following = segment_name(self.seq + 2)
        self.add_group([JournalEntry(type="journal.closed", detail={"next": following})], at)
        self._write()
        self.raw.append(self.segment)
        if len(self.raw) > _RAW_SEGMENTS:
            self._pack(self.raw.pop(0))
        self.segment, self.parts, self.size = following, [], 0

    def _write(self) -> None:
        path = Path(self.home, "journal", self.segment)
        path.write_bytes(b"".join(self.parts))
        path.chmod(0o600)

    def _pack(self, segment: str) -> None:
        path = Path(self.home, "journal", segment)
        packed = path.with_suffix(".jsonl.gz")
        packed.write_bytes(gzip.compress(path.read_bytes(), 6, mtime=0))
        packed.chmod(0o600)
        path.unlink()

    def finish(self) -> None:
        self._write()
        place = Position(segment=self.segment, size=self.size, seq=self.seq, sum=self.sum)
        applied = Applied(position=place, boot=idle.boot_id())
        for name in ("applied", "checkpoint"):
            write_applied(f"{self.home}/journal/{name}", applied)
        self._write_views()

    def _write_views(self) -> None:
        from cuectl.store.views import apply
        from tests.implied import implied_views

        # The views of a small journal follow from it; of a large one, they are known.
        implied = implied_views(self.home) if self.seq < 100_000 else _known_views()
        apply(self.home, implied)


def _known_views() -> Views:
    views: Views = {}
    for number in range(CUES):
        cue = _cue(number)
        views[paths.cue(cue.id)] = cue.to_record()
        views[paths.name_key(cue.name)] = {"cue": cue.id}
        views[paths.state(cue.id)] = _state().to_record()
    return views


def _state() -> CueState:
    return CueState(status=CueStatus.ACTIVE, last_status="succeeded", run_count=1)


def _templates() -> tuple[str, str, str]:
    """Return lines without their sums, with a place for everything that differs."""
    pending = Execution(
        id=_ID,
        cue_id=_CUE,
        cue_name=_NAME,
        status=ExecutionStatus.PENDING,
        scheduled_for=from_text(_AT),
        root_id=_ID,
        target={"type": "task", "task": "audit"},
        payload={"task": "audit", "repository": "org/repo", "depth": 3},
        pass_id="1795228200000-12345-16",
        boot="11111111-2222-3333-4444-555555555555",
    )
    done = replace(
        pending,
        status=ExecutionStatus.SUCCEEDED,
        outcome_state="verified_success",
        started_at=from_text(_AT),
        ended_at=from_text(_ENDED),
        duration_s=3.0,
        exit_code=0,
        success=True,
        external_id=f"run-{_ANSWER}",
        result_url=f"https://example.org/issues?q=label:audit-{_ANSWER}",
        result_type="audit_run",
        summary="Filed 3 issues, follow-up scheduled for tomorrow",
    )
    failed = replace(
        done, status=ExecutionStatus.FAILED, outcome_state="reported_failure", exit_code=1
    )
    views: Views = {f"open/{_ID}.json": None, f"cues/{_CUE}.s.json": _state().to_record()}
    return (
        _template(claim.open_event("claimed", pending)),
        _template(replace(claim.settled_event(done), set=views)),
        _template(replace(claim.settled_event(failed), set=views)),
    )


def _template(event: JournalEntry) -> str:
    line = encode_group([event], 987_654, "@PREV@", "@NOW@")[0].decode("ascii")
    text = line[: line.rindex(',"sum":"')].replace("%", "%%")
    for mark, place in (
        ("987654", "%(seq)d"),
        ("@PREV@", "%(prev)s"),
        ("@NOW@", "%(at)s"),
        (_AT, "%(begin)s"),
        (_ENDED, "%(end)s"),
        (_ID, "%(id)s"),
        (_CUE, "%(cue)s"),
        (_NAME, "%(name)s"),
        (_ANSWER, "%(n)d"),
    ):
        text = text.replace(mark, place)
    return text


def segments(home: str) -> Iterator[str]:
    """Yield the paths of the segments, oldest first, as a shell would list them."""
    folder = f"{home}/journal"
    for name in sorted(os.listdir(folder)):
        if name[0].isdigit():
            yield f"{folder}/{name}"


if __name__ == "__main__":
    print(make_history(os.path.abspath(sys.argv[1]), int(sys.argv[2])))
