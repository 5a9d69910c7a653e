"""The agenda's invariant, over views as the journal implies them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cuectl.store.repair.agenda import AgendaCheck

if TYPE_CHECKING:
    from cuectl.store.journal.lines import Views

CUE = "cue_aaaaaaaaaaaa"
EXECUTION = "exec_01m7xz0v20png8pw42ddcg9x"


def views(state: dict[str, Any], more: Views | None = None, **definition: Any) -> Views:
    whole = {"id": CUE, "policy": {}, "origin": {"kind": "cli"}} | definition
    return {f"cues/{CUE}.json": whole, f"cues/{CUE}.s.json": state, **(more or {})}


def kinds(found: Views) -> list[tuple[str, str, str]]:
    return [(one.level, one.kind, one.subject) for one in AgendaCheck(found).findings()]


ACTIVE = {"status": "active", "next_at": 1_800_000_000_000}
MARKER = "due/500000/00/1800000000000.c." + CUE


@pytest.mark.parametrize(
    "whole",
    [
        {},
        views(ACTIVE, {MARKER: True}),
        views(ACTIVE, {f"due/500000/00/1800000030000.c.{CUE}": True}, policy={"jitter_s": 60}),
        views({"status": "active"}),
        views({"status": "paused", "next_at": 1_800_000_000_000}),
        views({"status": "completed"}),
        views(
            {"status": "held"},
            {f"open/{EXECUTION}.json": {"status": "pending"}},
            origin={"parent": EXECUTION},
        ),
        views(
            {"status": "active", "running": [EXECUTION]},
            {
                f"waiting/{EXECUTION}.json": {"status": "waiting"},
                f"due/500000/00/1800000000000.r.{EXECUTION}": True,
            },
        ),
        {f"waiting/{EXECUTION}.json": {"status": "succeeded"}},
        {f"open/{EXECUTION}.json": {"status": "queued"}},
        {"alerts/alert_1.json": {"delivered": {"mail": {"status": "delivered"}}}},
        {
            "alerts/alert_1.json": {
                "delivered": {"mail": {"status": "pending", "next_at": "2027-01-15T08:00:00Z"}}
            },
            "due/500000/00/1800000000000.a.alert_1": True,
        },
    ],
)
def test_what_has_its_place_is_no_finding(whole: Views) -> None:
    assert kinds(whole) == []


@pytest.mark.parametrize(
    ("broken", "kind"),
    [
        (views(ACTIVE), "no_marker"),
        (views(ACTIVE, {f"due/500000/01/1800000060000.c.{CUE}": True}), "no_marker"),
        (views({"status": "held"}, origin={"parent": EXECUTION}), "no_parent"),
        (views({"status": "active", "running": [EXECUTION]}), "not_open"),
        (views({"status": "active", "queued": [EXECUTION]}), "not_open"),
        ({f"waiting/{EXECUTION}.json": {"status": "pending"}}, "no_marker"),
        (
            {
                "alerts/alert_1.json": {
                    "delivered": {"mail": {"status": "pending", "next_at": "2027-01-15T08:00:00Z"}}
                }
            },
            "no_marker",
        ),
        ({f"cues/{CUE}.json": {"id": CUE}}, "no_state"),
        ({f"cues/{CUE}.s.json": ACTIVE}, "no_definition"),
    ],
)
def test_what_nobody_would_look_at_is_an_error(broken: Views, kind: str) -> None:
    ((level, found, _),) = kinds(broken)

    assert (level, found) == ("error", kind)


@pytest.mark.parametrize(
    "marker", [MARKER, f"due/500000/00/1800000000000.e.{EXECUTION}", "due/500000/00/1.a.alert_1"]
)
def test_a_marker_with_nothing_behind_it_is_a_note(marker: str) -> None:
    ((level, kind, _),) = kinds({marker: True})

    assert (level, kind) == ("note", "idle_marker")
