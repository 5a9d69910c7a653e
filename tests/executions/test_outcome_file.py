from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import cuectl
from cuectl.executions.rules.outcome import ABSENT, FILE_BYTES, Outcome, merge_report, read_outcome
from cuectl.values.errors import UsageError


def written(**fields: object) -> bytes:
    return json.dumps(fields).encode()


def test_a_file_that_is_missing_or_empty_is_no_report() -> None:
    assert read_outcome(b"") is ABSENT
    assert not ABSENT.reported
    assert ABSENT.problem is None


def test_every_field_of_the_page_is_read() -> None:
    fields: dict[str, object] = {
        "success": True,
        "result": "ok",
        "error": "none",
        "external_id": "0b7c",
        "result_url": "https://github.com/org/repo/issues?q=is:issue+label:audit-0b7c",
        "result_ref": "refs/heads/main",
        "result_type": "audit_run",
        "summary": "Filed 3 issues, follow-up scheduled for tomorrow",
        "artifacts": ["out/report.md", {"path": "x"}],
        "metadata": {"still_open": [1, 2]},
    }

    outcome = read_outcome(json.dumps(fields).encode())

    assert outcome == Outcome(reported=True, **fields)  # type: ignore[arg-type]


def test_an_empty_object_is_a_report_that_says_nothing() -> None:
    assert read_outcome(b"{}") == Outcome(reported=True)


def test_bad_fields_are_dropped_one_by_one_in_the_order_of_the_file() -> None:
    outcome = read_outcome(
        written(success="yes", summary="x" * 501, external_id="7", extra=1, metadata=[])
    )

    assert outcome == Outcome(
        reported=True,
        external_id="7",
        dropped=(
            "success: not true or false",
            "summary: longer than 500 characters (501)",
            "extra: not a field of an outcome",
            "metadata: not an object",
        ),
    )


def test_a_blank_external_id_is_kept_out_and_named() -> None:
    outcome = read_outcome(written(success=True, external_id="  "))

    assert outcome.external_id is None
    assert outcome.dropped == ("external_id: blank",)


@pytest.mark.parametrize("name", ["external_id", "summary", "artifacts", "metadata"])
def test_a_nul_costs_its_field_only(name: str) -> None:
    values: dict[str, object] = {"artifacts": ["a\0"], "metadata": {"k": "\0"}}

    outcome = read_outcome(written(**{"success": True, name: values.get(name, "a\0b")}))

    assert outcome.success is True
    assert outcome.dropped == (f"{name}: contains a NUL character",)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b" \n", "outcome_file_malformed_json: is empty"),
        (b"\xef\xbb\xbf{}", "outcome_file_malformed_json: starts with a byte order mark"),
        (b'{"success": true', "outcome_file_malformed_json: is not JSON: "),
        (b'{"success": true}{"a": 1}', "outcome_file_malformed_json: is not JSON: extra data"),
        (b"\xff\xfe", "outcome_file_not_utf8: is not UTF-8 at byte 0"),
        (b'{"metadata": {"a": NaN}}', "outcome_file_malformed_json: has NaN"),
        (b'{"metadata": {"a": 1e999}}', "outcome_file_malformed_json: has a number that is out"),
        (b'{"metadata": ' + b"9" * 6000 + b"}", "outcome_file_malformed_json: has a number of"),
        (b'{"a":' * 4000, "outcome_file_malformed_json: is nested deeper than 64 levels"),
        (b"[" * 5000, "outcome_file_malformed_json: is nested deeper than 64 levels"),
        (b"[]", "<whole file was not a JSON object>"),
        (b'"success"', "<whole file was not a JSON object>"),
        (b"null", "<whole file was not a JSON object>"),
        (b"x" * (FILE_BYTES + 1), "outcome_file_too_large: 65537 > 65536"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_recorded_problem(data: bytes, problem: str) -> None:
    outcome = read_outcome(data)

    assert outcome.problem is not None
    assert outcome.problem.startswith(problem)
    assert outcome == Outcome(problem=outcome.problem)


def test_a_file_at_the_limit_is_read_and_the_size_of_a_larger_one_is_named() -> None:
    at_limit = b'{"success": true}'.ljust(FILE_BYTES)

    assert read_outcome(at_limit).success is True
    assert (
        read_outcome(at_limit, size=10**9).problem == "outcome_file_too_large: 1000000000 > 65536"
    )


def test_half_of_a_surrogate_pair_costs_no_evidence() -> None:
    outcome = read_outcome(b'{"success": true, "summary": "a\\ud800b", "external_id": "7"}')

    assert outcome == Outcome(reported=True, success=True, summary="a\ufffdb", external_id="7")


def test_the_last_of_equal_keys_wins() -> None:
    assert read_outcome(b'{"success": true, "success": false}').success is False


def test_the_list_of_dropped_fields_does_not_grow_with_the_file() -> None:
    outcome = read_outcome(written(**{f"{number:060}tail": 1 for number in range(500)}))

    assert len(outcome.dropped) == 21
    assert outcome.dropped[0] == f"{0:060}: not a field of an outcome"
    assert outcome.dropped[-1] == "and 480 more"


def test_what_is_built_is_read_back() -> None:
    fields: dict[str, object] = {"external_id": "é", "artifacts": ["a"], "metadata": {"n": 1}}

    outcome = read_outcome(merge_report(b"", True, {**fields, "summary": None})[0])

    assert outcome == Outcome(reported=True, success=True, **fields)  # type: ignore[arg-type]
    assert read_outcome(merge_report(b"", None, {})[0]).success is None


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"external_id": " "}, "'external_id' cannot be reported: blank"),
        ({"summary": "x" * 501}, "'summary' cannot be reported: longer than 500 characters (501)"),
        (
            {"result_url": "example.com"},
            "'result_url' cannot be reported: does not start with http:// or https://",
        ),
        ({"artifacts": "a"}, "'artifacts' cannot be reported: not a list"),
        ({"metadata": {"a": float("inf")}}, "'metadata' cannot be reported: not JSON"),
        ({"result": "\udcff"}, "'result' cannot be reported: is not UTF-8"),
        ({"sumary": "x"}, "'sumary' cannot be reported: not a field of an outcome"),
        ({"artifacts": ["x" * 65_520]}, "the report has 65557 bytes, more than 65536"),
        ({"artifacts": [object()]}, "the report cannot be written as JSON"),
        ({"artifacts": [float("nan")]}, "the report cannot be written as JSON"),
        ({"artifacts": [json.loads("[" * 64 + "]" * 64)]}, "the report is nested deeper than 64"),
    ],
)
def test_from_the_shell_a_wrong_value_is_an_error(fields: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        merge_report(b"", True, fields)
    assert caught.value.message.startswith(message)


def test_an_unknown_field_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UsageError) as caught:
        merge_report(b"", None, {"url": "x"})
    assert caught.value.hint is not None
    assert "result_url" in caught.value.hint


