"""A real worker: what it runs, what it refuses, what comes back. One Redis and one worker."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from cuectl.executions.rules import wire
from cuectl.executions.rules.record import Cause
from cuectl.executions.rules.wire import Kind
from cuectl.values.ids import hex_hash
from cuectl.values.records import replace
from tests.fixtures.fleet import SECRET, Fleet, outcome_of, text_of
from tests.fixtures.observing import is_gone, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fixtures.redis import RedisServer

DEFINITIONS = """\
secrets: [API_TOKEN]
handlers:
  wait: {cmd: ./handler.sh}
  show:
    cmd: "env; echo token=$API_TOKEN; cat \\"${CUE_PAYLOAD_FILE:-/dev/null}\\" | sha256sum"
    shell: true
    env: {API_TOKEN: "${API_TOKEN}", WHO: "{{who}}"}
  make:
    cmd: "printf made > made.txt; cuectl report --success --artifact made.txt --summary $API_TOKEN"
    shell: true
  fail: {cmd: "echo bad; exit 7", shell: true}
  lost: {cmd: [not-there]}
  unset: {cmd: "true", env: {X: "${NOT_SET_ANYWHERE}"}}
  much: {cmd: "yes 0123456789 | head -c 3000000", shell: true}
  leaves: {cmd: "setsid sleep 3600 & echo $! > child; ./handler.sh", shell: true}
  chain:
    shell: true
    cmd: |
      cuectl chain --task make --key same --payload '{"a": 1}' -q &&
      cuectl chain --task make --key same --payload '{"a": 2}' -q &&
      cuectl chain --name second --in 5m -q -- ./next.sh &&
      cuectl chain --when success --in 1m -q -- true
  chain-then-wait: {cmd: "cuectl chain --task make -q && ./handler.sh", shell: true}
agents:
  echo: {driver: command, cmd: "cat", cwd: .}
