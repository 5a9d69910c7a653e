from __future__ import annotations

import json
import subprocess
import sys

import pytest

from cuectl.definitions.rules.definitions import (
    AgentDefinition,
    AlertSink,
    CueDefinition,
    Definitions,
    Handler,
    QueueDefinition,
    Settings,
    SubscriptionDefinition,
)
from cuectl.definitions.rules.files import from_record, to_record
from cuectl.executions.rules.record import CatchUp, Overlap, Policy

FULL = Definitions(
    settings=Settings(max_parallel=4, given=("max_parallel",)),
    secrets=("TOKEN",),
    handlers={
        "a": Handler(name="a", argv=("x", "y"), env={"A": "1"}, cwd="/srv", timeout_s=60),
        "b": Handler(name="b", shell="x | y", cwd="~", payload_file=True),
    },
    agents={"c": AgentDefinition(name="c", driver="claude", cwd="/srv", id="1f", args=("-v",))},
    queues={"q": QueueDefinition(name="q", agent="c", retries=1)},
    workflows=("/srv/flows.py",),
    cues={
        "d": CueDefinition(
            name="d",
            trigger={"type": "every", "every_s": 60},
            target={"type": "command", "argv": ["x"], "cwd": "/srv"},
            payload={"list": [1, 2], "deep": {"x": None}},
            policy=Policy(catch_up=CatchUp.ALL, backoff_s=(1, 2), alert=("ops",)),
        )
    },
    subscriptions={
        "e": SubscriptionDefinition(
            name="e", event="app.startup", target={"type": "agent", "agents": ["c"]}
        ),
        "f": SubscriptionDefinition(
            name="f",
            event="file.changed",
            enabled=False,
            target={"type": "task", "task": "a"},
            values={"watch": "x", "filter": {"n": 1}},
            policy=Policy(overlap=Overlap.SKIP, timeout_s=5),
        ),
        "g": SubscriptionDefinition(
            name="g",
            event="x.y",
            target={"type": "notify"},
            policy=Policy(overlap=Overlap.QUEUE, timeout_s=5),
        ),
    },
    alerts={"ops": AlertSink(name="ops", kind="command", argv=("mail",))},
)


@pytest.mark.parametrize("definitions", [FULL, Definitions()])
def test_definitions_come_back_from_json_as_they_were(definitions: Definitions) -> None:
    assert from_record(json.loads(json.dumps(to_record(definitions)))) == definitions


def test_what_has_its_default_is_left_out() -> None:
    assert to_record(Definitions()) == {"version": 1}
    assert to_record(FULL)["handlers"]["a"] == {
        "argv": ["x", "y"],
        "timeout_s": 60,
        "env": {"A": "1"},
        "cwd": "/srv",
    }
    assert to_record(FULL)["subscriptions"]["e"] == {
        "event": "app.startup",
        "target": {"type": "agent", "agents": ["c"]},
    }


def test_members_of_a_later_version_are_not_looked_at() -> None:
    record = to_record(FULL)
    record["later"] = 1
    record["handlers"]["a"]["later"] = 1

    assert from_record(record) == FULL


@pytest.mark.parametrize("record", [{"handlers": {"a": {}}}, {"cues": 5}, {"agents": {"a": 5}}])
def test_what_is_no_record_is_refused(record: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError, AttributeError)):
        from_record(record)


def test_reading_records_imports_nothing_heavy() -> None:
    code = (
        "import sys; import cuectl.definitions.rules.files; "
        "print(*{'yaml', 'zoneinfo', 'datetime', 'difflib', 'croniter', 'json'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "\n"
