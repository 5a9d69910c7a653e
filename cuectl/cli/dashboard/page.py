"""The page as a whole."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from importlib.resources import files
from typing import TYPE_CHECKING

from cuectl.cli.dashboard import parts
from cuectl.cli.dashboard.text import h
from cuectl.cli.dashboard.timeline import timeline
from cuectl.model.graph_svg import STYLE, svg_of
from cuectl.model.zones import local_text

if TYPE_CHECKING:
    from cuectl.engine.dashboard import DashboardData

_FOLDER = files("cuectl.cli.dashboard")
_SECTIONS = (
    *(("findings", "Is it working?"), ("timeline", "Timeline"), ("calendar", "Coming fires")),
    *(("failures", "Failures"), ("alerts", "Alerts"), ("chains", "Chains")),
    *(("graph", "What starts what"), ("executions", "Executions")),
)


def page(data: DashboardData) -> str:
    """Return the HTML file."""
    script = (_FOLDER / "script.js").read_text(encoding="utf-8").strip()
    style = (_FOLDER / "style.css").read_text(encoding="utf-8") + STYLE
    bodies = _bodies(data)
    sections = "".join(
        f'<section id="{name}"><h2>{h(title)}</h2>{bodies[name]}</section>'
        for name, title in _SECTIONS
    )
    links = "".join(f'<a href="#{name}">{h(title)}</a>' for name, title in _SECTIONS)
    made = h(local_text(data.now, data.zone, seconds=False))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(script)}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<title>cuectl</title><link rel="icon" href="data:,"><style>{style}</style></head><body>'
        f"<header><h1>cuectl</h1><p class=soft>{h(data.report.home)}, made {made}</p>"
        f"<nav>{links}</nav></header><main>{sections}</main>"
        f'<script type="application/json" id="data">{parts.rows_data(data)}</script>'
        f"<script>{script}</script></body></html>\n"
    )


def _policy(script: str) -> str:
    """Return what the browser may do: run this very script, and load nothing at all."""
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _bodies(data: DashboardData) -> dict[str, str]:
    def when(at: int) -> str:
        return local_text(at, data.zone, seconds=False)

    def day_of(at: int) -> str:
        return when(at)[:14]

    def time_of(at: int) -> str:
        return when(at)[15:20]

    drawn = svg_of(data.graph, standalone=False, title="What starts what")
    nothing = "<p class=soft>No cue yet: <code>cuectl create --help</code></p>"
    more = "<p class=soft>Older executions are not on this page.</p>" if data.left_out else ""
    return {
        "findings": parts.figures(data, when) + parts.findings(data),
        "timeline": f"<div class=wide>{timeline(data.executions, data.now, when)}</div>",
        "calendar": parts.calendar(data, day_of, time_of),
        "failures": parts.failures(data, when),
        "alerts": parts.alert_rows(data.alerts, when),
        "chains": parts.chains(data, when),
        "graph": f"<div class=wide>{drawn}</div>" if data.graph.nodes else nothing,
        "executions": parts.table(data, when) + more,
    }
