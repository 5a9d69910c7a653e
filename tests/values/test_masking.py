from __future__ import annotations

import base64
import html
import json
import shlex
from urllib.parse import quote, quote_plus

import pytest

from cuectl.values.safe_text import Masker

SECRET = "s3cr3t/+=\n2&'x\"é"
ENCODINGS = {
    "plain": SECRET.encode(),
    "base64, first alignment": base64.b64encode(SECRET.encode()),
    "base64, second alignment": base64.b64encode(b"u" + SECRET.encode() + b"after"),
    "base64, third alignment": base64.b64encode(b"u:" + SECRET.encode() + b"after"),
    "base64 for URLs": base64.urlsafe_b64encode(SECRET.encode()),
    "hexadecimal": SECRET.encode().hex().encode(),
    "hexadecimal, capitals": SECRET.encode().hex().upper().encode(),
    "URL": quote(SECRET, safe="").encode(),
    "URL path": quote(SECRET).encode(),
    "URL, small letters": quote(SECRET, safe="").replace("%2F", "%2f").lower().encode(),
    "form": quote_plus(SECRET).encode(),
    "JSON, ASCII": json.dumps(SECRET).encode(),
    "JSON, UTF-8": json.dumps(SECRET, ensure_ascii=False).encode(),
    "JSON in JSON": json.dumps(json.dumps({"k": SECRET})).encode(),
    "HTML": html.escape(SECRET).encode(),
    "HTML without quotes": html.escape(SECRET, quote=False).encode(),
    "shell": shlex.quote(SECRET).encode(),
    "shell, backslash": SECRET.replace("'", "'\\''").encode(),
    "Python": repr(SECRET).encode(),
}
MASKER = Masker({"TOKEN": SECRET})


@pytest.mark.parametrize("name", ENCODINGS)
def test_a_secret_is_masked_in_every_usual_encoding(name: str) -> None:
    encoded = ENCODINGS[name]

    masked = MASKER.mask_bytes(b"before " + encoded + b" after")

    assert MASKER.finds(encoded)
    assert not MASKER.finds(masked)
    assert masked.startswith(b"before ")
    assert masked.endswith(b" after")
    assert b"***" in masked
    # Beside the mask no more is left than quotes, or the letters of base64 at its borders.
    assert len(masked) <= len("before  after") + 20


@pytest.mark.parametrize("name", ENCODINGS)
def test_a_secret_is_masked_across_the_border_of_two_writes(name: str) -> None:
    text = b"before " + ENCODINGS[name] + b" after"
    whole = MASKER.mask_bytes(text)

    for border in range(len(text) + 1):
        stream = MASKER.stream()
        assert stream.feed(text[:border]) + stream.feed(text[border:]) + stream.finish() == whole


def test_every_line_of_a_secret_of_several_is_masked_on_its_own() -> None:
    key = '-----BEGIN KEY-----\r\n  abcdefgh\r\nij\r\nkl"mnop\r\n-----END KEY-----\r\n'
    masker = Masker({"KEY": key})

    assert masker.mask("> abcdefgh <") == "> *** <"
    assert masker.mask('> kl\\"mnop') == "> ***"
    assert masker.mask("ij") == "ij"
    assert masker.mask(f"[{key}]") == "[***]"
    assert masker.mask("[" + key.replace("\r\n", "\n").strip() + "]") == "[***]"


def test_base64_that_is_broken_into_lines_is_masked() -> None:
    secret = bytes(range(33, 120)).decode() * 3
    masker = Masker({"KEY": secret})

    masked = masker.mask_bytes(base64.encodebytes(secret.encode()))

    assert masked.split(b"\n")[:-2] == [b"***"] * (len(masked.split(b"\n")) - 2)
    assert not masker.finds(masked)


def test_a_secret_is_masked_without_the_newline_of_the_file_it_came_from() -> None:
    assert Masker({"T": "hunter22\n"}).mask("[hunter22]") == "[***]"


def test_values_too_short_to_mask_are_named() -> None:
    masker = Masker({"A": "abc", "B": "abc \n", "C": "", "D": "   ", "E": "abcd"})

    assert masker.too_short == ("A", "B")
    assert masker.mask("abc abcd") == "abc ***"


def test_without_secrets_everything_comes_back_as_it_is() -> None:
    masker = Masker({})
    data, text, value = b"x" * 10, "x" * 10, {"a": [1]}

    assert not masker
    assert masker.longest == 0
    assert masker.mask_bytes(data) is data
    assert masker.mask(text) is text
    assert masker.mask_json(value) is value
    assert not masker.finds(data)
    stream = masker.stream()
    assert stream.feed(data) is data
    assert stream.finish() == b""


def test_secrets_that_overlap_leave_nothing_of_either() -> None:
    masker = Masker({"A": "abcdef", "B": "defghi"})

    assert masker.mask("1abcdefghi2") == "1***2"
    assert masker.mask("abcdefdefghi") == "******"
    assert Masker({"A": "aaaa"}).mask("baaaaaaaab") == "b***b"


def test_the_longer_of_two_secrets_leaves_no_tail() -> None:
    assert Masker({"A": "password", "B": "password-long"}).mask("<password-long>") == "<***>"


def test_a_mask_that_spells_a_secret_is_masked_again() -> None:
    masker = Masker({"A": "wxyz", "B": "abc*"})

    assert masker.mask("abcwxyz") == "*****"


def test_json_is_masked_in_texts_keys_and_numbers() -> None:
    masker = Masker({"PIN": "12345678", "T": "token-1"})

    masked = masker.mask_json(
        {
            "token-1": 1,
            "x token-1": ["token-1", ("a token-1",)],
            "pin": 12345678,
            "f": 12345678.5,
            "t": True,
            "n": None,
        }
    )

    assert masked == {
        "***": 1,
        "x ***": ["***", ["a ***"]],
        "pin": "***",
        "f": "***",
        "t": True,
        "n": None,
    }


def test_keys_that_become_equal_are_kept_apart() -> None:
    masker = Masker({"A": "aaaa1", "B": "bbbb1", "C": "cccc1"})

    assert masker.mask_json({"aaaa1": 1, "bbbb1": 2, "cccc1": 3}) == {
        "***": 1,
        "***2": 2,
        "***3": 3,
    }


def test_a_value_that_is_not_utf_8_is_masked_in_bytes_and_in_text() -> None:
    value = b"pw\xff\xfe".decode("utf-8", "surrogateescape")
    masker = Masker({"A": value})

    assert masker.mask_bytes(b"<pw\xff\xfe>") == b"<***>"
    assert masker.mask(f"<{value}>") == "<***>"


def test_a_value_that_begins_within_a_character_still_leaves_a_text() -> None:
    masker = Masker({"A": b"\x80\x80ab".decode("utf-8", "surrogateescape")})

    assert "\u4000".encode() == b"\xe4\x80\x80"
    assert masker.mask("<\u4000ab>") == "<\ufffd***>"


def test_the_stream_holds_back_no_more_than_the_longest_form() -> None:
    stream = MASKER.stream()
    given = stream.feed(b"x" * 10_000)

    assert len(given) == 10_000 - MASKER.longest + 1
    assert stream.finish() == b"x" * (MASKER.longest - 1)


def test_the_stream_is_bounded_on_a_secret_that_overlaps_itself() -> None:
    masker = Masker({"A": "aaaa"})
    stream = masker.stream()

    out = b"".join(stream.feed(b"a") for _ in range(5000)) + stream.feed(b"b") + stream.finish()

    assert out == b"***b"
