"""Fault sweeps over a real command: SIGKILL, errors and power cuts at every state change.

How to sweep a command (test_toys.py has it all on small stores)::

    pytestmark = pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))

    report = sweep(prepare, argv_for, check, work=tmp_path, faults=Crashes(), points=30, env=env)
    assert report.failures == [], str(report)

`prepare(root)` fills an empty directory, `argv_for(root)` is the command, `check(root, result)`
recovers, looks, and returns problems. `faults=Errors()` sweeps errors; `power_sweep` cuts the
power, over several commands in a row if need be, each under a plan of its own. The label of a bad
point names the number with which `crash_at` or `fail_at` repeats it alone.

A store that starts children which change files below the root is recorded with `follow=True`. The
effects of handlers stand for the outside world: put them below a path that is `external`.

Nothing but the standard library; Linux on x86_64 and aarch64, see `unavailable`.
"""

from .durability import Model
from .leftovers import await_quiet, kill_leftovers, leftovers
from .operations import CRASH_KINDS, FAIL_KINDS, Kind, Op
from .plans import Crash, Fail
from .points import Crashes, Errors
from .power import PowerState, power_states
from .runs import How, Result, crash_at, fail_at, record, unavailable
from .snapshot import Snapshot
from .sweeps import Points, Step, SweepReport, power_sweep, sweep

__all__ = [
    "CRASH_KINDS",
    "FAIL_KINDS",
    "Crash",
    "Crashes",
    "Errors",
    "Fail",
    "How",
    "Kind",
    "Model",
    "Op",
    "Points",
    "PowerState",
    "Result",
    "Snapshot",
    "Step",
    "SweepReport",
    "await_quiet",
    "crash_at",
    "fail_at",
    "kill_leftovers",
    "leftovers",
    "power_states",
    "power_sweep",
    "record",
    "sweep",
    "unavailable",
]
