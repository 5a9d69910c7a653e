"""What goes over: it comes back as it was, and nothing else is taken for it."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from cuectl.definitions.rules.definitions import AgentDefinition, Handler
from cuectl.executions.rules import wire
from cuectl.executions.rules.record import Cause, Ended, Execution, ExecutionStatus, Phase, Policy
from cuectl.executions.rules.verification import ArtifactFact
from cuectl.executions.rules.wire import Dropped, DropReason, Kind, RemoteEnd, RemoteStart
from cuectl.values.ids import cue_id, is_cue_id
from cuectl.values.records import replace

SECRET = "the key of the fleet"
EXECUTION = Execution(
    id="exec_01hzz0000000000000000000",
    cue_id="cue_abcdefghijkl",
    cue_name="train",
    status=ExecutionStatus.RUNNING,
    attempt=2,
    scheduled_for=1_790_000_000_000,
    root_id="exec_01hzz0000000000000000000",
    target={"type": "task", "task": "train", "cwd": "/home/control"},
    policy=Policy(check=("true",), timeout_s=9.0, alert=("mail",), output_limit=77),
    payload={"a": [1, "ü", None]},
    pass_id="pass_1",
    boot="of the control machine",
)
START = RemoteStart(
    execution=wire.travelling(EXECUTION),
    store_id="store_1",
    epoch="word",
    executor="farm",
    timeout_s=9.0,
    start_by=1_790_000_900_000,
)
END = RemoteEnd(
    key=START.key,
    epoch="word",
    host="gpu-1",
    ended=Ended(
        execution_id=EXECUTION.id, attempt=2, cause=Cause.TIMEOUT, signal=9,
        started_at=1, ended_at=2, duration_s=0.5, survivors=(7,),
    ),
    files={"out": wire.pack(b"\0\xff text")},
    facts=(ArtifactFact(name="a.txt", exists=True, is_file=True, path="/w/a.txt", size=1),),
    asks=({"do": "chain"},),
)  # fmt: skip

texts = some.text(alphabet=some.characters())
plain = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False) | texts,
    lambda inner: some.lists(inner) | some.dictionaries(texts, inner),
    max_leaves=6,
)
few = settings(max_examples=25)
records = some.dictionaries(texts, plain)


@few
@given(records, some.sampled_from(Kind))
def test_what_is_sealed_comes_out_again(record: dict[str, Any], kind: Kind) -> None:
    sealed = wire.seal(SECRET, kind, record)
    assert sealed.isascii()
    assert wire.unseal(SECRET, kind, sealed.encode()) == {"v": wire.VERSION, **record}


@few
@given(records, some.data())
def test_a_changed_letter_is_found(record: dict[str, Any], data: some.DataObject) -> None:
    sealed = wire.seal(SECRET, Kind.START, record)
    at = data.draw(some.integers(0, len(sealed) - 1))
    letter = data.draw(some.characters().filter(lambda one: one != sealed[at]))
    with pytest.raises(Dropped) as caught:
        wire.unseal(SECRET, Kind.START, sealed[:at] + letter + sealed[at + 1 :])
    assert caught.value.why is DropReason.SIGNATURE


@given(some.binary() | some.text())
def test_what_nobody_has_sealed_is_dropped(anything: bytes | str) -> None:
    with pytest.raises(Dropped):
        wire.unseal(SECRET, Kind.START, anything)


@pytest.mark.parametrize("kind", [one for one in Kind if one is not Kind.START])
def test_a_start_is_nothing_else(kind: Kind) -> None:
    with pytest.raises(Dropped) as caught:
        wire.unseal(SECRET, kind, wire.seal(SECRET, Kind.START, {}))
    assert caught.value.why is DropReason.SIGNATURE


def test_another_key_is_another_fleet() -> None:
    with pytest.raises(Dropped) as caught:
        wire.unseal("another key of a fleet", Kind.START, wire.seal(SECRET, Kind.START, {}))
    assert caught.value.why is DropReason.SIGNATURE


def test_another_version_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "VERSION", 2)
    sealed = wire.seal(SECRET, Kind.START, {})
    monkeypatch.undo()
    with pytest.raises(Dropped) as caught:
        wire.unseal(SECRET, Kind.START, sealed)
    assert caught.value.why is DropReason.VERSION


def sent(start: RemoteStart) -> dict[str, Any]:
    return wire.unseal(SECRET, Kind.START, wire.seal(SECRET, Kind.START, start.to_record()))


def test_a_start_arrives_as_it_was_sent() -> None:
    assert wire.remote_start_from(sent(START)) == START
    later = replace(
        START,
        execution=wire.travelling(replace(EXECUTION, phase=Phase.CHECK.value)),
        payload_blob="0" * 64,
        idle_timeout_s=3.0,
        end_if_cut_off=True,
    )
    assert wire.remote_start_from(sent(later)) == later
    assert later.key == f"{EXECUTION.id}.2.check"


def test_nothing_of_the_control_machine_travels() -> None:
    text = json.dumps(sent(START))
    for word in ("/home/control", "pass_1", "of the control machine", "mail"):
        assert word not in text
    assert START.execution.policy == Policy(check=("true",), output_limit=77)


def test_a_prompt_takes_the_place_of_its_file() -> None:
    target = {"type": "agent", "agent": "a", "prompt_file": "/p.md", "prompt_root": "/"}
    assert wire.travelling(replace(EXECUTION, target=target), prompt="Go").target == {
        "type": "agent",
        "agent": "a",
        "prompt": "Go",
    }


@pytest.mark.parametrize(
    "change",
    [
        {"key": "exec_other.1"},
        {"execution": None},
        {"execution": {"id": "x"}},
        {"timeout_s": "long"},
        {"start_by": None},
        {"epoch": ...},
    ],
)
def test_half_a_start_is_dropped(change: dict[str, Any]) -> None:
    record = sent(START) | change
    record = {name: value for name, value in record.items() if value is not ...}
    with pytest.raises(Dropped) as caught:
        wire.remote_start_from(record)
    assert caught.value.why is DropReason.SHAPE


@pytest.mark.parametrize("name", ["../../etc", "exec_1/..", "", "exec_1\n", "ex\u00e9c"])
def test_an_id_that_is_a_path_is_dropped(name: str) -> None:
    start = replace(START, execution=replace(START.execution, id=name))
    with pytest.raises(Dropped) as caught:
        wire.remote_start_from(sent(start))
    assert caught.value.why is DropReason.SHAPE


def test_members_of_a_newer_version_do_not_hurt() -> None:
    assert wire.remote_start_from(sent(START) | {"colour": "green"}) == START


def test_an_end_arrives_as_it_was_sent() -> None:
    sealed = wire.seal(SECRET, Kind.RESULT, END.to_record())
    assert wire.remote_end_from(wire.unseal(SECRET, Kind.RESULT, sealed), END.key) == END


def test_every_part_of_an_end_travels() -> None:
    assert {item.name for item in fields(RemoteEnd)} < END.to_record().keys() | {"v"}
    assert END.to_record()["ended"].keys() == {item.name for item in fields(Ended)}


@pytest.mark.parametrize("key", ["exec_other.1", f"{EXECUTION.id}.1", f"{EXECUTION.id}.2.check"])
def test_a_result_in_the_cell_of_another_is_dropped(key: str) -> None:
    with pytest.raises(Dropped) as caught:
        wire.remote_end_from(END.to_record(), key)
    assert caught.value.why is DropReason.SHAPE


@pytest.mark.parametrize(
    "change", [{"ended": {}}, {"ended": None}, {"facts": [{}]}, {"host": ...}, {"facts": 3}]
)
def test_half_an_end_is_dropped(change: dict[str, Any]) -> None:
    record = END.to_record() | change
    record = {name: value for name, value in record.items() if value is not ...}
    with pytest.raises(Dropped) as caught:
        wire.remote_end_from(record, END.key)
    assert caught.value.why is DropReason.SHAPE


@given(some.binary(max_size=2000))
def test_bytes_come_out_again(data: bytes) -> None:
    assert wire.unpack(wire.pack(data)) == data
    assert wire.unpack(wire.pack(data), len(data)) == data


@pytest.mark.parametrize("text", ["", "%", "AAAA", wire.pack(b"12345")[:-4], wire.pack(b"x" * 9)])
def test_damaged_or_swollen_bytes_are_dropped(text: str) -> None:
    with pytest.raises(Dropped):
        wire.unpack(text, 8)


@given(some.binary(max_size=60), some.integers(1, 20))
def test_of_a_long_file_head_and_tail_are_sent(data: bytes, part: int) -> None:
    short = wire.shortened(data[:part], data[-part:], len(data))
    if len(data) <= 2 * part:
        assert short == data
    else:
        note = f"\n[cuectl: {len(data) - 2 * part} bytes left out here]\n".encode()
        assert short == data[:part] + note + data[-part:]


def test_the_owner_of_a_fence_is_read_from_it() -> None:
    assert wire.host_in_fence(wire.fence_of_worker("a:b.lan", "n")) == "a:b.lan"
    assert wire.host_in_fence(wire.withdrawal("n")) is None


def test_a_child_has_one_id_for_each_word() -> None:
    ids = {cue_id(wire.child_randomness(key, word)) for key in "ab" for word in "12"}
    assert len(ids) == 4
    assert all(is_cue_id(one) for one in ids)
    assert cue_id(wire.child_randomness("a", "1")) in ids


def test_the_names_of_cells_differ() -> None:
    of_key = (wire.fence, wire.lease, wire.result, wire.ack, wire.cancel, wire.asks, wire.refused)
    others = (wire.blob, wire.epoch, wire.workers, wire.drops, wire.queue)
    names = {name("x") for name in (*of_key, *others)}
    assert len(names) == len(of_key) + len(others)
    assert wire.queue("farm", "gpu") == "cue.farm.gpu"


def test_a_definition_has_one_hash_in_whatever_directory() -> None:
    one = Handler(name="a", cwd="/control", argv=("true",), env={"A": "1", "B": "2"})
    same = Handler(name="b", cwd="/worker", argv=("true",), env={"B": "2", "A": "1"})
    assert wire.definition_hash(one) == wire.definition_hash(same)
    assert wire.definition_hash(one) != wire.definition_hash(replace(one, argv=("false",)))
    agent = AgentDefinition(name="a", driver="claude", cwd="/w")
    assert wire.definition_hash(agent) == wire.definition_hash(replace(agent, cwd="/v"))
