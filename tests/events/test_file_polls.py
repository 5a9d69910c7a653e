"""One look at a tree: what else stands there hides nothing, and what can't be read is told."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from cuectl.events.sources.file_changed import poll
from cuectl.events.sources.registry import PollRequest
from cuectl.events.subscriptions import event_of_text
from cuectl.process.runtime import monotonic_s
from cuectl.values.errors import UsageError
from tests.fixtures.past import START, a_cue

if TYPE_CHECKING:
    from pathlib import Path

    from cuectl.events.rules.event import Seen


def look(root: Path, memory: dict[str, Any] | None) -> Seen:
    """Look at a tree as a pass does that comes a while later."""
    return poll(
        PollRequest(
            trigger={"watch": "**/*"},
            root=str(root),
            memory=memory,
            now=0,
            machine_ns=time.time_ns() + 60_000_000_000,
            deadline_s=monotonic_s() + 60,
            environment={},
            home="/nowhere",
            accepts=bool,
        )
    )


@pytest.mark.parametrize("what", ["fifo", "link to nothing"])
def test_what_is_no_file_hides_none_that_is(tmp_path: Path, what: str) -> None:
    first = look(tmp_path, None)
    assert first.happenings == ()
    for number in range(5):
        odd = tmp_path / f"odd{number}"
        os.mkfifo(odd) if what == "fifo" else odd.symlink_to(tmp_path / "nothing")
        (tmp_path / f"file{number}").write_text("x")

    found = look(tmp_path, first.memory)

    told = {str(one.data["path"]).rpartition("/")[2] for one in found.happenings}
    assert told == {f"file{number}" for number in range(5)}


@pytest.mark.parametrize("changed", [False, True])
def test_what_cannot_be_read_is_told_also_when_nothing_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, changed: bool
) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "file").write_text("x")
    first = look(tmp_path, None)
    assert first.problem is None
    if changed:
        (tmp_path / "open" / "file").write_text("other")
    scandir = os.scandir

    def refuse(path: str) -> Any:
        if path.endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = look(tmp_path, first.memory)

    assert found.problem == f"can't look into '{tmp_path}/closed': permission denied"
    assert len(found.happenings) == changed


@pytest.mark.parametrize(
    "text",
    [
        b'{"type": "x", "payload": []}',
        b'{"type": "x", "timestamp": "soon"}',
        b'{"specversion": "1.0"}',
        b'{"type": "x", "timestamp": 5}',
    ],
)
def test_what_is_no_event_is_refused_in_words(text: bytes) -> None:
    cue = a_cue(trigger={"type": "event", "event": "x"})

    with pytest.raises(UsageError, match="this is not an event: "):
        event_of_text(text, cue, START)
