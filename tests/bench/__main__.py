"""Measure the bars, side by side, and print them as one table.

    python -m tests.bench [--quick] [--only GROUP]... [--dir DIR]

Whole processes are timed, in rounds in which each candidate runs once; what counts is the
median of the ratios within a round, and `middle half` says how far they lie apart. The exit
status is 1 when a bar is missed. Other work on the machine makes the table worthless: look at
the loads that it begins with.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path

from cuectl.store.home import file_system
from tests.bench.groups import GROUPS
from tests.bench.installed import install
from tests.bench.scene import Scene
from tests.bench.table import Line, rendered


def main() -> int:
    """Run the groups that were asked for; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="smaller sizes, fewer rounds")
    parser.add_argument("--only", action="append", choices=sorted(GROUPS), default=[])
    parser.add_argument("--dir", help="measure on the file system of this directory")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="cuectl-bench-", dir=asked.dir))
    before = _load()
    try:
        scene = Scene(installed=install(folder), folder=folder, quick=asked.quick)
        lines = _measured(scene, asked.only or list(GROUPS))
        print(_surroundings(folder))
        print(f"load before {before}, after {_load()}\n")
        print(rendered(lines))
        return 1 if any(line.met is False for line in lines) else 0
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _measured(scene: Scene, wanted: list[str]) -> list[Line]:
    lines: list[Line] = []
    for name, group in GROUPS.items():
        if name in wanted:
            print(f"measuring: {name}", file=sys.stderr)
            lines += group(scene)
    return lines


def _surroundings(folder: Path) -> str:
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{python}, {os.cpu_count()} processors, {file_system(str(folder))}"


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


if __name__ == "__main__":
    sys.exit(main())
