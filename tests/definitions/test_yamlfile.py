from __future__ import annotations

import time

import pytest
import yaml

from cuectl.definitions.yaml_nodes import MAX_ALIASED, MAX_BYTES, MAX_DEPTH, YamlKind, read_yaml
from cuectl.values.errors import InvalidFile


def error_of(text: str | bytes) -> InvalidFile:
    with pytest.raises(InvalidFile) as caught:
        read_yaml(text, "cue.yaml")
    return caught.value


def message_of(text: str | bytes) -> str:
    return error_of(text).message


def bomb(levels: int, width: int) -> str:
    names = "abcdefghijklmnopqrstuvwxyz"
    lines = [f"a: &a [{','.join('x' * width)}]"]
    for level in range(1, levels):
        aliases = ",".join([f"*{names[level - 1]}"] * width)
        lines.append(f"{names[level]}: &{names[level]} [{aliases}]")
    return "\n".join(lines)


def test_values_are_plain_and_know_their_line_and_column() -> None:
    root = read_yaml("a: é\n'ключ': [1, ö, {x: true}]\n", "cue.yaml")

    assert root.value == {"a": "é", "ключ": [1, "ö", {"x": True}]}
    entry = root.entries["ключ"]
    assert (entry.key.line, entry.key.column) == (2, 1)
    assert (entry.value.line, entry.value.column) == (2, 9)
    assert (entry.value.items[1].line, entry.value.items[1].column) == (2, 13)
    assert entry.value.items[1].path == "cue.yaml"


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("true", True),
        ("false", False),
        ("null", None),
        ("", None),
        ("0", 0),
        ("-7", -7),
        ("3600", 3600),
        ("0.2", 0.2),
        ("1e3", 1000.0),
        ("True", "True"),
        ("yes", "yes"),
        ("on", "on"),
        ("off", "off"),
        ("~", "~"),
        ("Null", "Null"),
        ("0644", "0644"),
        ("0o14", "0o14"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("9:30", "9:30"),
        ("190:20:30", "190:20:30"),
        ("2026-11-21", "2026-11-21"),
        ("2026-11-21T10:00:00Z", "2026-11-21T10:00:00Z"),
        ("+5", "+5"),
        (".5", ".5"),
        ("1.", "1."),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("-", "-"),
        ("=", "="),
        ('"3600"', "3600"),
        ("'true'", "true"),
        ("''", ""),
    ],
)
def test_only_true_false_null_and_plain_numbers_are_not_text(word: str, value: object) -> None:
    if word == "-":
        word = "'-'"
    found = read_yaml(f"a: {word}", "f").value["a"]

    assert found == value
    assert type(found) is type(value)


def test_a_scalar_keeps_the_text_it_was_written_with() -> None:
    node = read_yaml("a: 1.10\n", "f").entries["a"].value

    assert node.text == "1.10"
    assert node.plain
    assert node.kind is YamlKind.NUMBER


def test_keys_are_texts_as_they_are_written() -> None:
    text = "on: 1\n9:30: 2\n0644: 3\nnull: 4\ntrue: 5\n'': 6\n"

    assert list(read_yaml(text, "f").value) == ["on", "9:30", "0644", "null", "true", ""]


@pytest.mark.parametrize("text", ["", "# nothing\n", "\n\n", "---\n", b"\xef\xbb\xbf", "null"])
def test_an_empty_file_is_nothing(text: str | bytes) -> None:
    root = read_yaml(text, "f")

    assert root.kind is YamlKind.NULL
    assert root.value is None


def test_a_byte_order_mark_does_not_move_columns() -> None:
    assert message_of(b"\xef\xbb\xbfa: @x") == ("cue.yaml:1:4: a text cannot begin with '@'")


def test_line_ends_of_windows_and_old_macs_count_as_lines() -> None:
    assert read_yaml("a: 1\r\nb: 2\r\n", "f").entries["b"].key.line == 2
    assert read_yaml("a: 1\rb: 2\r", "f").entries["b"].key.line == 2
    assert read_yaml("a: |\r\n  one\r\n  two\r\n", "f").value == {"a": "one\ntwo\n"}


