"""Identities and names: their form, and which one a person means (contracts.md, identity)."""

from __future__ import annotations

import sys
from contextlib import suppress
from functools import lru_cache
from importlib import import_module

from cuectl.values.errors import NotFound, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Final

LEAST_LETTERS = 4
LEAST_SUFFIX = 6  # of the last letters of an id; its first ones are its time
_SHOWN_IDS = 3
_LONGEST = 80
_SMALL = {"sha256": ("_sha256", "_sha2"), "blake2b": ("_blake2",)}


def is_start_of_id(ref: str, prefix: str) -> bool:
    """Tell whether `ref` is `prefix` with enough letters behind it to name an id."""
    letters = ref.removeprefix(prefix)
    is_word = len(letters) >= LEAST_LETTERS and letters.isascii() and letters.isalnum()
    return letters != ref and is_word


def by_start(ref: str, start: str, ids: Iterable[str]) -> str | None:
    """Return the one of `ids` that `start` is, else the only one that starts so; None without any.

    `ref` is what the person wrote; it may also be the last letters of an id. Raises NotFound:
    there are several.
    """
    known = set(ids)
    found = sorted(identity for identity in known if identity.startswith(start))
    if start in found:
        return start
    if not found and len(ref) >= LEAST_SUFFIX:
        found = sorted(identity for identity in known if identity.endswith(ref))
    if len(found) > 1:
        shown = ", ".join(found[:_SHOWN_IDS]) + (", ..." if len(found) > _SHOWN_IDS else "")
        raise NotFound(f"'{ref}' is ambiguous: {shown}")
    return found[0] if found else None


def hex_hash(data: bytes, name: str = "sha256", **options: Any) -> str:
    """Return the hash of a few bytes: `sha256`, or `blake2b` with a key.

    While nothing has loaded `hashlib`, Python's small module makes it, as for `random`: OpenSSL
    takes a quarter of the time that Python itself takes to start.
    """
    for module in () if "hashlib" in sys.modules else _SMALL[name]:
        with suppress(ImportError):
            return str(getattr(import_module(module), name)(data, **options).hexdigest())
    import hashlib

    return str(getattr(hashlib, name)(data, **options).hexdigest())