"""
TOKEN = "sk-1234567890-very-secret"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, redis_server: RedisServer) -> Iterator[Fleet]:
    made = Fleet(tmp_path_factory.mktemp("fleet"), redis_server, DEFINITIONS)
    made.environment["API_TOKEN"] = TOKEN
    made.start("--labels", "gpu", "--concurrency", "2")
    yield made
    made.stop()


def test_it_runs_its_own_handlers_with_what_was_sent(fleet: Fleet) -> None:
    start = fleet.run("show", payload={"who": "you & me", "deep": [1]})
    end = fleet.end(start)
    assert (end.ended.exit_code, end.ended.lost, end.ended.cause) == (0, False, None)
    assert end.host == "machine-1"
    assert end.ended.duration_s is not None
    shown = dict(line.split("=", 1) for line in text_of(end).splitlines() if "=" in line)
    assert shown["CUE_EXECUTION_ID"] == start.execution.id
    assert json.loads(shown["CUEAPI_PAYLOAD"]) == {"who": "you & me", "deep": [1]}
    assert shown["WHO"] == "you & me"
    assert shown["CUE_WORKER_ID"] == "machine-1"
    assert shown["token"] == "***"
    assert "CUECTL_FLEET_KEY" not in shown
    until(lambda: fleet.is_forgotten(start), "what was taken is forgotten")


def test_no_secret_is_in_any_byte_between(fleet: Fleet) -> None:
    fleet.end(fleet.run("show"))
    start = fleet.run("make")
    end = fleet.end(start)
    for data in (*map(wire.unpack, end.files.values()), json.dumps(end.to_record()).encode()):
        assert TOKEN.encode() not in data
    for path in fleet.server.folder.rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes()


def test_evidence_comes_back(fleet: Fleet) -> None:
    end = fleet.end(fleet.run("make"))
    (fact,) = end.facts
    assert fact.name == fact.path == str(fleet.folder / "made.txt")
    assert (fact.exists, fact.is_file, fact.size) == (True, True, 4)
    assert fact.sha256 == hashlib.sha256(b"made").hexdigest()
    assert outcome_of(end)["success"] is True


def test_a_bad_end_is_told(fleet: Fleet) -> None:
    end = fleet.end(fleet.run("fail"))
    assert (end.ended.exit_code, text_of(end)) == (7, "bad\n")


@pytest.mark.parametrize(("task", "name"), [("lost", "'not-there'"), ("unset", "NOT_SET_ANYWHERE")])
def test_what_can_not_be_started_is_told(fleet: Fleet, task: str, name: str) -> None:
    end = fleet.end(fleet.run(task))
    assert name in (end.ended.spawn_error or "")
    assert end.files == {}


def test_of_much_output_head_and_tail_come_back(fleet: Fleet) -> None:
    text = text_of(fleet.end(fleet.run("much")))
    assert text.startswith("0123456789\n")
    left_out = 3_000_000 - wire.HEAD_BYTES - wire.TAIL_BYTES
    assert f"[cuectl: {left_out} bytes left out here]" in text
    assert len(text) < wire.HEAD_BYTES + wire.TAIL_BYTES + 100


def test_a_large_payload_has_a_cell_of_its_own(fleet: Fleet) -> None:
    data = json.dumps({"text": "x" * 300_000}).encode()
    digest = hex_hash(data)
    fleet.cells.ask(("SET", wire.blob(digest), wire.pack(data)))
    end = fleet.end(fleet.run("show", payload_blob=digest))
    written = json.dumps(json.loads(data), separators=(", ", ": ")).encode()
    assert hashlib.sha256(written).hexdigest() in text_of(end)


def test_an_agent_is_asked_with_the_prompt_that_was_sent(fleet: Fleet) -> None:
    target = {"type": "agent", "agent": "echo", "prompt": "You are {{AGENT_NAME}}."}
    end = fleet.end(fleet.run(target))
    assert text_of(end) == "You are echo."
    assert end.ended.exit_code == 0


def test_a_start_that_comes_three_times_starts_once(fleet: Fleet) -> None:
    before = fleet.drops().get("taken", 0)
    start = fleet.run("wait")
    fleet.has_begun(start)
    fleet.send(start)
    fleet.let_go(start)
    until(lambda: fleet.drops().get("taken", 0) == before + 1, "the second was dropped")
    end = fleet.end(start)
    until(lambda: fleet.is_forgotten(start))
    # The store has forgotten its fence; the machine has not.
    fleet.cells.ask(("DEL", wire.fence(start.key)))
    fleet.send(start)
    until(lambda: fleet.drops().get("taken", 0) == before + 2, "the third was dropped")
    assert fleet.lines(start) == ["start", "end"]
    assert end.ended.exit_code == 0


def test_what_is_forged_late_withdrawn_or_of_another_time_starts_nothing(fleet: Fleet) -> None:
    before = fleet.drops()

    def more(name: str) -> int:
        return fleet.drops().get(name, 0) - before.get(name, 0)

    starts = [fleet.start_of("wait") for _ in range(4)]
    forged, late, other, withdrawn = starts
    fleet.send(forged, "another key, which is long too")
    fleet.send(replace(late, start_by=fleet.cells.now_ms() - 1))
    fleet.send(replace(other, epoch="an older word"))
    assert fleet.cells.take(wire.fence(withdrawn.key), wire.withdrawal("1"))
    fleet.send(withdrawn)
    names = ("signature", "late", "epoch", "taken")
    until(lambda: [more(name) for name in names] == [1, 1, 1, 1], "all were dropped")
    assert [fleet.lines(one) for one in starts] == [[], [], [], []]


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("nobody-knows", "no_handler"),
        ({"type": "agent", "agent": "stranger", "prompt": "x"}, "no_handler"),
        ({"type": "workflow", "workflow": "w"}, "no_handler"),
        ({"type": "command", "argv": ["true"]}, "commands"),
    ],
)
def test_what_is_not_for_it_is_refused_and_stays_free(
    fleet: Fleet, target: dict[str, object] | str, why: str
) -> None:
    start = fleet.run(target)
    cell = wire.refused(start.key)
    assert until(lambda: fleet.cells.texts([cell])[0]) == f"{why} machine-1".encode()
    assert fleet.cells.texts([wire.fence(start.key)]) == [None]


def test_another_definition_is_refused_where_the_executor_is_strict(fleet: Fleet) -> None:
    strict = fleet.run("fail", definition="0" * 24, strict=True)
    cell = wire.refused(strict.key)
    assert until(lambda: fleet.cells.texts([cell])[0]) == b"definition machine-1"
    plain = fleet.run("fail", definition="0" * 24)
    assert fleet.end(plain).definition not in (None, "0" * 24)


def test_a_tree_is_ended_at_its_limit(fleet: Fleet) -> None:
    end = fleet.end(fleet.run("leaves", timeout_s=2.0))
    assert end.ended.cause is Cause.TIMEOUT
    assert is_gone(int((fleet.folder / "child").read_text()))


def test_a_tree_is_ended_when_it_is_cancelled(fleet: Fleet) -> None:
    start = fleet.run("leaves")
    fleet.has_begun(start)
    fleet.cancel(start, "another key, which is long too")
    fleet.cancel(start)
    end = fleet.end(start)
    assert end.ended.cause is Cause.CANCEL
    assert fleet.lines(start) == ["start"]
    assert is_gone(int((fleet.folder / "child").read_text()))


def test_labels_and_the_name_of_the_machine_are_queues(fleet: Fleet) -> None:
    for label in ("gpu", "@machine-1"):
        start = fleet.start_of("fail", executor=f"farm/{label}")
        fleet.send(start, label=label)
        assert fleet.end(start).ended.exit_code == 7


def test_it_says_what_it_is(fleet: Fleet) -> None:
    said = json.loads(fleet.cells.mapping(wire.workers("farm"))["machine-1"])
    assert said.pop("seen_ms") <= fleet.cells.now_ms()
    assert said.pop("running") >= 0
    assert said == {
        "labels": ["gpu"],
        "slots": 2,
        "wire": 1,
        "handlers": sorted(
            "wait show make fail lost unset much leaves chain chain-then-wait".split()
        ),
        "agents": ["echo"],
        "accept_commands": False,
    }


def test_a_handler_chains_what_is_made_where_the_store_is(fleet: Fleet) -> None:
    start = fleet.run("chain", payload={"n": 1})
    end = fleet.end(start)
    assert end.ended.exit_code == 0, text_of(end)
    ids = text_of(end).split()
    assert [one["identity"] for one in end.asks] == ["same", "name:second", "ask:1.3"]
    ids = [word for word in ids if word.startswith("cue_")]
    assert ids == [end.asks[number]["draft"]["id"] for number in (0, 0, 1, 2)]
    first, second, third = (one["draft"] for one in end.asks)
    assert (first["task"], first["payload"]) == ("make", {"a": 1})
    assert "cwd" not in second
    assert second["at"].endswith("Z")
    assert third["argv"] == ["true"]
    assert (end.asks[2]["when"], end.asks[2]["delay_s"]) == ("success", 60.0)


def test_an_ask_is_there_before_the_end(fleet: Fleet) -> None:
    start = fleet.run("chain-then-wait")
    fleet.has_begun(start)
    cell = wire.asks(start.key)
    sealed = until(lambda: fleet.cells.texts([cell])[0], "the ask is sent")
    said = wire.unseal(SECRET, Kind.ASKS, sealed)
    assert said["key"] == start.key
    assert [one["draft"]["task"] for one in said["asks"]] == ["make"]
    fleet.let_go(start)
    assert len(fleet.end(start).asks) == 1