def test_block_texts_keep_their_lines() -> None:
    assert read_yaml("a: |\n  {{ x }}\n   y\nb: >-\n  c\n  d\n", "f").value == {
        "a": "{{ x }}\n y\n",
        "b": "c d",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2", "2:1: key 'a' is given twice, first in line 1"),
        ('a: 1\n"a": 2', "2:1: key 'a' is given twice, first in line 1"),
        ("x: {b: 1, b: 2}", "1:11: key 'b' is given twice, first in line 1"),
        ("a: !!python/object:os.system x", "1:4: tag '!!python/object:os.system' is not allowed"),
        ("a: !!str x", "1:4: tag '!!str' is not allowed"),
        ("a: ! x", "1:4: tag '!' is not allowed"),
        ("a: !local [x]", "1:4: tag '!local' is not allowed"),
        ("!!map {a: 1}", "1:1: tag '!!map' is not allowed"),
        ("%TAG ! !x\n---\na: 1", "1:1: directive '%TAG' is not allowed"),
        ("# x\n%TAG ! !x\n---\na: 1", "2:1: directive '%TAG' is not allowed"),
        ("%YAML 3.0\n---\na: 1", "1:1: the YAML version must be 1.1 or 1.2"),
        ("a: 1\n---\nb: 1", "2:1: a file holds one document, and here a second one begins"),
        ("a: *b", "1:4: alias '*b' has no anchor '&b' before it"),
        ("a: &a [*a]", "1:8: alias '*a' stands inside what it means"),
        ("b: &b x\n*b : 1", "2:1: a key must be text, not an alias"),
        ("? [a]\n: 1", "1:3: a key must be text, not a list"),
        ("? {a: b}\n: 1", "1:3: a key must be text, not a mapping"),
        ("a:\n\tb: 1", "2:1: a tab stands where YAML wants blanks"),
        ("\ta: 1", "1:1: a tab stands where YAML wants blanks"),
        ("a: |\n x\n\ty", "3:1: a tab stands where YAML wants blanks"),
        ("a: b: c", "1:5: ':' is not expected here"),
        ("foo bar\nbaz: 1", "2:4: ':' is not expected here"),
        ("a: @x", "1:4: a text cannot begin with '@'"),
        ("a: %x", "1:4: a text cannot begin with '%'"),
        ("a: */5 * * * *", "1:4: a text cannot begin with '*'"),
        ("a: [x, *.ts]", "1:8: a text cannot begin with '*'"),
        ("a: &/x y", "1:4: a text cannot begin with '&'"),
        ("a: 'x\nb: 1\n", "1:4: this quote is never closed"),
        ('"a\n: 1', "1:1: this quote is never closed"),
        ("a: [1,", "1:7: a value is missing here"),
        ("a: [1, 2\nb: 3", "2:2: ',' or ']' is missing here"),
        ("a: {b: 1", "1:9: ',' or '}' is missing here"),
        ("a: - b", "1:4: '-' is not expected here"),
        ("- a\nb: 1", "2:1: expected a key, or the end of the block above"),
        ("a: 'b' c", "1:8: expected a key, or the end of the block above"),
        ('a: "\\q"', "1:5: not YAML: found unknown escape character"),
        ('a: "\\0"', "1:4: character U+0000 is not allowed in a text"),
        ("a: \x00", "1:4: character U+0000 is not allowed in a YAML file"),
        ("a: 1\nb: \x1b[2J", "2:4: character U+001B is not allowed in a YAML file"),
        ("a: x\ufeffy", "1:5: character U+FEFF is not allowed in a YAML file"),
        ("a: \ud800", "1:4: character U+D800 is not allowed in a YAML file"),
        (b"a: \xff", "1:4: byte 0xff is not UTF-8"),
        (b"a: 1\r\n# \xc3\xa9\nb: \xc3\n", "3:4: byte 0xc3 is not UTF-8"),
        ("a: 1".encode("utf-16"), "1:1: byte 0xff is not UTF-8"),
        ("a: " + "9" * 400, "1:4: number has more than 300 digits"),
        ("a: 1e999", "1:4: number '1e999' is out of range"),
        ("a: -1e999", "1:4: number '-1e999' is out of range"),
        ("<<: 1", "1:5: '<<' takes a mapping or a list of mappings"),
        ("<<: [{a: 1}, 2]", "1:14: '<<' takes a mapping or a list of mappings"),
        ("<<: {a: 1}\n<<: {b: 1}", "2:1: key '<<' is given twice"),
    ],
)
def test_what_is_no_yaml_of_ours_is_refused_at_its_place(text: str | bytes, message: str) -> None:
    assert message_of(text) == f"cue.yaml:{message}"


def test_an_error_carries_place_and_way_out() -> None:
    error = error_of("a: 1\nb: @x")

    assert (error.path, error.line, error.column) == ("cue.yaml", 2, 4)
    assert error.hint == "put it in quotes"
    assert error.exit_status == 7


@pytest.mark.parametrize("text", ["a: */5 *", "a: *.ts", "a: *b", "a: {{B}} c", "a: `x`", "a: %H"])
def test_text_that_needs_quotes_is_answered_with_that(text: str) -> None:
    assert "in quotes" in (error_of(text).hint or "")


def test_escape_sequences_in_a_tag_are_shown_not_sent() -> None:
    assert "\x1b" not in message_of("a: !%1b[2J x")


def test_a_file_larger_than_1_mb_is_refused() -> None:
    at_limit = "a: " + "x" * (MAX_BYTES - 4) + "\n"

    assert read_yaml(at_limit, "f").kind is YamlKind.MAPPING
    assert read_yaml(at_limit.encode(), "f").kind is YamlKind.MAPPING
    assert message_of(at_limit + "#") == "cue.yaml:1:1: the file is larger than 1 MB"
    assert message_of((at_limit + "#" * 9).encode()) == "cue.yaml:1:1: the file is larger than 1 MB"
    assert message_of("a: " + "é" * 600_000) == "cue.yaml:1:1: the file is larger than 1 MB"


