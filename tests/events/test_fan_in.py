from __future__ import annotations

from typing import Any

from cuectl.events.rules.event import (
    Report,
    Round,
    joined_payload,
    place_of,
    rounds_from_record,
    rounds_record,
)


def _report(source: str, **data: Any) -> Report:
    return Report(source=source, session=source, at=1, data={"sourceOutput": source, **data})


def _round(root: str, *sources: str, by_root: bool = False) -> Round:
    reports = tuple(_report(one) for one in sources)
    return Round(root=root, by_root=by_root, started_at=0, deadline=9, reports=reports)


def test_a_report_joins_the_round_of_its_own_chain_first() -> None:
    rounds = (_round("r1", "a"), _round("r2", "a"))
    assert place_of(rounds, _report("b"), "r2") == 1


def test_a_report_from_elsewhere_joins_the_oldest_round_that_lacks_it() -> None:
    rounds = (_round("r1", "b"), _round("r2", "a"))
    assert place_of(rounds, _report("b"), "r9") == 1


def test_a_repeated_report_replaces_the_first_and_keeps_its_place() -> None:
    rounds = (_round("r1", "a", "b"),)
    assert place_of(rounds, _report("a"), "r9") == 0
    changed = rounds[0].with_report(_report("a", sourceOutput="new"))
    assert [one.data["sourceOutput"] for one in changed.reports] == ["new", "b"]


def test_of_two_rounds_that_take_a_report_the_older_one_gets_it() -> None:
    assert place_of((_round("r1", "a"), _round("r2", "a")), _report("b"), "r9") == 0
    assert place_of((_round("r1", "a"), _round("r2", "a")), _report("a"), "r9") == 0
    own = (_round("r1", "a", by_root=True), _round("r2", "a"), _round("r3", "a"))
    assert place_of(own, _report("b"), "r9") == 1


def test_a_round_of_a_chain_takes_nothing_from_elsewhere() -> None:
    assert place_of((_round("r1", "a", by_root=True),), _report("b"), "r9") is None


def test_rounds_come_back_from_their_record() -> None:
    rounds = (_round("r1", "a"), _round("r2", "a", "b", by_root=True))
    assert rounds_from_record(rounds_record(rounds)) == rounds
    assert rounds_record(()) is None
    assert rounds_from_record(None) == ()


def test_a_joined_payload_has_all_outputs_in_the_order_of_the_reports() -> None:
    reports = (
        _report("b", sourceSessionId="id-b", status="completed", forwardedOutputs={"x": "X"}),
        _report("a", status="failed", outputTruncated=True),
    )
    assert joined_payload(reports, ("c",)) == {
        "completedSessions": ["id-b", "a"],
        "sourceSession": "b, a",
        "sourceOutput": "b\n---\na",
        "outputTruncated": True,
        "perSourceOutputs": {"b": "b", "a": "a"},
        "sources": {"b": {"status": "completed"}, "a": {"status": "failed"}},
        "forwardedOutputs": {"x": "X"},
        "timedOutSessions": ["c"],
        "partial": True,
    }


def test_what_is_missing_is_named() -> None:
    assert _round("r", "b").missing(("a", "b", "c")) == ("a", "c")
