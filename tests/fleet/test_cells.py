"""The store between the machines, with a real Redis."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest

from cuectl.executions.executors.celery_app import Publisher
from cuectl.executions.executors.cells import CellError, Cells, NoAnswer
from cuectl.executions.rules import wire
from cuectl.values.errors import UsageError
from tests.fixtures.redis import needs_redis

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fixtures.redis import RedisServer


@needs_redis
def test_some_commands_go_at_once(redis_server: RedisServer) -> None:
    cells = redis_server.cells()
    assert cells.ask() == []
    large = bytes(range(256)) * 5_000
    asked = (("SET", "a", large), ("GET", "a"), ("GET", "none"), ("DEL", "a"))
    assert cells.ask(*asked) == [b"OK", large, None, 1]
    assert cells.ask(("SET", "ü", "ö"), ("HSET", "h", "k", 1)) == [b"OK", 1]
    assert cells.texts(["ü", "none", "h"]) == ["ö".encode(), None, None]
    assert cells.texts([]) == []
    assert cells.mapping("h") == {"k": b"1"}
    assert cells.mapping("none") == {}
    with pytest.raises(CellError, match="ERR unknown command"):
        cells.ask(("NOSUCH",))
    assert cells.texts(["ü"]) == ["ö".encode()], "an error must not put answers out of step"
    first = cells.now_ms()
    assert first <= cells.now_ms()
    cells.close()


@needs_redis
def test_a_cell_is_taken_once_and_known_again(redis_server: RedisServer) -> None:
    cells = redis_server.cells()
    assert cells.take("fence:1", "worker:a:1")
    assert cells.take("fence:1", "worker:a:1"), "after an unclear answer it is found to be ours"
    assert not cells.take("fence:1", "withdrawn:2")
    cells.give_back("fence:1", "withdrawn:2")
    assert cells.texts(["fence:1"]) == [b"worker:a:1"]
    cells.give_back("fence:1", "worker:a:1")
    assert cells.take("fence:1", "withdrawn:2")
    cells.close()


@needs_redis
@pytest.mark.parametrize("rounds", [50, pytest.param(3_000, marks=pytest.mark.sweep)])
def test_a_start_or_a_withdrawal_never_both(redis_server: RedisServer, rounds: int) -> None:
    redis_server.clear()
    meeting = threading.Barrier(2)
    won: dict[str, list[bool]] = {"worker": [], "pass": []}

    def race(name: str, value: Callable[[str], str]) -> None:
        cells = redis_server.cells()
        for number in range(rounds):
            meeting.wait(60)
            won[name].append(cells.take(wire.fence(f"race.{number}"), value(f"{number}")))
        cells.close()

    def at_host(nonce: str) -> str:
        return wire.fence_of_worker("host", nonce)

    threads = [
        threading.Thread(target=race, args=("worker", at_host)),
        threading.Thread(target=race, args=("pass", wire.withdrawal)),
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    assert [a ^ b for a, b in zip(won["worker"], won["pass"], strict=True)] == [True] * rounds


@needs_redis
def test_it_comes_back_with_all_that_it_has_confirmed(redis_server: RedisServer) -> None:
    cells = redis_server.cells()
    assert cells.take("fence:2", "worker:a:1")
    redis_server.kill()
    with pytest.raises(NoAnswer) as caught:
        cells.take("fence:2", "withdrawn:1")
    assert caught.value.message.startswith(f"'{redis_server.url}' does not answer: ")
    with pytest.raises(NoAnswer):
        cells.take("fence:2", "withdrawn:1")
    redis_server.start()
    assert not cells.take("fence:2", "withdrawn:1")
    cells.close()


@needs_redis
def test_an_answer_that_is_lost_does_not_lose_the_fence(redis_server: RedisServer) -> None:
    """A proxy hands the question on and drops the answer."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        def swallow() -> None:
            ours, _ = listening.accept()
            with ours, socket.create_connection(("127.0.0.1", redis_server.port)) as theirs:
                theirs.sendall(ours.recv(65_536))
                assert theirs.recv(65_536), "it was done"

        proxy = threading.Thread(target=swallow)
        proxy.start()
        with pytest.raises(NoAnswer):
            Cells(f"redis://127.0.0.1:{port}/0", limit_s=60).take("fence:3", "worker:a:9")
        proxy.join(60)
    cells = redis_server.cells()
    assert cells.take("fence:3", "worker:a:9")
    assert not cells.take("fence:3", "withdrawn:9")
    cells.close()


@needs_redis
def test_a_password_and_another_database(redis_server: RedisServer) -> None:
    plain = redis_server.cells()
    plain.ask(("ACL", "SETUSER", "bob", "on", ">se cret", "~*", "+@all"))
    url = f"redis://bob:se%20cret@127.0.0.1:{redis_server.port}/3"
    other = Cells(url)
    other.ask(("SET", "only-here", 1))
    assert plain.texts(["only-here"]) == [None]
    assert other.shown == f"redis://127.0.0.1:{redis_server.port}/3"
    with pytest.raises(CellError, match="WRONGPASS"):
        Cells(url.replace("se%20", "")).ask(("PING",))
    for one in (plain, other):
        one.close()


def test_what_does_not_answer_is_told_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        with pytest.raises(NoAnswer) as caught:
            Cells(f"redis://127.0.0.1:{port}/0", limit_s=0.05).now_ms()
    assert caught.value.message == f"'redis://127.0.0.1:{port}/0' does not answer: timed out"
    with pytest.raises(NoAnswer, match="Connection refused"):
        Cells(f"redis://127.0.0.1:{port}/0").now_ms()


@pytest.mark.parametrize(
    "text", ["", "farm", "http://a", "redis://", "redis://a:x/0", "redis://a/b"]
)
def test_a_url_that_leads_nowhere_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        Cells(text)


def test_another_service_is_not_taken_for_redis() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            one, _ = listening.accept()
            with one:
                one.recv(1024)
                one.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(NoAnswer, match="Redis protocol"):
            Cells(f"redis://127.0.0.1:{listening.getsockname()[1]}/0", limit_s=60).now_ms()
        thread.join(60)


@pytest.mark.parametrize("broker", ["amqp://127.0.0.1:1//", "redis://127.0.0.1:1/0"])
def test_a_broker_that_is_not_there_is_told_as_such(broker: str) -> None:
    publisher = Publisher("redis://127.0.0.1:1/0", broker)
    with pytest.raises(NoAnswer, match="the broker accepts no messages"):
        publisher.publish("cue.farm", "sealed")
    publisher.close()
