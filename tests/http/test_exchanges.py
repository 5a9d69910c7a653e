"""Every exchange of the peer's clients, against `serve`: status, code, keys, place of a mistake."""

from __future__ import annotations

import json
from functools import partial
from importlib.resources import files
from itertools import count, pairwise
from typing import TYPE_CHECKING, Any

import pytest

from tests.fixtures.forking import quick
from tests.fixtures.observing import until
from tests.http.client import Client, Serve
from tests.http.exchanges import EXCHANGES, Exchange, cron, hook, once, worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


PROOF = worker(verification={"mode": "require_external_id"})
URL = "https://example.com/h"


class Account:
    """What the peer's user has: cues and executions, made when a request names them."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._number = count(1)
        self._made: dict[str, Callable[[], str]] = {
            "name": self._name,
            "cue": self._cue,
            "hook": partial(self._cue, hook()),
            "paused": self._paused,
            "pending": self._pending,
            "claimed": self._claimed,
            "done": partial(self._ended, success=True),
            "failed": partial(self._ended, success=False, error="e"),
            "asked": partial(self._ended, worker(verification={"mode": "manual"}), success=True),
            "unproven": partial(self._ended, PROOF, success=True),
            "newyork": partial(self._cue, worker(schedule=cron(timezone="America/New_York"))),
            "described": partial(self._cue, worker(description="d")),
            "put": partial(self._cue, hook(callback={"url": URL, "method": "PUT"})),
            "here": partial(self._pending, worker(payload={"task": "here"})),
            "orphan": self._orphan,
            "finished": lambda: self._finished("id"),
            "finished_name": lambda: self._finished("name"),
        }

    def filled(self, text: str) -> str:
        """Return a text with an id of its own for each word in braces."""
        for word, make in self._made.items():
            if f"{{{word}}}" in text:
                text = text.replace(f"{{{word}}}", make())
        return text

    def _name(self) -> str:
        return f"n{next(self._number)}"

    def _cue(self, body: dict[str, Any] | None = None) -> str:
        body = {**(body or worker()), "name": self._name()}
        return str(self.client.post("/v1/cues", body).gives(201)["id"])

    def _paused(self) -> str:
        identity = self._cue()
        self.client.patch(f"/v1/cues/{identity}", {"status": "paused"}).gives()
        return identity

    def _pending(self, body: dict[str, Any] | None = None) -> str:
        return str(self.client.post(f"/v1/cues/{self._cue(body)}/fire").gives()["id"])

    def _claimed(self, body: dict[str, Any] | None = None) -> str:
        identity = self._pending(body)
        path = f"/v1/executions/{identity}/claim"
        self.client.post(path, {"worker_id": "w"}).gives()
        return identity

    def _ended(self, body: dict[str, Any] | None = None, **outcome: Any) -> str:
        identity = self._claimed(body)
        self.client.post(f"/v1/executions/{identity}/outcome", outcome).gives()
        return identity

    def _orphan(self) -> str:
        identity = self._ended(success=True)
        cue = self.client.get(f"/v1/executions/{identity}").gives()["cue_id"]
        self.client.delete(f"/v1/cues/{cue}").gives(204)
        return identity

    def _finished(self, member: str) -> str:
        soon = worker(payload={"task": "once"}, schedule=once("in 1 second"))
        cue = self._cue(soon)
        path = f"/v1/cues/{cue}"
        claimable = "/v1/executions/claimable?task=once"
        until(lambda: self.client.get(claimable).gives()["executions"], "it is due")
        (row,) = self.client.get(claimable).gives()["executions"]
        outcome = f"/v1/executions/{row['execution_id']}/outcome"
        self.client.post(outcome, {"success": True}).gives()
        shown = self.client.get(path).gives()
        assert shown["status"] == "completed", shown
        return str(shown[member])


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory, programs: Path) -> Iterator[Account]:
    """One server for all exchanges; none has to do with another."""
    cuectl = quick(tmp_path_factory.mktemp("peer"), programs)
    cuectl.home.mkdir(mode=0o700)
    (cuectl.home / "cue.yaml").write_text("handlers: {here: 'true'}\n")
    with Serve(cuectl, "--port", "0") as served:
        served.client.post("/v1/cues", {**worker(), "name": "taken"}).gives(201)
        yield Account(served.client)
    cuectl.check()


def test_the_page_lists_what_differs() -> None:
    page = files("cuectl.cli.manual.topics") / "cuectl-migrate-cueapi.7.md"
    _, _, rest = page.read_text().partition("\n# WHAT IS ANSWERED DIFFERENTLY\n")
    lines = rest.partition("\n# ")[0].split("\n")
    terms = [line for line, after in pairwise(lines) if after.startswith(": ")]
    assert terms == list(dict.fromkeys(one.differs for one in EXCHANGES if one.differs))
    assert len(EXCHANGES) > 300


@pytest.mark.parametrize("one", EXCHANGES, ids=range(len(EXCHANGES)))
def test_the_answer_is_the_peers(account: Account, one: Exchange) -> None:
    method, path = account.filled(one.request).split(" ", 1)
    raw = one.raw
    if one.body is not None:
        raw = account.filled(json.dumps(one.body)).encode()
    answer = account.client.ask(method, path, raw=raw, **one.headers)
    error = (answer.body or {}).get("error") or {}
    assert (answer.status, error.get("code")) == (one.status, one.code), (one, answer.body)
    missing = set(one.keys.split()) - set(answer.body or {})
    assert not missing, (one, missing)
    if one.where is not None:
        assert error["details"][0]["field"] == one.where, (one, answer.body)
    for place, expected in one.values.items():
        found: Any = answer.body
        for name in place.split("."):
            found = found[name]
        assert found == expected, (one, place, found)
