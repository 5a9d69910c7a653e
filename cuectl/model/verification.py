"""Do we believe it: what a handler must show before its success counts as verified.

Source: reference/cueapi.md 3.4 for the peer's table, design.md section 6 for what is
stricter here (blank ids, files that must exist and be new, the checker command).
"""

from __future__ import annotations

from enum import StrEnum

from cuectl.model.outcome import is_blank
from cuectl.model.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cuectl.model.outcome import Outcome

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The state of an outcome; `reason` is empty unless something is missing or wrong."""

    state: OutcomeState
    reason: str = ""


_REPORTED_SUCCESS = Judged(state=OutcomeState.REPORTED_SUCCESS)
_REPORTED_FAILURE = Judged(state=OutcomeState.REPORTED_FAILURE)
_VERIFIED = Judged(state=OutcomeState.VERIFIED_SUCCESS)
_BY_HAND = Judged(state=OutcomeState.VERIFICATION_PENDING, reason="waits for 'cuectl verify'")
_BY_COMMAND = Judged(state=OutcomeState.VERIFICATION_PENDING, reason="the checker has not ended")


def judge(
    mode: VerificationMode,
    *,
    success: bool,
    outcome: Outcome,
    facts: Iterable[ArtifactFact] = (),
    started_ms: int = 0,
    checker_status: int | None = None,
) -> Judged:
    """Return whether a success is believed.

    Args:
        mode: what the cue asks for.
        success: how the execution ended, by exit code and outcome together. An exit 0 without
            any report is a success here as for the peer: under `none` it is
            `reported_success`, and under `require_*` it has shown nothing
            (reference/cueapi.md 3.2 and 3.4). `unknown` is for executions of which nobody
            could say how they ended.
        outcome: what the handler said.
        facts: one for each name of `local_artifacts`; a missing one counts as not found.
        started_ms: the attempt's start, by the clock that stamps the files, not by a
            pretended one.
        checker_status: the exit status of the checker, minus n for signal n; None while there
            is none.
    """
    if not success:
        return _REPORTED_FAILURE
    match mode:
        case VerificationMode.NONE:
            return _REPORTED_SUCCESS
        case VerificationMode.REQUIRE_EXTERNAL_ID:
            return _shown("external_id", outcome, shown=bool(outcome.external_id))
        case VerificationMode.REQUIRE_RESULT_URL:
            return _shown("result_url", outcome, shown=bool(outcome.result_url))
        case VerificationMode.REQUIRE_ARTIFACTS:
            return _artifacts(outcome, facts, started_ms)
        case VerificationMode.MANUAL:
            return _BY_HAND
        case VerificationMode.COMMAND:
            return _checked(checker_status)


def local_artifacts(outcome: Outcome) -> list[str]:
    """Return the artifacts that name a local file, as the handler wrote them, each once.

    A string names a file unless it is blank or begins with a scheme (`https://`, `s3://`,
    `urn:`); an object does so by a string under `path` or `file`. `file:///x` is `/x`. What
    else stands in the list is evidence of another kind.
    """
    names: dict[str, None] = {}
    for entry in outcome.artifacts or ():
        for name in _strings(entry):
            path = _local_path(name)
            if path is not None:
                names[path] = None
    return list(names)


def is_old(mtime_ms: int, started_ms: int) -> bool:
    """Tell whether a file was last written before an attempt started.

    Kernels stamp files by the tick, and some file systems by the second; a stamp without a
    fraction is compared by the second.
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


def _artifacts(outcome: Outcome, facts: Iterable[ArtifactFact], started_ms: int) -> Judged:
    if not any(_is_something(entry) for entry in outcome.artifacts or ()):
        return _failed(f"no artifacts were reported{_why_not('artifacts', outcome)}")
    seen = {fact.name: fact for fact in facts}
    for name in local_artifacts(outcome):
        fact = seen.get(name)
        if fact is None or not fact.exists:
            return _failed(f"artifact '{name}' does not exist")
        if not fact.is_file:
            return _failed(f"artifact '{name}' is not a file")
        if is_old(fact.mtime_ms, started_ms):
            return _failed(f"artifact '{name}' is older than the start of the attempt")
    return _VERIFIED


def _checked(status: int | None) -> Judged:
    if status is None:
        return _BY_COMMAND
    if status == 0:
        return _VERIFIED
    if status < 0:
        return _failed(f"the checker was ended by signal {-status}")
    return _failed(f"the checker ended with exit status {status}")


def _is_something(entry: object) -> bool:
    if isinstance(entry, str):
        return not is_blank(entry)
    return entry not in (None, [], {})


def _strings(entry: object) -> list[str]:
    values = [entry.get("path"), entry.get("file")] if isinstance(entry, dict) else [entry]
    return [value for value in values if isinstance(value, str)]


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
    path = rest
    if rest.startswith("//"):
        host, slash, path = rest[2:].partition("/")
        path = slash + path
        if host not in ("", "localhost"):
            return None
    return _unquoted(path) or None


def _is_scheme(text: str) -> bool:
    return (
        text.isascii()
        and text[:1].isalpha()
        and all(char.isalnum() or char in "+.-" for char in text)
    )


def _unquoted(path: str) -> str:
    if "%" not in path:
        return path
    from urllib.parse import unquote

    plain = unquote(path)
    return path if "\0" in plain else plain
