"""What the end-to-end tests share: a look at the store that ends every one of them."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from tests.builder import Cuectl
from tests.e2e.background import Passes
from tests.e2e.forking import Forked
from tests.e2e.observing import StoreState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

IMPATIENT = """\
#!{python}
import sys
from cuectl.engine import supervise
supervise.GRACE_S = 0.4
from cuectl.entry import main
sys.exit(main())
"""


@pytest.fixture
def cuectl(request: pytest.FixtureRequest, tmp_path: Path, programs: Path) -> Iterator[Cuectl]:
    """The program; in a fork where a module says `FORKED`. At the end `fsck` finds nothing."""
    is_forked = getattr(request.module, "FORKED", False) and hasattr(os, "pidfd_open")
    program = (Forked if is_forked else Cuectl)(tmp_path, programs)
    yield program
    program.check()


@pytest.fixture
def state(cuectl: Cuectl) -> Iterator[StoreState]:
    """The store of `cuectl`; at the end its views must be what the journal implies."""
    found = StoreState(cuectl.home)
    yield found
    if cuectl.checked and (cuectl.home / "journal").is_dir():
        assert found.differences() == []
        assert found.settled_twice() == []


@pytest.fixture
def passes(cuectl: Cuectl) -> Iterator[Passes]:
    """Passes in the background, ended with the test."""
    started = Passes(cuectl)
    yield started
    started.clean_up()


@pytest.fixture
def impatient(cuectl: Cuectl, tmp_path: Path) -> Cuectl:
    """The program with a shorter time between SIGTERM and SIGKILL; nothing else differs."""
    folder = tmp_path / "impatient"
    folder.mkdir()
    (folder / "cuectl").write_text(IMPATIENT.format(python=sys.executable))
    (folder / "cuectl").chmod(0o755)
    os.symlink(sys.executable, folder / "python3")
    cuectl.programs = folder
    cuectl.environment["PATH"] = f"{folder}:/usr/bin:/bin"
    return cuectl
