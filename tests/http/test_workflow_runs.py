"""Runs of workflows over HTTP and on the page: how they stand, and how far they have come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.http.visit import Visit

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl
    from tests.http.client import Serve

FLOWS = """\
from cuectl.workflow import workflow

@workflow
async def tells(engine):
    engine.progress(2, 3, "<tests>")
    engine.set("branch", "main")
    return await engine.ask_human("go on?")

@workflow
async def done(engine):
    return "done"
"""


def test_how_far_a_run_has_come_is_shown(cuectl: Cuectl, served: Serve) -> None:
    cuectl.files({"flows.py": FLOWS, "cue.yaml": "workflows: [flows.py]\n"})
    assert cuectl.run("apply", "cue.yaml").status == 0
    assert cuectl.run("-q", "workflow", "run", "tells").status == 4
    assert cuectl.run("-q", "workflow", "run", "done").status == 0
    client = served.client
    page = client.get("/v1/workflows").gives()
    assert [one["workflow"] for one in page["workflows"]] == ["done", "tells"]
    assert page["workflows"] == cuectl.json("workflow", "runs")
    told = client.get("/v1/workflows?name=tells&status=waiting").gives()
    assert told["total"] == 1
    run = client.get(f"/v1/workflows/{told['workflows'][0]['id']}").gives()
    assert run["progress"] == {"done": 2, "total": 3, "note": "<tests>"}
    assert run["values"] == {"branch": "main"}
    assert client.get("/v1/workflows?limit=1&offset=1").gives()["workflows"] == [run]
    client.get("/v1/workflows/run_nobody").refuses(404, "not_found")
    shown = Visit(served).page(f"workflows/{run['id']}").text
    assert '<progress max="3.0" value="2.0"></progress> 2 of 3: &lt;tests&gt;' in shown
    assert "<dt>branch<dd>main" in shown
