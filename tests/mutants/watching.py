"""A plugin of pytest that writes down which blocks each test has reached."""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

_PLACE = Path(sys.prefix)
_failed: set[str] = set()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Note one test."""
    noting = importlib.import_module("noting")
    now = _PLACE / "now"
    now.unlink(missing_ok=True)
    noting.seen.clear()
    begun = time.perf_counter()
    result = yield
    lines = now.read_text().split() if now.exists() else []
    row = {
        "test": item.nodeid,
        "seconds": round(time.perf_counter() - begun, 3),
        "passed": item.nodeid not in _failed,
        "blocks": sorted({int(line) for line in lines}),
    }
    with (_PLACE / "watched").open("a") as watched:
        watched.write(json.dumps(row) + "\n")
    return result


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note what failed."""
    if report.outcome != "passed":
        _failed.add(report.nodeid)
