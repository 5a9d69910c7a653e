from __future__ import annotations

import json
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cuectl.executions.rules.outcome import (
    FIELDS,
    Outcome,
    field_problem,
    merge_report,
    read_outcome,
)
from cuectl.executions.rules.verdict import (
    ReportWait,
    counts_as_failure,
    counts_as_success,
    is_decided,
)
from cuectl.executions.rules.verification import ArtifactFact, VerificationMode, local_artifacts
from cuectl.values.json_limits import BadJson, parse_json
from tests.executions.ends import (
    End,
    cancelled,
    exited,
    lost,
    not_started,
    signalled,
    timed_out,
    verdict_on,
)

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(), max_size=20),
    st.sampled_from(["https://example.com/1", "http://", " ", "out/x", "x" * 501]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)
NAMES = st.one_of(st.sampled_from(FIELDS), st.text(max_size=10))
FILES = st.one_of(
    st.binary(),
    st.text(st.sampled_from('{}[]":,\\ntrue0129eE+-. ud8')).map(str.encode),
    st.dictionaries(NAMES, VALUES).map(lambda value: json.dumps(value).encode()),
    VALUES.map(lambda value: json.dumps(value).encode()),
)
OUTCOMES = FILES.map(read_outcome)
ENDS = st.one_of(
    st.integers(0, 255).map(exited),
    st.integers(1, 64).map(signalled),
    st.floats(0.1, 1e6).map(timed_out),
    st.just(lost()),
    st.just(cancelled("shutdown")),
    st.just(not_started("no such file")),
)


@given(FILES)
def test_any_bytes_are_an_outcome(data: bytes) -> None:
    outcome = read_outcome(data)

    assert not (outcome.reported and outcome.problem)
    if not outcome.reported:
        assert outcome == Outcome(problem=outcome.problem)
    for name in FIELDS:
        value = getattr(outcome, name)
        assert value is None or field_problem(name, value) is None
    # Whatever is kept can be written to the journal and read again.
    text = json.dumps(outcome.evidence(), allow_nan=False, ensure_ascii=False)
    assert json.loads(text.encode()) == outcome.evidence()


@given(FILES)
def test_every_field_of_a_report_is_kept_or_named(data: bytes) -> None:
    outcome = read_outcome(data)
    assume(outcome.reported and len(outcome.dropped) <= 20)
    fields = json.loads(data)
    kept = sum(getattr(outcome, name) is not None for name in FIELDS)
    assert kept + len(outcome.dropped) == len(fields)


@given(st.one_of(FILES, st.text(st.characters())), st.integers(0, 6))
def test_json_is_read_or_refused_and_nothing_else(data: bytes | str, depth: int) -> None:
    try:
        value = parse_json(data, what="it", max_bytes=200, max_depth=depth)
    except BadJson:
        return
    assert json.loads(json.dumps(value, allow_nan=False, ensure_ascii=False).encode()) == value
    assert json.loads(data) == value
    assert depth_of(value) <= depth


@given(VALUES, st.integers(0, 6))
def test_json_that_fits_is_read_and_what_is_too_deep_is_not(value: object, depth: int) -> None:
    text = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    assume(not any(word in text for word in (b"NaN", b"Infinity", b"\xed")) and len(text) <= 200)
    assume(not re.search(rb"\d{18}|e\+?\d\d", text))

    if depth_of(value) <= depth:
        assert parse_json(text, what="it", max_bytes=200, max_depth=depth) == value
    else:
        with pytest.raises(BadJson, match="nested deeper"):
            parse_json(text, what="it", max_bytes=200, max_depth=depth)


def depth_of(value: object) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


@given(st.one_of(st.none(), st.booleans()), st.dictionaries(st.sampled_from(FIELDS[1:]), VALUES))
def test_what_passes_the_writer_passes_the_reader(
    success: bool | None, fields: dict[str, object]
) -> None:
    good = {name: value for name, value in fields.items() if field_problem(name, value) is None}
    if json.dumps(good).find("NaN") >= 0 or json.dumps(good).find("Infinity") >= 0:
        good.pop("artifacts", None)

    data, _ = merge_report(b"", success, good)

    outcome = read_outcome(data)
    assert outcome.success is success
    assert outcome.dropped == ()
    assert {name: getattr(outcome, name) for name in good} == good
    assert read_outcome(merge_report(data, None, {})[0]) == outcome


@given(
    end=ENDS,
    outcome=OUTCOMES,
    mode=st.sampled_from(VerificationMode),
    report=st.sampled_from(ReportWait),
    checker_status=st.sampled_from([None, 0, 1, -9]),
    output=st.text(max_size=20),
)
def test_every_end_has_one_verdict(
    *,
    end: End,
    outcome: Outcome,
    mode: VerificationMode,
    report: ReportWait,
    checker_status: int | None,
    output: str,
) -> None:
    facts = [ArtifactFact(name=name, exists=True) for name in local_artifacts(outcome)]

    verdict = verdict_on(
        end,
        outcome,
        mode=mode,
        facts=facts,
        checker_status=checker_status,
        report=report,
        output=output,
    )

    success = counts_as_success(verdict.status, verdict.outcome_state)
    failure = counts_as_failure(verdict.status, verdict.outcome_state)
    assert not (success and failure)
    assert is_decided(verdict.status, verdict.outcome_state) or not (success or failure)
    if success:
        assert end == exited(0) or (end == lost() and outcome.success is True)
        assert outcome.success is not False
        # Nothing is made up where nothing was said or printed.
        assert verdict.result == outcome.result or (verdict.result or "").endswith(output[-1:])
    else:
        # Silence is what cuectl exists to prevent: whatever is no success says why.
        assert verdict.reason
    if verdict.status == "failed":
        assert verdict.error != ""
