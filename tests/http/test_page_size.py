"""What a page weighs, whatever it is about; what it costs is measured by `pytest -m bench`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from cuectl.cues.lookup import all_cues
from cuectl.process.runtime import runtime_from
from cuectl.store import paths
from cuectl.store.journal.lines import JournalEntry
from cuectl.values.records import replace
from tests.fixtures.background import run_all
from tests.http.client import Serve
from tests.http.test_site import run_of
from tests.http.visit import Visit

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.store.journal.lines import Views
    from tests.fixtures.builder import Cuectl

MOST_BYTES = 60_000
START = "2026-11-21T02:00:00Z"


def hundred(cuectl: Cuectl) -> None:
    """Make a hundred cues that have run thirty times, no two runs alike."""
    cuectl.at(START)
    create = ("create", "--cron", "5 2 * * *", "--name")
    run_all(cuectl, [[*create, f"nightly-report-{one}", "--", "true"] for one in range(100)])
    runtime = runtime_from({**cuectl.environment}, str(cuectl.home))
    with runtime.store.transaction(runtime.now()) as tx:
        for number, (cue, state) in enumerate(list(all_cues(tx))):
            ends = [f"{'f' if (number + one) % 9 == 0 else 'p'}{one * 7 % 13 + 1}"
                    for one in range(30)]  # fmt: skip
            last = {"id": "exec_01m7xx9x80e000000000000a", "at": runtime.now() - number * 60_000,
                    "verdict": "passed", "why": "4 tables, 4.1 kB, nothing unusual"}  # fmt: skip
            after = replace(state, recent=" ".join(ends), last_end=last, last_run=runtime.now())
            views: Views = {paths.state(cue.id): after.to_record()}
            tx.stage(JournalEntry(type="cue.changed", ids=cue.journal_ids, set=views))


def test_a_hundred_cues_fit_into_sixty_kilobytes(cuectl: Cuectl) -> None:
    hundred(cuectl)
    with Serve(cuectl, "--port", "0", "--actions") as serve:
        visit = Visit(serve)
        page = visit.ask("GET", visit.base)
    assert page.html.count("svg") == 100
    assert len(page.body) <= MOST_BYTES


def test_an_output_of_ten_megabytes_does_too(cuectl: Cuectl) -> None:
    cuectl.at(START)
    shell = "yes 'POST <b>https://crm.example</b> & so on -> 401' | head -c 10000000"
    cuectl.run("create", "--name", "loud", "--shell", shell)
    cuectl.run("fire", "loud")
    cuectl.run("run-due")
    with Serve(cuectl, "--port", "0") as serve:
        visit = Visit(serve)
        place = run_of(visit, "loud")
        page = visit.ask("GET", visit.base + place)
        raw = visit.ask("GET", f"{visit.base}{place}/raw")
    assert len(page.body) <= MOST_BYTES
    assert "10.0 MB" in page.html.said
    assert len(raw.body) == 10_000_000
    # The last line has the number that it has in the whole.
    ids = [known["id"] for tag, known in page.html.tags if tag == "b" and "id" in known]
    last = raw.body.count(b"\n") + 1
    assert ids[-1] == f"L{last}"


def spent_s(serve: Serve, act: Callable[[], object]) -> float:
    """Return how much processor time the server spends on it."""

    def used() -> int:
        with open(f"/proc/{serve.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    before = used()
    for _ in range(40):
        act()
    return (used() - before) / os.sysconf("SC_CLK_TCK") / 40


@pytest.mark.bench
def test_a_hundred_cues_cost_at_most_thrice_what_the_interface_takes(cuectl: Cuectl) -> None:
    hundred(cuectl)
    with Serve(cuectl, "--port", "0") as serve:
        visit = Visit(serve)
        visit.page()
        floor = spent_s(serve, lambda: serve.client.get("/v1/cues?limit=100").gives())
        page = spent_s(serve, visit.page)
    print(f"\npage of 100 cues against GET /v1/cues: {page / floor:.2f}")
    assert page < 3 * floor
