"""Do we believe it: what a handler must show before its success counts as verified.

Source: reference/cueapi.md 3.4 for the peer's table, design.md section 6 for what is
stricter here (blank ids, files that must exist and be new, the checker command).
"""

from __future__ import annotations

from enum import StrEnum

from cuectl.executions.rules.outcome import is_blank
from cuectl.values.records import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cuectl.executions.rules.outcome import Outcome

# A kernel stamps files with the time of its last tick, which may lie this far back.
_TICK_MS = 10
_SECOND_MS = 1000


class VerificationMode(StrEnum):
    """What a cue asks of the outcome of its executions."""

    NONE = "none"
    REQUIRE_EXTERNAL_ID = "require_external_id"
    REQUIRE_RESULT_URL = "require_result_url"
    REQUIRE_ARTIFACTS = "require_artifacts"
    MANUAL = "manual"
    COMMAND = "command"


class OutcomeState(StrEnum):
    """Whether the work is believed, beside the status, which says how the process ended."""

    REPORTED_SUCCESS = "reported_success"
    REPORTED_FAILURE = "reported_failure"
    VERIFIED_SUCCESS = "verified_success"
    VERIFICATION_PENDING = "verification_pending"
    VERIFICATION_FAILED = "verification_failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactFact:
    """What a look at the file system said about the artifact called `name`."""

    name: str
    exists: bool
    is_file: bool = False
    mtime_ms: int = 0
    path: str | None = None  # absolute; None for one that could not be looked at
    size: int | None = None
    sha256: str | None = None  # None for a very large one

    def to_record(self) -> dict[str, object]:
        """Return what is kept of a file as evidence."""
        return {"path": self.path, "size": self.size, "sha256": self.sha256}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The state of an outcome; `reason` is empty unless something is missing or wrong."""

    state: OutcomeState
    reason: str = ""


_VERIFIED = Judged(state=OutcomeState.VERIFIED_SUCCESS)
_BY_HAND = Judged(state=OutcomeState.VERIFICATION_PENDING, reason="waits for 'cuectl verify'")


def judge(
    mode: VerificationMode,
    *,
    success: bool,
    outcome: Outcome,
    facts: Iterable[ArtifactFact] = (),
    started_ms: int = 0,
    allow_empty: bool = False,
    checker_status: int | None = None,
) -> Judged:
    """Return whether a success is believed.

    An exit 0 without any report is a success here as for the peer, and has shown nothing under
    `require_*` (reference/cueapi.md 3.2 and 3.4). A missing fact counts as not found.

    Args:
        started_ms: by the clock that stamps the files, not by a pretended one.
        checker_status: minus n for signal n; None while there is none.
    """
    if not success:
        return Judged(state=OutcomeState.REPORTED_FAILURE)
    match mode:
        case VerificationMode.NONE:
            return Judged(state=OutcomeState.REPORTED_SUCCESS)
        case VerificationMode.REQUIRE_EXTERNAL_ID:
            return _shown("external_id", outcome, shown=bool(outcome.external_id))
        case VerificationMode.REQUIRE_RESULT_URL:
            return _shown("result_url", outcome, shown=bool(outcome.result_url))
        case VerificationMode.REQUIRE_ARTIFACTS:
            return _artifacts(outcome, facts, started_ms, allow_empty=allow_empty)
        case VerificationMode.MANUAL:
            return _BY_HAND
        case VerificationMode.COMMAND:
            return _checked(checker_status)


def local_artifacts(outcome: Outcome) -> list[str]:
    """Return the artifacts that name a local file, as the handler wrote them, each once.

    A string does unless it is blank or starts with a scheme (`https://`, `urn:`); an object does so
    by a string under `path` or `file`. `file:///x` is `/x`.
    """
    names: dict[str, None] = {}
    for entry in outcome.artifacts or ():
        values = (entry.get("path"), entry.get("file")) if isinstance(entry, dict) else (entry,)
        for value in values:
            path = _local_path(value) if isinstance(value, str) else None
            if path is not None:
                names[path] = None
    return list(names)


def is_old(mtime_ms: int, started_ms: int) -> bool:
    """Tell whether a file was last written before an attempt started.

    A stamp without a fraction is of a file system that stamps by the second.
    """
    if mtime_ms % _SECOND_MS == 0:
        started_ms -= started_ms % _SECOND_MS
    return mtime_ms < started_ms - _TICK_MS


def _failed(reason: str) -> Judged:
    return Judged(state=OutcomeState.VERIFICATION_FAILED, reason=reason)


def _shown(name: str, outcome: Outcome, *, shown: bool) -> Judged:
    return _VERIFIED if shown else _failed(f"no {name} was reported{_why_not(name, outcome)}")


def _why_not(name: str, outcome: Outcome) -> str:
    """Return why a field that was perhaps written did not arrive, in brackets."""
    if outcome.problem is not None:
        return f" ({outcome.problem})"
    for entry in outcome.dropped:
        if entry.startswith(f"{name}: "):
            return f" ({entry})"
    return "" if outcome.reported else " (the handler reported nothing)"


def _artifacts(
    outcome: Outcome, facts: Iterable[ArtifactFact], started_ms: int, *, allow_empty: bool
) -> Judged:
    shown = (
        not is_blank(entry) if isinstance(entry, str) else entry not in (None, [], {})
        for entry in outcome.artifacts or ()
    )
    if not any(shown):
        return _failed(f"no artifacts were reported{_why_not('artifacts', outcome)}")
    seen = {fact.name: fact for fact in facts}
    for name in local_artifacts(outcome):
        fact = seen.get(name)
        if fact is None or not fact.exists:
            return _failed(f"artifact '{name}' does not exist")
        if not fact.is_file:
            return _failed(f"artifact '{name}' is not a file")
        if fact.size == 0 and not allow_empty:
            return _failed(f"artifact '{name}' is empty")
        if is_old(fact.mtime_ms, started_ms):
            return _failed(f"artifact '{name}' is older than the start of the attempt")
    return _VERIFIED


def _checked(status: int | None) -> Judged:
    if status is None:
        return Judged(state=OutcomeState.VERIFICATION_PENDING, reason="the checker has not ended")
    if status == 0:
        return _VERIFIED
    if status < 0:
        return _failed(f"the checker was ended by signal {-status}")
    return _failed(f"the checker ended with exit status {status}")


def _local_path(text: str) -> str | None:
    if is_blank(text):
        return None
    scheme, colon, rest = text.partition(":")
    if not colon or not _is_scheme(scheme):
        return text
    if scheme.lower() == "file":
        return _path_of_file_url(rest)
    # `report:final.txt` is a file name as well as a URI without an authority; only schemes
    # that people do use without one are taken for URIs.
    named = rest.startswith("//") or scheme.lower() in ("urn", "mailto", "data", "doi")
    return None if named else text


def _path_of_file_url(rest: str) -> str | None:
    if not rest.startswith("//"):
        return _unquoted(rest) or None
    host, slash, path = rest[2:].partition("/")
    return (_unquoted(slash + path) or None) if host in ("", "localhost") else None


def _is_scheme(text: str) -> bool:
    is_plain = all(char.isalnum() or char in "+.-" for char in text)
    return text.isascii() and text[:1].isalpha() and is_plain


def _unquoted(path: str) -> str:
    if "%" not in path:
        return path
    from urllib.parse import unquote

    plain = unquote(path)
    return path if "\0" in plain else plain


def believed(outcome: Outcome) -> tuple[ArtifactFact, ...]:
    """Take local files of another machine as they are named: they can't be looked at here."""
    return tuple(
        ArtifactFact(name=name, exists=True, is_file=True, mtime_ms=2**53)
        for name in local_artifacts(outcome)
    )
