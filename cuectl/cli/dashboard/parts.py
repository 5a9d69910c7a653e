"""The parts of the page besides the timeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.cli.dashboard.text import data_text, h, note, status_words
from cuectl.engine.dashboard import is_failure
from cuectl.model.instants import DAY, from_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cuectl.engine.dashboard import DashboardData
    from cuectl.model.alert import Alert

Record = dict[str, Any]

STATIC_ROWS = 100
MOST_FAILURES = 100
MOST_CHAINS = 40
MOST_MEMBERS = 400
_MOST_ALERTS = 100
_LISTED_FIRES = 3
_LONGEST = 2_000
_EVIDENCE = (
    *("reason", "error", "summary", "result", "external_id", "result_url", "result_ref"),
    *("artifacts", "metadata", "outcome_problem", "verify_reason", "output_path"),
)


def figures(data: DashboardData, when: Callable[[int], str]) -> str:
    """Return the figures at the top."""
    report = data.report
    last, work = report.scheduler.last_pass_at, report.work
    following = report.agenda.next_at
    rows = [
        ("last pass", "never" if last is None else when(last)),
        (
            "next",
            "nothing" if following is None else f"{report.agenda.next_name}, {when(following)}",
        ),
        ("running", str(len(work.running))),
        (
            "waiting",
            str(work.queued + work.pending + work.retrying + work.claimed + work.reporting),
        ),
        ("to verify", str(work.unverified)),
        ("failed in 24 h", str(sum(report.recent.failed.values()))),
        ("missed in 24 h", str(sum(report.recent.missed.values()))),
        ("open alerts", str(len(report.alerts))),
        ("cues", str(report.cues)),
    ]
    return f"<ul class=figures>{''.join(f'<li>{h(k)}<b>{h(v)}</b>' for k, v in rows)}</ul>"


def findings(data: DashboardData) -> str:
    """Return what is wrong, as `status` says it."""
    if not data.findings:
        return "<p class=good>All is well.</p>"
    return "".join(
        f'<p class="finding {one.level}"><b>{h(one.level)}</b>: {h(one.message)}'
        + (f"<br><code>{h(one.hint)}</code>" if one.hint else "")
        for one in data.findings
    )


def calendar(
    data: DashboardData, day_of: Callable[[int], str], time_of: Callable[[int], str]
) -> str:
    """Return the coming days with the fires in them."""
    if not data.fires:
        return "<p class=soft>No cue fires by itself in the next days.</p>"
    days: dict[str, dict[str, list[int]]] = {}
    for step in range(14):
        days.setdefault(day_of(data.now + step * DAY), {})
    for name, fires in data.fires.items():
        for at in fires:
            days.setdefault(day_of(at), {}).setdefault(name, []).append(at)
    return (
        f"<div class=days>{''.join(_day(day, cues, time_of) for day, cues in days.items())}</div>"
    )


def _day(day: str, cues: Mapping[str, Sequence[int]], time_of: Callable[[int], str]) -> str:
    lines = []
    for name, fires in sorted(cues.items(), key=lambda one: one[1][0]):
        if len(fires) <= _LISTED_FIRES:
            lines += [f"<div>{h(time_of(at))} {h(name)}</div>" for at in fires]
        else:
            lines.append(f"<div>{h(time_of(fires[0]))}… {h(name)} &times;{len(fires)}</div>")
    return (
        f"<div class=day><b>{h(day)}</b>{''.join(lines) or '<div class=soft>&ndash;</div>'}</div>"
    )


def chains(data: DashboardData, when: Callable[[int], str]) -> str:
    """Return the newest chains as trees."""
    members: dict[str, list[Record]] = {}
    for view in data.executions:
        members.setdefault(view["root_id"], []).append(view)
    found = [those for those in members.values() if len(those) > 1][:MOST_CHAINS]
    if not found:
        return "<p class=soft>No execution has chained another one.</p>"
    return "".join(_chain(those[:MOST_MEMBERS], when) for those in found)


def _chain(views: Sequence[Record], when: Callable[[int], str]) -> str:
    known = {view["id"]: view for view in views}
    below: dict[str | None, list[Record]] = {}
    for view in sorted(views, key=lambda one: str(one["id"])):
        parent = view["parent_id"] if view["parent_id"] in known else None
        below.setdefault(parent, []).append(view)
    parts: list[str] = ["<ul class=tree>"]
    # Without recursion: a text is what remains to be written, a record what is to be shown.
    stack: list[str | Record] = ["</ul>", *reversed(below.get(None, []))]
    while stack:
        one = stack.pop()
        if isinstance(one, str):
            parts.append(one)
            continue
        word, name = status_words(one)
        at = from_text(one["started_at"] or one["scheduled_for"])
        said = (
            f" <span class=soft>{h(one['outcome_state'] or '')} {h(when(at))} {h(note(one))}</span>"
        )
        parts.append(f"<li><b>{h(one['cue_name'])}</b> <span class={name}>{h(word)}</span>{said}")
        children = below.get(one["id"], [])
        stack.append("</ul>" if children else "")
        stack += reversed(children)
        parts.append("<ul>" if children else "")
    return "".join(parts)


def failures(data: DashboardData, when: Callable[[int], str]) -> str:
    """Return what failed or is not believed, with what is known of it."""
    found = [view for view in data.executions if is_failure(view)]
    if not found:
        return "<p class=good>Nothing failed.</p>"
    outputs = data.outputs
    parts = [_failure(one, outputs.get(one["id"], ""), when) for one in found[:MOST_FAILURES]]
    more = len(found) - MOST_FAILURES
    rest = f"<p class=soft>and {more} older ones</p>" if more > 0 else ""
    return "".join([*parts, rest])


def _failure(view: Record, output: str, when: Callable[[int], str]) -> str:
    word, name = status_words(view)
    at = when(from_text(view["started_at"] or view["scheduled_for"]))
    rows = [("id", view["id"]), ("exit code", view["exit_code"])]
    rows += [(key.replace("_", " "), view.get(key)) for key in _EVIDENCE]
    shown = "".join(
        f"<dt>{h(key)}<dd>{h(_text(value))}"
        for key, value in rows
        if value not in (None, "", [], {})
    )
    head = f"<b>{h(view['cue_name'])}</b> <span class={name}>{h(word)}</span> {h(at)}"
    printed = f"<pre>{h(output)}</pre>" if output.strip() else ""
    head += f" <span class=soft>{h(note(view))}</span>"
    return f"<details><summary>{head}</summary><dl>{shown}</dl>{printed}</details>"


def _text(value: object) -> str:
    import json

    return (value if isinstance(value, str) else json.dumps(value))[:_LONGEST]


def alert_rows(alerts: Sequence[Alert], when: Callable[[int], str]) -> str:
    """Return the alerts, those that nobody has seen first."""
    if not alerts:
        return "<p class=soft>No alerts.</p>"
    order = sorted(alerts, key=lambda one: one.acknowledged_at is not None)[:_MOST_ALERTS]
    rows = "".join(_alert(one, when) for one in order)
    return f"<div class=wide><table><tr><th>raised<th>state<th>type<th>what{rows}</table></div>"


def _alert(alert: Alert, when: Callable[[int], str]) -> str:
    word, name = ("seen", "soft") if alert.acknowledged_at else ("open", "bad")
    return (
        f"<tr><td class=t>{h(when(alert.created_at))}<td class={name}>{word}"
        f"<td>{h(alert.type.value)}<td class=w>{h(alert.message)}"
    )


def table(data: DashboardData, when: Callable[[int], str]) -> str:
    """Return the newest executions as a table, and all of them as data beside it."""
    heads = [("started", ""), ("cue", ""), ("status", ""), ("outcome", "narrow"), ("took", "n"),
             ("note", "narrow"), ("id", "narrow")]  # fmt: skip
    head = "".join(f'<th class="{name}">{text}' for text, name in heads)
    rows = "".join(_row(view, when) for view in data.executions[:STATIC_ROWS])
    return (
        '<p class=screen><input id=filter placeholder="cue, status, id …" aria-label="Filter">'
        f" <span id=count class=soft></span></p><div class=wide><table><thead><tr>{head}</thead>"
        f"<tbody id=rows>{rows}</tbody></table></div><p><button id=more hidden>More</button></p>"
    )


def _row(view: Record, when: Callable[[int], str]) -> str:
    word, name = status_words(view)
    at = from_text(view["started_at"] or view["scheduled_for"])
    took = "" if view["duration_s"] is None else f"{view['duration_s']:g} s"
    return (
        f"<tr><td class=t>{h(when(at))}<td class=w>{h(view['cue_name'])}<td class={name}>{h(word)}"
        f"<td class=narrow>{h(view['outcome_state'] or '')}<td class=n>{h(took)}"
        f'<td class="w narrow">{h(note(view))}<td class="id narrow">{h(view["id"])}'
    )


def rows_data(data: DashboardData) -> str:
    """Return all executions in the short form that the script reads."""
    words: dict[str, dict[str, int]] = {"cues": {}, "statuses": {}, "outcomes": {}}

    def number(kind: str, word: str) -> int:
        return words[kind].setdefault(word, len(words[kind]))

    rows = [
        [
            view["id"],
            number("cues", view["cue_name"]),
            number("statuses", view["status"]),
            number("outcomes", view["outcome_state"] or ""),
            from_text(view["started_at"] or view["scheduled_for"]),
            view["duration_s"],
            note(view, 60),
        ]
        for view in data.executions
    ]
    lists = {kind: list(known) for kind, known in words.items()}
    return data_text({**lists, "zone": data.zone, "rows": rows})
