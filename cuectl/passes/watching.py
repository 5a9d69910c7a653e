"""What a person at the terminal sees of the executions that a pass is running."""

from __future__ import annotations

from cuectl.store import output, paths
from cuectl.values.records import dataclass
from cuectl.values.safe_text import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from cuectl.executions.effects import PassContext
    from cuectl.executions.supervise import Running

_TAIL_BYTES = 2_000
_LONGEST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """One execution that runs; `last_line` is masked, empty when it has printed nothing."""

    name: str
    elapsed_s: float
    last_line: str


def watched(running: Iterable[Running], context: PassContext, now: int) -> list[Watched]:
    """Return what runs, the oldest first."""
    masked = context.masker.mask if context.masker else str
    return [
        Watched(
            name=one.execution.cue_name,
            elapsed_s=max(0, now - one.started_at) / 1000,
            last_line=one_line(masked(_last_line(one, context.home)), _LONGEST),
        )
        for one in sorted(running, key=lambda one: one.started_at)
    ]


def _last_line(one: Running, home: str) -> str:
    path = paths.run_file(home, one.execution.id, one.execution.attempt, "out")
    try:
        start = max(0, output.size(path) - _TAIL_BYTES)
        data = b"".join(output.pieces(path, start))
    except OSError:
        return ""
    lines = data.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else ""


def telling(
    tell: Callable[[str], None], watch: Callable[[Sequence[Watched]], None]
) -> Callable[[str], None]:
    """Return how a line for people is printed while others stand below the cursor."""

    def clear_and_tell(line: str) -> None:
        watch(())
        tell(line)

    return clear_and_tell
