"""Change the code a little, run the tests that reach the change, tell what they did not notice.

`make mutants` takes a sample of every wing that decides what runs and what is kept of it;
`make mutants MUTANTS="--wings store,http --count 100 --seed 2"` another one.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tests.mutants.accepted import about, accepted
from tests.mutants.making import sample
from tests.mutants.reach import reached_by, test_files
from tests.mutants.running import BUDGET_S, LIMITS, End, Result, failing, run
from tests.mutants.tree import ROOT, Tree

if TYPE_CHECKING:
    from tests.mutants.accepted import Accepted
    from tests.mutants.making import Mutant

WINGS = "passes,executions,store,alerts,events,http"
# Whose tests may notice a change anywhere; what takes minutes and holds no opinion is left out.
FOLDERS = (
    *("values", "schedule", "store", "process", "definitions", "executions", "cues", "alerts"),
    *("agents", "events", "workflows", "applying", "passes", "installation", "http", "cli"),
)
LEFT_OUT = ("test_clients", "test_real_cron", "test_wheel", "test_dashboard_browser")
MOST_NOTICEABLE = 0.05
SURVIVING = (End.SURVIVED, End.NOT_REACHED)


def main() -> int:
    """Run the tool and return the exit status: 1 where the bar is not held."""
    options = _options()
    kept = Path(sys.prefix) / "mutants"
    mutants = [one for wing in options.wings for one in _chosen(wing, options)]
    print(f"{len(mutants)} mutants", flush=True)
    files = [LIMITS, *(one for one in test_files(FOLDERS) if Path(one).stem not in LEFT_OUT)]
    reached = reached_by(files, kept, again=options.measure)
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        tree = Tree(Path(folder))
        results = [_told(run(one, tree, reached, options.seconds)) for one in mutants]
        wrong = failing(tree, sorted({one.test for one in results if "::" in one.test}))
    results = [_doubted(one, wrong) for one in results]
    _write(results, kept / "results.jsonl")
    return _summary(results, accepted())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("--wings", type=lambda text: text.split(","), default=WINGS.split(","))
    parser.add_argument("--count", type=int, default=55, help="mutants of each wing")
    parser.add_argument("--seed", default="1", help="other mutants for another seed")
    parser.add_argument("--seconds", type=float, default=BUDGET_S, help="of tests for a mutant")
    parser.add_argument("--only", help="the keys of some mutants, with commas")
    parser.add_argument("--measure", action="store_true", help="measure again what tests reach")
    return parser.parse_args()


def _chosen(wing: str, options: argparse.Namespace) -> list[Mutant]:
    found = sample(wing, options.count, options.seed)
    keys = (options.only or "").split(",")
    return [one for one in found if not options.only or one.key in keys]


def _told(result: Result) -> Result:
    mutant = result.mutant
    where = f"{mutant.key} {mutant.module}:{mutant.line} {mutant.operator}"
    print(f"{result.end:11} {result.seconds:6.1f}s {where} {result.test}", flush=True)
    if result.end in SURVIVING:
        _print_diff(mutant)
    return result


def _doubted(result: Result, wrong: set[str]) -> Result:
    """Take back a kill by a test that fails without the mutant as well."""
    if result.test.partition("[")[0] not in wrong:
        return result
    print(f"not counted: {result.test} fails without a change, too")
    return Result(result.mutant, End.SURVIVED, "", result.seconds)


def _write(results: list[Result], place: Path) -> None:
    with place.open("a", encoding="utf-8") as file:
        for one in results:
            mutant = one.mutant
            row = {
                "key": mutant.key,
                "module": mutant.module,
                "line": mutant.line,
                "function": mutant.function,
                "operator": mutant.operator,
                "diff": mutant.diff,
                "end": one.end,
                "test": one.test,
            }
            file.write(json.dumps(row) + "\n")


def _summary(results: list[Result], known: list[Accepted]) -> int:
    """Print what was found; return 1 for a survivor of which nothing is said, or too many."""
    survivors = [one for one in results if one.end in SURVIVING]
    said = {one.mutant.key: about(one.mutant, known) for one in survivors}
    new = [one for one in survivors if said[one.mutant.key] is None]
    for one in new:
        print(f"\nnothing is said of {one.mutant.key}: {one.mutant.module}:{one.mutant.line}")
        _print_diff(one.mutant)
    counts = Counter((one.mutant.module.split("/")[1], one.end) for one in results)
    print(f"\n{'wing':12}" + "".join(f"{end:>13}" for end in End))
    for wing in dict.fromkeys(wing for wing, _ in counts):
        print(f"{wing:12}" + "".join(f"{counts[wing, end]:13}" for end in End))
    noticeable = len(new) + sum(1 for one in said.values() if one and one.noticeable)
    print(
        f"\n{len(results)} mutants, {len(survivors)} survived: nothing is said of {len(new)}, "
        f"{noticeable} that a user could notice ({noticeable / max(1, len(results)):.1%})"
    )
    return int(bool(new) or noticeable > MOST_NOTICEABLE * len(results))


def _print_diff(mutant: Mutant) -> None:
    print(f"    in {mutant.function or 'the module'}")
    for line in mutant.diff:
        print(f"    {line}")


if __name__ == "__main__":
    # The copy goes even when this is ended from outside.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    assert Path.cwd() == ROOT, "run it with `make mutants`"
    # What a fork of this process need not import again.
    for name in ("pytest", "hypothesis", "jsonschema", "yaml", "click", "xdist", "asyncio"):
        __import__(name)
    sys.exit(main())