def test_32_levels_are_read_and_33_are_not() -> None:
    deep = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    deeper = "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)

    assert read_yaml(deep, "f").height == MAX_DEPTH
    assert message_of(deeper) == "cue.yaml:1:33: lists and mappings lie more than 32 deep"


@pytest.mark.parametrize("piece", ["[", "{a: ", "- ", "? ", "a:\n"])
def test_a_million_levels_are_refused_at_once(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    if piece == "a:\n":
        text = "".join(" " * level + piece for level in range(1400))
    before = time.process_time()

    wanted = "a key must be text, not a mapping" if piece == "? " else "more than 32 deep"
    assert wanted in message_of(text)
    assert time.process_time() - before < 1.0


def test_many_tag_directives_do_not_take_long() -> None:
    text = "".join(f"%TAG !{number}! x\n" for number in range(60_000))
    before = time.process_time()

    assert message_of(text) == "cue.yaml:1:1: directive '%TAG' is not allowed"
    assert time.process_time() - before < 0.5


def test_aliases_used_sanely_are_fine() -> None:
    text = "base: &base {A: 1, B: [x]}\none: *base\ntwo: {three: *base}\n"
    root = read_yaml(text, "f")

    assert root.value["one"] == root.value["two"]["three"] == {"A": 1, "B": ["x"]}
    assert root.entries["one"].value.line == 1


def test_an_anchor_may_be_given_again() -> None:
    assert read_yaml("- &a 1\n- *a\n- &a 2\n- *a\n", "f").value == [1, 1, 2, 2]


def test_the_alias_bomb_of_306_bytes_is_refused_at_once() -> None:
    text = bomb(9, 9)
    assert len(text) < 400
    before = time.process_time()

    message = message_of(text)

    assert message == f"cue.yaml:6:8: the aliases so far stand for more than {MAX_ALIASED} values"
    assert time.process_time() - before < 0.5


def test_aliases_do_not_get_around_the_depth() -> None:
    lines = ["- &a0 [x]"] + [f"- &a{level} [*a{level - 1}]" for level in range(1, 40)]

    assert message_of("\n".join(lines)) == (
        "cue.yaml:32:9: lists and mappings lie more than 32 deep"
    )


def test_merge_keys_fill_in_what_is_not_given() -> None:
    text = """\
base: &base {timeout: 60, env: {A: x}}
other: &other {timeout: 5, cwd: .}
one: {<<: *base, timeout: 90}
two: {<<: [*base, *other]}
three: {"<<": plain}
"""
    value = read_yaml(text, "f").value

    assert value["one"] == {"timeout": 90, "env": {"A": "x"}}
    assert value["two"] == {"timeout": 60, "env": {"A": "x"}, "cwd": "."}
    assert value["three"] == {"<<": "plain"}


def test_what_merge_keys_bring_keeps_its_place() -> None:
    root = read_yaml("base: &base\n  typo: 1\none:\n  <<: *base\n", "f")

    assert root.entries["one"].value.entries["typo"].key.line == 2


def test_merge_keys_count_as_aliases() -> None:
    wide = ", ".join(f"k{number}: 1" for number in range(1000))
    text = f"a: &a {{{wide}}}\n" + "".join(f"b{number}: {{<<: *a}}\n" for number in range(200))

    assert "the aliases so far stand for more than" in message_of(text)


@pytest.mark.parametrize(
    "text",
    [
        "a: [1, two, {three: 3.5}]\nb: |\n  x\n  y\n",
        "x: &a {b: 1}\ny: {<<: *a, c: on}\n",
        "a: é\n'b c': \"\\u00e9\"\n",
    ],
)
def test_the_parser_in_python_reads_the_same(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    with_c = read_yaml(text, "f")
    monkeypatch.delattr(yaml, "CSafeLoader")

    assert read_yaml(text, "f") == with_c


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a:\n\tb: 1", "2:1: a tab stands where YAML wants blanks"),
        ("a: b: c", "1:5: ':' is not expected here"),
        ("a: @x", "1:4: a text cannot begin with '@'"),
        ("a: */5 * * * *", "1:4: a text cannot begin with '*'"),
        ("a: 'x", "1:4: this quote is never closed"),
        ("a: {b: 1", "1:9: ',' or '}' is missing here"),
        ("- a\nb: 1", "2:1: expected a key, or the end of the block above"),
        ("a: 1\na: 2", "2:1: key 'a' is given twice, first in line 1"),
        ('a: "\\ud800"', "1:4: character U+D800 is not allowed in a text"),
    ],
)
def test_the_parser_in_python_is_explained_too(
    monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    monkeypatch.delattr(yaml, "CSafeLoader")

    assert message_of(text) == f"cue.yaml:{message}"
