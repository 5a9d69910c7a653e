"""Fan-in: reports of several agents become one event, or time runs out: pure.

Rules of the second page and reference/maestro-cue.md 6. A round is kept under the event at
the top of the chain where its sources share one, else it takes reports as they arrive
(contracts.md, identity 7).
"""

from __future__ import annotations

from typing import Any

from cuectl.model.values import dataclass, replace

Record = dict[str, Any]

SEPARATOR = "\n---\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one source said when its run was over.

    Attributes:
        source: as the subscription names it.
        session: what the payload calls the source.
        data: payload of its `agent.completed` event.
        execution: the run, None for one from elsewhere.
    """

    source: str
    session: str
    at: int
    data: Record
    depth: int = 0
    execution: str | None = None

    def to_record(self) -> Record:
        """Return the JSON form."""
        record = {"source": self.source, "session": self.session, "at": self.at}
        more = {"data": self.data, "depth": self.depth, "execution": self.execution}
        return record | {name: value for name, value in more.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Reports that wait for the others.

    Attributes:
        root: the event at the top of the chain of its first report.
        by_root: whether only reports of the same root count.
        deadline: when it is over, whoever is missing.
        reports: in the order of their first coming.
    """

    root: str
    by_root: bool = False
    started_at: int
    deadline: int
    reports: tuple[Report, ...] = ()

    def has(self, source: str) -> bool:
        """Tell whether a source has reported."""
        return any(one.source == source for one in self.reports)

    def missing(self, sources: tuple[str, ...]) -> tuple[str, ...]:
        """Return the sources that have not reported."""
        return tuple(source for source in sources if not self.has(source))

    def with_report(self, report: Report) -> Round:
        """Return the round with a report; a repeated one keeps the first one's place."""
        if self.has(report.source):
            reports = [report if one.source == report.source else one for one in self.reports]
            return replace(self, reports=tuple(reports))
        return replace(self, reports=(*self.reports, report))

    def to_record(self) -> Record:
        """Return the JSON form."""
        record: Record = {"root": self.root, "by_root": self.by_root}
        record |= {"started_at": self.started_at, "deadline": self.deadline}
        return record | {"reports": [one.to_record() for one in self.reports]}


def rounds_from_record(record: Record | None) -> tuple[Round, ...]:
    """Return the rounds in a view, the oldest first.

    Raises:
        KeyError, TypeError, ValueError: it is not one.
    """
    rounds = (record or {}).get("rounds", ())
    return tuple(
        Round(**{**one, "reports": tuple(_report(each) for each in one["reports"])})
        for one in rounds
    )


def rounds_record(rounds: tuple[Round, ...]) -> Record | None:
    """Return what the view holds; None when no round is open."""
    return {"rounds": [one.to_record() for one in rounds]} if rounds else None


def _report(record: Record) -> Report:
    return Report(**{"data": {}, **record})


def place_of(rounds: tuple[Round, ...], report: Report, root: str) -> int | None:
    """Return the round that a report belongs to; None when it begins one.

    One of its own chain comes first; then the oldest that takes what arrives and lacks the
    source; then the oldest of these that has it, whose report it replaces.
    """
    own = [place for place, one in enumerate(rounds) if one.root == root]
    if own:
        return own[0]
    open_ones = [place for place, one in enumerate(rounds) if not one.by_root]
    lacking = [place for place in open_ones if not rounds[place].has(report.source)]
    return next(iter(lacking or open_ones), None)


def joined_payload(reports: tuple[Report, ...], missing: tuple[str, ...] = ()) -> Record:
    """Return the payload of the event that a round becomes.

    Args:
        reports: those that came.
        missing: sources that did not report in time.
    """
    texts = {one.session: str(one.data.get("sourceOutput") or "") for one in reports}
    forwarded: Record = {}
    for one in reports:
        forwarded |= one.data.get("forwardedOutputs") or {}
    payload: Record = {
        "completedSessions": [one.data.get("sourceSessionId") or one.session for one in reports],
        "sourceSession": ", ".join(one.session for one in reports),
        "sourceOutput": SEPARATOR.join(texts[one.session] for one in reports),
        "outputTruncated": any(one.data.get("outputTruncated") is True for one in reports),
        "perSourceOutputs": texts,
        "sources": {one.session: _facts(one) for one in reports},
    }
    if forwarded:
        payload["forwardedOutputs"] = forwarded
    if missing:
        payload |= {"timedOutSessions": list(missing), "partial": True}
    return payload


def _facts(report: Report) -> Record:
    names = ("status", "exitCode", "durationMs", "triggeredBy", "sourceRunId")
    return {name: report.data[name] for name in names if name in report.data}