def test_a_handler_may_report_as_it_goes() -> None:
    first, _ = merge_report(
        b"", None, {"artifacts": ["a"], "metadata": {"n": 1, "m": 1}, "summary": "1"}
    )
    more = {"artifacts": ["b"], "metadata": {"n": 2, "o": 3}, "summary": "2"}
    second, otherwise = merge_report(first, None, more)

    outcome = read_outcome(merge_report(second, True, {"external_id": "7"})[0])

    # The first word counts; what contradicts it is not lost.
    assert otherwise == {"metadata": {"n": 2}, "summary": "2"}

    assert outcome == Outcome(
        reported=True,
        success=True,
        external_id="7",
        summary="1",
        artifacts=["a", "b"],
        metadata={"n": 1, "m": 1, "o": 3},
    )


def test_a_later_report_keeps_fields_that_cuectl_does_not_know() -> None:
    merged, _ = merge_report(b'{"mine": 1, "metadata": "bad"}', None, {"metadata": {"a": 1}})

    assert json.loads(merged) == {"mine": 1, "metadata": {"a": 1}}


def test_limits_hold_for_what_several_reports_add_up_to() -> None:
    half = {"a": "x" * 6000}
    first, _ = merge_report(b"", None, {"metadata": half})

    with pytest.raises(UsageError, match="'metadata' cannot be reported: longer than 10240 bytes"):
        merge_report(first, None, {"metadata": {"b": "x" * 6000}})


@pytest.mark.parametrize("earlier", [b"{", b"[]", b"\xff", b"  "])
def test_a_report_does_not_write_over_what_it_cannot_read(earlier: bytes) -> None:
    with pytest.raises(UsageError, match="the outcome file that is there"):
        merge_report(earlier, True, {})


def test_the_hot_path_imports_only_what_it_needs() -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "import __future__, dataclasses, enum, json, re, typing; before = set(sys.modules);"
        "import cuectl.executions.rules.verdict, cuectl.executions.rules.outcome;"
        "import cuectl.definitions.rules.templates as h;"
        "h.shell_command('x {{ a }}', {});"
        "print(*(name for name in set(sys.modules) - before if not name.startswith('cuectl')))"
    )

    found = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script, str(Path(cuectl.__file__).parents[1])],
        capture_output=True,
        text=True,
        check=True,
    )

    assert found.stdout.split() == []
