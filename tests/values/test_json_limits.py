from __future__ import annotations

import json

import pytest

from cuectl.values.errors import UsageError
from cuectl.values.json_limits import (
    BadJson,
    any_text,
    has_nul,
    kind_of,
    parse_json,
    payload_object,
)

LIMIT = 1_000_000


def refused(data: bytes | str, **options: object) -> BadJson:
    with pytest.raises(BadJson) as caught:
        parse_json(data, what="it", max_bytes=LIMIT, **options)  # type: ignore[arg-type]
    return caught.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, 2.5, true, null, "é"]}', {"a": [1, 2.5, True, None, "é"]}),
        (b'{"a": "\xc3\xa9"}', {"a": "é"}),
        (' "x"\n', "x"),
        ("-0", 0),
        (r'"\ud83d\ude00"', "😀"),
        ("9" * 4300, int("9" * 4300)),
    ],
)
def test_json_is_read(text: bytes | str, value: object) -> None:
    assert parse_json(text, what="it", max_bytes=LIMIT) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("NaN", "has NaN, which is not JSON"),
        ('{"a": [-Infinity]}', "has -Infinity, which is not JSON"),
        ("1e999", "has a number that is out of range"),
        ("-1e999", "has a number that is out of range"),
        ("9" * 4301, "has a number of more than 4300 digits"),
        ('{"a": 1, "b": 2, "a": 3}', "has the key 'a' twice"),
        (r'{"a": "\ud800"}', "has half of a surrogate pair"),
        (r'{"\uDC00": 1}', "has half of a surrogate pair"),
        (b"\xef\xbb\xbf{}", "starts with a byte order mark"),
        ("", "is empty"),
        (" \n\t", "is empty"),
        ("{", "is not JSON: expecting property name enclosed in double quotes, at line 1 column 2"),
        ('{"a": 1} x', "is not JSON: extra data, at line 1 column 10"),
        ('"a\0b"', "is not JSON: invalid control character at, at line 1 column 3"),
        ("{'a': 1}", None),
        ("[1,]", None),
        ("01", None),
        ("\x0b1", None),
    ],
)
def test_what_is_not_json_is_refused_with_a_reason(text: bytes | str, reason: str | None) -> None:
    bad = refused(text)

    assert bad.kind == "malformed"
    if reason is not None:
        assert bad.reason == reason
        assert str(bad) == f"it {reason}"


def test_bytes_that_are_not_utf_8_are_told_from_malformed_ones() -> None:
    assert refused(b'{"a": "\xff"}').kind == "not_utf8"
    assert refused(b'{"a": "\xff"}').reason == "is not UTF-8 at byte 7"
    assert refused("\udcff").kind == "not_utf8"
    assert refused('{"a":1}'.encode("utf-16")).kind == "not_utf8"


def test_the_size_is_counted_in_bytes() -> None:
    assert parse_json('"é"', what="it", max_bytes=4) == "é"
    with pytest.raises(BadJson) as caught:
        parse_json('"é"', what="it", max_bytes=3)
    assert caught.value.kind == "too_large"
    assert str(caught.value) == "it has 4 bytes, more than 3"


@pytest.mark.parametrize("depth", [64, 65, 5000, 200_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_nesting_has_a_limit_and_is_counted_before_parsing(
    depth: int, opening: str, closing: str
) -> None:
    text = opening * depth + "1" + closing * depth
    if depth <= 64:
        assert parse_json(text, what="it", max_bytes=LIMIT) is not None
    else:
        with pytest.raises(BadJson, match="nested deeper than 64 levels"):
            parse_json(text, what="it", max_bytes=10 * LIMIT)


def test_brackets_in_strings_and_beside_each_other_are_not_depth() -> None:
    value = {"a": "[" * 500 + '\\"{' * 500, "b": [[] for _ in range(500)], '{"': 1}

    assert parse_json(json.dumps(value), what="it", max_bytes=LIMIT, max_depth=3) == value


@pytest.mark.parametrize("text", ['"' * 200_000, '\\"' * 200_000, '"' + '\\"' * 200_000])
def test_the_count_of_depth_is_linear_on_quotes_that_never_close(text: str) -> None:
    refused("[" * 65 + text)


def test_the_last_of_equal_keys_can_win() -> None:
    assert parse_json('{"a":1,"a":2}', what="it", max_bytes=9 * 9, duplicates="last") == {"a": 2}


def test_halves_of_surrogate_pairs_can_be_replaced_wherever_they_are() -> None:
    text = r'{"\ud800k": ["a\udfffb", {"x": "\ud83d\ude00"}, 1, null]}'

    value = parse_json(text, what="it", max_bytes=LIMIT, surrogates="replace")

    assert value == {"\ufffdk": ["a\ufffdb", {"x": "😀"}, 1, None]}
    json.dumps(value, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("[]", "a list"),
        ('"x"', "a string"),
        ("1.5", "a number"),
        ("1", "a number"),
        ("true", "true"),
        ("false", "false"),
        ("null", "null"),
    ],
)
def test_a_payload_must_be_an_object(text: str, kind: str) -> None:
    with pytest.raises(UsageError) as caught:
        payload_object(text)
    assert caught.value.message == f"payload must be a JSON object, not {kind}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "payload is not JSON"),
        ('{"a": NaN}', "payload has NaN, which is not JSON"),
        ('{"a":1,"a":2}', "payload has the key 'a' twice"),
        (r'{"a": ["\u0000"]}', "payload contains a NUL character"),
        (r'{"\u0000": 1}', "payload contains a NUL character"),
        ("[" * 5000, "payload is nested deeper than 64 levels"),
        ('{"a": "' + "x" * 1_048_576 + '"}', "payload has 1048585 bytes, more than 1048576"),
    ],
)
def test_a_bad_payload_is_one_clear_error(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        payload_object(text)


def test_a_payload_is_an_object_of_any_values() -> None:
    assert payload_object('{"task": "audit", "n": [1]}') == {"task": "audit", "n": [1]}
    assert payload_object(b"{}") == {}


def test_every_kind_has_a_name() -> None:
    assert kind_of({}) == "an object"


def test_any_text_looks_into_keys_and_values() -> None:
    assert any_text({"a\0": 1}, has_nul)
    assert any_text([[{"a": ["\0"]}]], has_nul)
    assert not any_text({"a": [1, None, True, "b"]}, has_nul)
