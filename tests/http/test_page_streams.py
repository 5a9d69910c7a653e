"""News of the page: rows and output as they come, bounded, and never at the cost of others."""

from __future__ import annotations

import json
import socket
from contextlib import closing
from typing import TYPE_CHECKING, Any

from cuectl.http.page.live import MOST_STREAMS
from cuectl.process.runtime import runtime_from
from tests.cli.many import settle_many
from tests.fixtures.observing import until
from tests.http.client import Serve
from tests.http.test_site import run_of
from tests.http.visit import LIMIT_S, Html, Visit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fixtures.background import Passes
    from tests.fixtures.builder import Cuectl

START = "2026-11-21T02:00:00Z"
Event = tuple[str, str, Any]


class Stream:
    """One stream of a page, read event by event."""

    def __init__(self, visit: Visit, query: str, **headers: str) -> None:
        self.sock = socket.create_connection(("127.0.0.1", visit.port), timeout=LIMIT_S)
        more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        head = (
            f"GET {visit.base}live?{query} HTTP/1.1\r\nHost: 127.0.0.1:{visit.port}\r\n{more}\r\n"
        )
        self.sock.sendall(head.encode())
        self._data = b""
        self.head = self._until(b"\r\n\r\n").decode()
        self.status = int(self.head.split()[1])

    def _until(self, end: bytes) -> bytes:
        while end not in self._data:
            part = self.sock.recv(65_536)
            assert part, f"ended: {self._data!r}"
            self._data += part
        found, _, self._data = self._data.partition(end)
        return found

    def events(self) -> Iterator[Event]:
        """Yield what comes; a comment is left out."""
        while True:
            fields = dict(line.split(": ", 1) for line in self._until(b"\n\n").decode().split("\n")
                          if not line.startswith(":"))  # fmt: skip
            if fields:
                yield fields["event"], fields.get("id", ""), json.loads(fields["data"])

    def until(self, kind: str) -> list[Event]:
        """Return what comes, up to the first event of a kind."""
        found: list[Event] = []
        for one in self.events():
            found.append(one)
            if one[0] == kind:
                return found
        raise AssertionError

    def close(self) -> None:
        self.sock.close()


def made(cuectl: Cuectl, *names: str) -> None:
    for name in names:
        cuectl.run("create", "--name", name, "--every", "1h", "--", "echo", name)


def test_a_row_comes_when_something_happens_to_its_cue(cuectl: Cuectl) -> None:
    made(cuectl, "one", "two")
    with Serve(cuectl, "--port", "0", "--actions") as serve:
        visit = Visit(serve)
        page = visit.page()
        (news,) = (known["data-live"] for tag, known in page.tags if tag == "body")
        with closing(Stream(visit, str(news))) as stream:
            assert stream.status == 200
            assert "text/event-stream" in stream.head
            assert "content-length" not in stream.head.lower()
            visit.send(visit.page("cues/two").form("Pause"), "cues/two")
            row, above = (next(stream.events()) for _ in range(2))
        cue_id = cuectl.json("get", "two")["id"]
        assert (row[0], row[2]["id"]) == ("put", cue_id)
        assert "two ‖ paused" in Html(row[2]["html"]).said
        assert (above[0], above[2]["id"]) == ("put", "summary")
        # What the page has is what the stream has sent.
        assert row[2]["html"].strip() in visit.page("").text
        # Who comes again is told what happened meanwhile, and of a cue that is gone.
        cuectl.run("delete", "two", "--yes")
        with closing(Stream(visit, str(news), Last_Event_ID=above[1])) as stream:
            gone = next(stream.events())
        assert gone[2] == {"id": cue_id, "html": ""}


def test_output_comes_from_its_first_byte_and_then_the_end(cuectl: Cuectl, passes: Passes) -> None:
    cuectl.home.mkdir(mode=0o700)
    (cuectl.home / "cue.yaml").write_text("secrets: [TOKEN]\n")
    cuectl.env(TOKEN="hush-hush-4711")
    wait = "while [ ! -e {} ]; do sleep 0.02; done"
    script = (
        f"printf before; touch begun; {wait.format('go')}; "
        f"printf ' \\033[31mafter %s\\n' $TOKEN; {wait.format('end')}; echo last"
    )
    cuectl.run("create", "--name", "slow", "--shell", script)
    cuectl.run("fire", "slow")
    with Serve(cuectl, "--port", "0") as serve:
        visit = Visit(serve)
        at_work = passes.start()
        until((cuectl.work / "begun").exists, "it has begun")
        place = run_of(visit, "slow")
        page = visit.page(place)
        assert "before" in page.said
        assert "▸ running" in page.said
        (news,) = (known["data-live"] for tag, known in page.tags if tag == "body")
        with closing(Stream(visit, str(news))) as stream:
            (cuectl.work / "go").touch()
            out = stream.until("out")[-1]
            assert out[2][-1][0] == "c1"
            (cuectl.work / "end").touch()
            rest = stream.until("end")
        said = "".join(text for kind, _, runs in (out, *rest) if kind == "out" for _, text in runs)
        assert said.endswith("after ***\nlast\n")
        assert "hush" not in said
        at_work.end()
        assert "✓ passed" in visit.page(place).said
        # Of one that has ended there is no news but that.
        with closing(Stream(visit, f"view=run&id={place[11:]}&from=0")) as stream:
            assert [one[0] for one in stream.until("end")] == ["out", "end"]


def test_streams_are_bounded_and_a_slow_reader_delays_nobody(cuectl: Cuectl) -> None:
    made(cuectl, *(f"cue-{number}" for number in range(6)))
    with Serve(cuectl, "--port", "0", "--actions") as serve:
        visit = Visit(serve)
        # They read nothing; what is sent to them goes nowhere.
        silent = [Stream(visit, "view=cues&from=0") for _ in range(MOST_STREAMS - 1)]
        with closing(Stream(visit, "view=cues&from=0")) as stream:
            assert [one.status for one in (*silent, stream)] == [200] * MOST_STREAMS
            with closing(Stream(visit, "view=cues&from=0")) as late:
                assert late.status == 204
            for number in range(6):
                form = visit.page(f"cues/cue-{number}").form("Pause")
                assert visit.send(form, f"cues/cue-{number}").status == 303
                assert serve.client.get("/v1/cues").gives()["total"] == 6
            seen: set[str] = set()
            for _, _, told in stream.events():
                seen.update({told["id"]} if "paused" in told["html"] else ())
                if len(seen) == 6:
                    break
        for one in silent:
            one.close()
        # Their places are free again.
        until(lambda: status_of(visit) == 200, "there is room again")


def status_of(visit: Visit) -> int:
    with closing(Stream(visit, "view=cues&from=0")) as stream:
        return stream.status


def test_who_missed_too_much_loads_the_page_again(cuectl: Cuectl) -> None:
    settle_many(runtime_from({**cuectl.at(START).environment}, str(cuectl.home)), 600)
    with Serve(cuectl, "--port", "0") as serve:
        visit = Visit(serve)
        with closing(Stream(visit, "view=cues&from=0")) as stream:
            assert next(stream.events())[0] == "behind"
        with closing(Stream(visit, "view=cues&from=x")) as stream:
            assert next(stream.events())[0] == "behind"
        for query in ("view=run&id=exec_x", "view=nothing", ""):
            with closing(Stream(visit, query)) as stream:
                assert stream.status == 204, query
