from __future__ import annotations

import base64
import html
import json
import shlex
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

from hypothesis import example, given
from hypothesis import strategies as st

from cuectl.values.safe_text import Masker

if TYPE_CHECKING:
    from collections.abc import Callable

# A star in a secret is another matter: a mask can spell it.
SECRETS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="*"), min_size=4)
VISIBLE = SECRETS.filter(lambda text: len(text.strip()) >= 4)
AROUND = st.binary(max_size=40)

ENCODERS: dict[str, Callable[[str, bytes, bytes], bytes]] = {
    "plain": lambda s, before, after: before + s.encode() + after,
    "base64": lambda s, before, after: base64.b64encode(before + s.encode() + after),
    "base64 for URLs": lambda s, b, a: base64.urlsafe_b64encode(b + s.encode() + a),
    "hexadecimal": lambda s, before, after: (before + s.encode() + after).hex().encode(),
    "capitals": lambda s, before, after: (before + s.encode() + after).hex().upper().encode(),
    "URL": lambda s, before, after: before + quote(s, safe="").encode() + after,
    "URL path": lambda s, before, after: before + quote(s).encode() + after,
    "form": lambda s, before, after: before + quote_plus(s).encode() + after,
    "JSON": lambda s, before, after: before + json.dumps(s).encode() + after,
    "JSON UTF-8": lambda s, b, a: b + json.dumps(s, ensure_ascii=False).encode() + a,
    "JSON twice": lambda s, before, after: before + json.dumps(json.dumps(s)).encode() + after,
    "HTML": lambda s, before, after: before + html.escape(s).encode() + after,
    "shell": lambda s, before, after: before + shlex.quote(s).encode() + after,
    "repr": lambda s, before, after: before + repr(s).encode() + after,
}


@given(VISIBLE, st.sampled_from(sorted(ENCODERS)), AROUND, AROUND)
@example("aaaa", "base64", b"a", b"aa")
@example("'\"\\x", "JSON twice", b"", b"")
def test_no_secret_is_left_in_any_encoding(
    secret: str, encoding: str, before: bytes, after: bytes
) -> None:
    masker = Masker({"S": secret})
    text = ENCODERS[encoding](secret, before, after)

    masked = masker.mask_bytes(text)

    assert masker.finds(text)
    assert b"***" in masked
    assert not masker.finds(masked)
    assert masker.mask_bytes(masked) == masked
    assert secret.encode() not in masked


@given(st.lists(VISIBLE, min_size=1, max_size=3), AROUND, st.data())
def test_a_stream_gives_what_the_whole_gives(
    secrets: list[str], around: bytes, data: st.DataObject
) -> None:
    masker = Masker({str(number): secret for number, secret in enumerate(secrets)})
    parts = [around, b" ", *(secret.encode() for secret in secrets)]
    text = b"".join(data.draw(st.lists(st.sampled_from(parts), max_size=8)))
    borders = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))

    stream = masker.stream()
    chunks = [
        text[start:end] for start, end in zip([0, *borders], [*borders, len(text)], strict=True)
    ]
    out = b"".join([*(stream.feed(chunk) for chunk in chunks), stream.finish()])

    assert out == masker.mask_bytes(text)


@given(st.text("ab*", min_size=4, max_size=6), st.text("ab*", min_size=4), st.text("ab*"))
def test_secrets_of_stars_end(one: str, other: str, text: str) -> None:
    masker = Masker({"A": one, "B": other})

    masked = masker.mask(text)

    assert one not in masked
    assert other not in masked


@given(st.text(st.characters()), st.text(st.characters()))
def test_any_text_and_any_secret_are_accepted(secret: str, text: str) -> None:
    masker = Masker({"S": secret})

    masked = masker.mask(f"{text}{secret}{text}")

    if masker:
        assert secret not in masked
        assert "***" in masked
        assert masker.mask_json({text: [secret]}) == {masker.mask(text): [masker.mask(secret)]}
    else:
        assert masked == f"{text}{secret}{text}"
