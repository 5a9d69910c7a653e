"""Identities: what they look like and what they are made of (contracts.md, identity)."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final

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

    The same cue and key give the same id, so a double claim can't be written; the key is
    the nominal time, an event's id with the fan-out index, or a random text for `fire`.
    """
    digest = hashlib.sha256(f"{cue}\n{occurrence_key}".encode()).digest()
    return EXECUTION_PREFIX + _time(at_ms) + _letters(int.from_bytes(digest[:9]), _HASH_LETTERS)


def timed_id(prefix: str, at_ms: int, randomness: bytes) -> str:
    """Return a sortable id (alerts, events): `prefix`, the time, 9 random bytes."""
    return prefix + _time(at_ms) + _letters(int.from_bytes(randomness[:9]), _HASH_LETTERS)


def time_of(identity: str) -> int | None:
    """Return the milliseconds in an execution, alert or event id; None where there are none.

    A cut-off id has a time as long as its ten time letters are there.
    """
    _, _, rest = identity.partition("_")
    if len(rest) < _TIME_LETTERS:
        return None
    number = 0
    for letter in rest[:_TIME_LETTERS]:
        value = _VALUE.get(letter)
        if value is None:
            return None
        number = number * 32 + value
    return number


@lru_cache(maxsize=64)
def _time(ms: int) -> str:
    return _letters(max(0, ms), _TIME_LETTERS)


def _letters(number: int, count: int) -> str:
    # Two letters at a time: a pass over a thousand cues makes a thousand ids.
    out = [_PAIRS[number >> shift & 1023] for shift in range(count * 5 - 10, -1, -10)]
    return "".join(out)