def nearest(ref: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return the known word that a mistyped one may stand for."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(ref[:_LONGEST], list(known), n=1, cutoff=cutoff)), None)


def not_found(what: str, ref: str, near: str | None, hint: str) -> NotFound:
    """Return the error for a reference to nothing: `no <what> '<ref>'`, and what is near."""
    shown = _shown(ref, _LONGEST)
    return NotFound(f"no {what} '{shown}'", hint=f"did you mean '{near}'? {hint}" if near else hint)


def find_id(what: str, ref: str, ids: Iterable[str], hint: str, *, prefix: str = "") -> str:
    """Return the one of `ids` that a person means by it, by its start, or without its prefix.

    Raises NotFound: with the nearest one, or with those that start so.
    """
    known = list(ids)
    wanted = ref if ref.startswith(prefix) else prefix + ref
    found = by_start(ref, wanted, known) if ref else None
    if found is None:
        raise not_found(what, ref, nearest(wanted, known, cutoff=0.8 if prefix else 0.6), hint)
    return found


CUE_PREFIX: Final = "cue_"
EXECUTION_PREFIX: Final = "exec_"
ALERT_PREFIX: Final = "alert_"
EVENT_PREFIX: Final = "evt_"

_BASE32: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_BASE36: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_PAIRS: Final = [first + second for first in _BASE32 for second in _BASE32]
_VALUE: Final = {letter: value for value, letter in enumerate(_BASE32)}
_TIME_LETTERS: Final = 10
_HASH_LETTERS: Final = 14
_CUE_LETTERS: Final = 12


def cue_id(randomness: bytes) -> str:
    """Return `cue_` and 12 letters of [a-z0-9], made of at least 8 random bytes."""
    number = int.from_bytes(randomness, "big")
    letters = []
    for _ in range(_CUE_LETTERS):
        number, digit = divmod(number, 36)
        letters.append(_BASE36[digit])
    return CUE_PREFIX + "".join(letters)


def is_cue_id(text: str) -> bool:
    """Tell whether a text looks like the whole id of a cue."""
    letters = text.removeprefix(CUE_PREFIX)
    return letters != text and len(letters) == _CUE_LETTERS and set(letters) <= set(_BASE36)


def execution_id(at_ms: int, cue: str, occurrence_key: str) -> str:
    """Return the id of one occurrence: its time, sortable, and a hash of cue and key.

    The same cue and key give the same id, so a double claim can't be written; the key is the
    nominal time, an event's id with the fan-out index, or a random text for `fire`.
    """
    import hashlib

    digest = hashlib.sha256(f"{cue}\n{occurrence_key}".encode()).digest()
    return EXECUTION_PREFIX + _time(at_ms) + _letters(int.from_bytes(digest[:9]), _HASH_LETTERS)


def timed_id(prefix: str, at_ms: int, randomness: bytes) -> str:
    """Return a sortable id (alerts, events): `prefix`, the time, 9 random bytes."""
    return prefix + _time(at_ms) + _letters(int.from_bytes(randomness[:9]), _HASH_LETTERS)


def time_of(identity: str) -> int | None:
    """Return the milliseconds in an id, or in its first ten letters; None where there are none."""
    _, _, rest = identity.partition("_")
    if len(rest) < _TIME_LETTERS:
        return None
    number = 0
    for letter in rest[:_TIME_LETTERS]:
        if letter not in _VALUE:
            return None
        number = number * 32 + _VALUE[letter]
    return number


@lru_cache(maxsize=64)
def _time(ms: int) -> str:
    return _letters(max(0, ms), _TIME_LETTERS)


def _letters(number: int, count: int) -> str:
    # Two letters at a time: a pass over a thousand cues makes a thousand ids.
    return "".join([_PAIRS[number >> at & 1023] for at in range(count * 5 - 10, -1, -10)])


MAX_LENGTH = 255

_FREELY_NAMED = ("cue", "subscription", "task", "handler")
_WHAT_A_NAME_IS = "a name is made of letters, digits, '.', '_', '-' and blanks inside"


def check_name(name: str, what: str) -> None:
    """Check that the name of `what` (a `cue`, a `handler`) is words with blanks between them.

    Cues, and the tasks that they name, are called as people call things: any printable text.
    """
    is_free = what in _FREELY_NAMED
    hint = None if is_free else _WHAT_A_NAME_IS
    if not name.strip():
        raise UsageError(f"{what} has an empty name", hint=hint)
    if len(name) > MAX_LENGTH:
        raise UsageError(f"{what} name '{name[:40]}...' has more than {MAX_LENGTH} characters")
    if name.startswith("-"):
        raise UsageError(f"{what} name '{_shown(name, 60)}' begins with '-' like an option")
    for letter in name:
        if not (letter.isprintable() if is_free else letter.isalnum() or letter in "._- "):
            message = f"{what} name '{_shown(name, 60)}' contains {_named(letter)}"
            raise UsageError(message, hint=hint)
    if not is_free and name != name.strip():
        raise UsageError(f"{what} name '{name}' begins or ends with a blank")
    if not is_free and not name.strip("."):
        raise UsageError(f"{what} name '{name}' is a path")


def quoted(name: str) -> str:
    """Return a name as one word of a command line to copy."""
    from shlex import quote

    return quote(name)


def _named(character: str) -> str:
    if character == "\n":
        return "a line break"
    if not character.isprintable():
        return f"the character U+{ord(character):04X}"
    return f"'{character}'"


def _shown(text: str, limit: int) -> str:
    from cuectl.values.safe_text import visible

    short = text if len(text) <= limit else f"{text[: limit - 3]}..."
    return visible(short, newlines=False, tabs=False)
