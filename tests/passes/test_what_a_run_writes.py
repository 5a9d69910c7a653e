"""How much of the journal a run costs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.fixtures.passing import a_cue, ends, pass_over

if TYPE_CHECKING:
    from cuectl.process.runtime import Runtime
    from tests.conftest import ManualClock


def size_of_journal(runtime: Runtime) -> int:
    return sum(path.stat().st_size for path in Path(runtime.home, "journal").glob("*.jsonl"))


def test_a_run_does_not_write_the_definition(runtime: Runtime, clock: ManualClock) -> None:
    """A per-minute cue would write its definition 1,440 times a day (hole A17)."""
    a_cue(runtime, "job", cron="* * * * *", description="what it is for. " * 250)
    assert size_of_journal(runtime) > 4_000
    clock.advance(60)
    pass_over(runtime)
    before = size_of_journal(runtime)
    clock.advance(60)
    pass_over(runtime)

    assert ends(runtime) == ["succeeded"] * 2
    assert size_of_journal(runtime) - before < 3_000
