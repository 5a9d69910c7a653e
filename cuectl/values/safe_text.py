"""Show text from outside on a terminal without letting it do anything there; hide secrets in it.

Escape sequences, controls and characters that reorder or hide text are shown by their number, so
that nothing can move the cursor or forge a line (reference/reliability.md, S18 and S19).

A secret is found as it is, line by line when it has several, and in the usual encodings: base64 in
its three alignments, hexadecimal, URL, JSON, HTML and shell quoting. What was encrypted, compressed
or cut in pieces is not found; masking is a net, not a proof (reference/reliability.md, S11).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

TAB, NEWLINE = 0x09, 0x0A

_NAMED = {0x09: "\\t", 0x0A: "\\n", 0x0D: "\\r"}
_HIDDEN = (
    (0x00, 0x1F),  # C0 controls
    (0x7F, 0x9F),  # DEL and the C1 controls
    (0xAD, 0xAD),  # soft hyphen
    (0x61C, 0x61C),  # Arabic letter mark
    (0x180E, 0x180E),  # Mongolian vowel separator
    (0x200B, 0x200B),  # zero-width space; the joiners beside it are part of words and emoji
    (0x200E, 0x200F),  # marks of direction
    (0x2028, 0x202E),  # line and paragraph separator; embedding and override of direction
    (0x2060, 0x206F),  # invisible operators; isolates of direction
    (0xD800, 0xDFFF),  # halves of surrogate pairs, which no terminal can be sent
    (0xFEFF, 0xFEFF),  # byte order mark
    (0xFFF9, 0xFFFB),  # interlinear annotation
    (0xE0000, 0xE007F),  # tags, which spell invisible text
)


class _Shown(dict[int, str | None]):
    """A translation table that fills itself; a character stands for itself unless hidden."""

    def __init__(self, kept: tuple[int, ...]) -> None:
        super().__init__((code, chr(code)) for code in kept)

    def __missing__(self, code: int) -> str:
        shown = _escaped(code) if is_hidden(code) else chr(code)
        self[code] = shown
        return shown


_TABLES: dict[tuple[int, ...], _Shown] = {}


def is_hidden(code: int) -> bool:
    """Tell whether a character would act on a terminal, or not be seen on it."""
    return any(first <= code <= last for first, last in _HIDDEN)


def visible(text: str, *, newlines: bool = True, tabs: bool = True) -> str:
    r"""Return the text with everything in it that is not to be sent shown by its number.

    ESC is shown as `\x1b`. A backslash stays as it is: what is shown is for reading.
    """
    if text.isprintable():
        return text
    kept = ((NEWLINE,) if newlines else ()) + ((TAB,) if tabs else ())
    if kept not in _TABLES:
        _TABLES[kept] = _Shown(kept)
    return text.translate(_TABLES[kept])


def one_line(text: str, limit: int) -> str:
    """Return the text made visible on one line of at most `limit` characters, cut off with `…`."""
    text = text.strip()
    # The start is enough to fill a line, and a text may have gigabytes.
    start = text[: 20 * max(limit, 1)]
    shown = visible(" ".join(start.split()), newlines=False, tabs=False)
    if len(start) == len(text) and len(shown) <= limit:
        return shown
    return shown[: limit - 1].rstrip() + "…" if limit > 0 else ""


def _escaped(code: int) -> str:
    if code in _NAMED:
        return _NAMED[code]
    if code > 0xFFFF:
        return f"\\U{code:08x}"
    return f"\\u{code:04x}" if code > 0xFF else f"\\x{code:02x}"


MASK = "***"
SHORTEST = 4

_MASK_BYTES = MASK.encode()
_GIVEN = ("payload", "target", "data", "event", "cloudevent", "kwargs")
_UNRESERVED = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"
# What encoders leave alone beside the unreserved: none, paths, encodeURIComponent, encodeURI.
_URL_SAFE = (b"", b"/", b"!'()*", b"!'()*;/?:@&=+$,#")
_BASE64_LINES = (76, 64)
# The rest on a last line may be no more than an encoded newline.
_BASE64_REST = 8


class Masker:
    """Masks the values of secrets; one without secrets costs nothing.

    `names` are those that are declared, with a value here or not. `too_short` names the secrets
    that are not masked; `longest` is the most bytes looked for.
    """

    __slots__ = ("_forms", "_rescan", "_secrets", "longest", "names", "too_short")

    def __init__(self, secrets: Mapping[str, str], names: Iterable[str] = ()) -> None:
        values = {name: value for name, value in secrets.items() if value.strip()}
        self._secrets, self.names = values, frozenset(names)
        short = [name for name, value in values.items() if len(value.strip()) < SHORTEST]
        self.too_short = tuple(dict.fromkeys(name.partition("=")[0] for name in short))
        forms: set[bytes] = set()
        for name, value in values.items():
            if name not in short:
                forms.update(_forms_of(value))
        self._forms = sorted(form for form in forms if len(form) >= SHORTEST)
        self.longest = max(map(len, self._forms), default=0)
        # The mask beside other text can spell a secret that has a star in it.
        self._rescan = any(b"*" in form for form in self._forms)

    def __bool__(self) -> bool:
        return bool(self._forms)

    def with_values_in(self, *places: object) -> Masker:
        """Return a masker that also hides what declared names stand for in these JSON values."""
        known = set(self._secrets.values())
        fresh = {found for found in _values_of(self.names, places) if found[1] not in known}
        more = {f"{name}={value}": value for name, value in fresh}
        return Masker(self._secrets | more, self.names) if more else self

    def without_secrets(self, record: dict[str, Any]) -> dict[str, Any]:
        """Return a cue, an execution or an event with secrets hidden in what is given to it."""
        own = self.with_values_in(*(record.get(name) for name in _GIVEN))
        shown = {name: own.mask_json(record[name]) for name in _GIVEN if name in record}
        return record | shown

    def meanings(self, text: str) -> Iterator[str]:
        """Yield what a masked text may have been, as far as one secret explains it."""
        if MASK in text:
            yield from (text.replace(MASK, value) for value in self._secrets.values())

    def mask(self, text: str) -> str:
        """Return the text with every secret in it replaced by `***`."""
        if not self._forms or not text:
            return text
        data = text.encode("utf-8", "surrogatepass")
        masked = self.mask_bytes(data)
        if masked is data:
            return text
        try:
            return masked.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            # A secret that is not text may start within a character.
            return masked.decode("utf-8", "replace")

    def mask_bytes(self, data: bytes) -> bytes:
        """Return the bytes with every secret in them replaced by `***`."""
        while spans := self._spans(data):
            data = b"".join(_pieces(data, spans))
            if not self._rescan:
                break
        return data

    def mask_json(self, value: object) -> object:
        """Return a JSON value with the secrets in its strings, keys and numbers masked.

        The value of a key with a declared name is masked whatever it is.
        """
        if not self._forms and not self.names:
            return value
        if isinstance(value, str):
            return self.mask(value)
        if isinstance(value, list | tuple):
            return [self.mask_json(item) for item in value]
        if isinstance(value, dict):
            return self._mask_object(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return MASK if self.finds(repr(value).encode()) else value
        return value

    def finds(self, data: bytes) -> bool:
        """Tell whether there is a secret in the bytes."""
        return any(form in data for form in self._forms)

    def begins(self, data: bytes) -> bool:
        """Tell whether the bytes are the beginning of a secret."""
        return any(form.startswith(data) for form in self._forms)

    def stream(self) -> MaskedStream:
        """Return a mask for data that comes in pieces."""
        return MaskedStream(self)

    def _mask_object(self, value: dict[str, object]) -> dict[str, object]:
        masked: dict[str, object] = {}
        for key, item in value.items():
            name = shown = self.mask(str(key))
            count = 1
            while name in masked:
                count += 1
                name = f"{shown}{count}"
            masked[name] = MASK if key in self.names and _is_plain(item) else self.mask_json(item)
        return masked

    def _spans(self, data: bytes) -> list[tuple[int, int]]:
        """Return where secrets are, in order, those that overlap as one."""
        found: list[tuple[int, int]] = []
        for form in self._forms:
            size = len(form)
            at = data.find(form)
            while at >= 0:
                found.append((at, at + size))
                at = data.find(form, at + 1)
        return _joined(found) if found else found


class MaskedStream:
    """Masks data piece by piece, also where a secret lies across a border, as `mask_bytes` does.

    But a mask which spells a secret together with what stands beside it is left.
    """

    __slots__ = ("_buffer", "_hidden", "_masker")

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._buffer = b""
        # So many bytes at the start of the buffer are under a mask that has gone out.
        self._hidden = 0

    def feed(self, chunk: bytes, *, live: bool = False) -> bytes:
        """Return what can be given away after one more piece.

        With `live`, only what may be the beginning of a secret is kept back.
        """
        if not self._masker:
            return chunk
        self._buffer += chunk
        # A secret that starts before this place lies in the buffer as a whole.
        cut = max(0, len(self._buffer) - self._masker.longest + 1)
        while live and cut < len(self._buffer) and not self._masker.begins(self._buffer[cut:]):
            cut += 1
        return self._give(cut)

    def finish(self) -> bytes:
        """Return what is left when there is no more to come."""
        return self._give(len(self._buffer))

    def _give(self, cut: int) -> bytes:
        spans = [(start, end) for start, end in self._masker._spans(self._buffer) if start < cut]
        if self._hidden:
            spans = _joined([(0, self._hidden), *spans])
        out = b"".join(_pieces(self._buffer[:cut], spans))
        if self._hidden:
            out = out.removeprefix(_MASK_BYTES)
        self._hidden = max(0, spans[-1][1] - cut) if spans else 0
        self._buffer = self._buffer[cut:]
        return out


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool) and value != ""


def _values_of(names: frozenset[str], value: object) -> Iterator[tuple[str, str]]:
    """Yield (name, value) of the declared names that are keys in a JSON value."""
    if isinstance(value, list | tuple):
        for item in value:
            yield from _values_of(names, item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in names and _is_plain(item):
                yield key, str(item)
            else:
                yield from _values_of(names, item)


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _pieces(data: bytes, spans: list[tuple[int, int]]) -> Iterator[bytes]:
    at = 0
    for start, end in spans:
        yield data[at:start]
        yield _MASK_BYTES
        at = end
    yield data[at:]


def _forms_of(value: str) -> Iterator[bytes]:
    """Yield every way in which a secret may stand in a text."""
    for text in {value, value.strip(), value.replace("\r\n", "\n").strip()}:
        raw = _encoded(text)
        yield raw
        yield text.encode("utf-8", "surrogatepass")
        yield from _base64_forms(raw)
        yield from (raw.hex().encode(), raw.hex().upper().encode())
        yield from _url_forms(raw)
        yield from _quoted_forms(text)
    lines = value.splitlines()
    if len(lines) > 1:
        for line in lines:
            if len(line.strip()) >= SHORTEST:
                yield _encoded(line.strip())
                yield from _quoted_forms(line.strip())


def _encoded(text: str) -> bytes:
    # Values from the environment may hold bytes that are not UTF-8, as surrogates.
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _base64_forms(raw: bytes) -> Iterator[bytes]:
    from binascii import b2a_base64

    whole = b2a_base64(raw, newline=False)
    forms = [whole]
    for width in _BASE64_LINES:
        if len(whole) > width:
            lines = (whole[at : at + width] for at in range(0, len(whole), width))
            forms += [line for line in lines if len(line) >= _BASE64_REST]
    for before in range(3):
        text = b2a_base64(bytes(before) + raw, newline=False)
        # Only these characters depend on nothing but the secret.
        forms.append(text[-(-8 * before // 6) : 8 * (before + len(raw)) // 6])
    for form in forms:
        yield form
        yield form.replace(b"+", b"-").replace(b"/", b"_")


def _url_forms(raw: bytes) -> Iterator[bytes]:
    for safe in _URL_SAFE:
        kept = _UNRESERVED + safe
        for pattern in ("%%%02X", "%%%02x"):
            quoted = b"".join(
                bytes((byte,)) if byte in kept else (pattern % byte).encode() for byte in raw
            )
            yield quoted
            yield quoted.replace(b"%20", b"+")
            yield quoted.replace(b"%20", b"+").replace(b"~", pattern.encode() % ord("~"))


def _quoted_forms(text: str) -> Iterator[bytes]:
    import json

    for ascii_only in (True, False):
        once = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        yield _encoded(once)
        yield _encoded(once.replace("/", "\\/"))
        # A JSON text as a string within another one.
        yield _encoded(json.dumps(once, ensure_ascii=ascii_only)[1:-1])
    yield _encoded(repr(text)[1:-1])
    yield from map(_encoded, _html_forms(text))
    yield _encoded(text.replace("'", "'\\''"))
    yield _encoded(text.replace("'", "'\"'\"'"))


def _html_forms(text: str) -> Iterable[str]:
    plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    quoted = plain.replace('"', "&quot;")
    return (plain, quoted, quoted.replace("'", "&#x27;"), quoted.replace("'", "&#39;"))
