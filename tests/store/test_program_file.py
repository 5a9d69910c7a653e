from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from cuectl.executions import effects
from cuectl.store.handler_files import program_folder

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_handlers_find_a_cuectl_where_the_program_has_another_name(home: Path) -> None:
    """Regression: a handler of a pass that ran as `cuectl.pyz` could not call `cuectl chain`."""
    shown = [sys.executable, "-c", "import sys; print(sys.argv[1:])"]
    folder = program_folder(str(home), shown)
    for _ in range(2):
        said = subprocess.run(
            ["cuectl", "chain", "--name", "a b"],
            env={"PATH": program_folder(str(home), shown)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert said.stdout == "['chain', '--name', 'a b']\n"
    assert [path.name for path in (home / "bin").iterdir()] == ["cuectl"]
    assert folder == f"{home}/bin"


def test_the_program_is_written_again_when_it_starts_something_else(home: Path) -> None:
    program_folder(str(home), ["/usr/bin/false"])
    program_folder(str(home), ["/usr/bin/env", "it's"])
    assert (home / "bin/cuectl").read_text() == "#!/bin/sh\nexec /usr/bin/env 'it'\"'\"'s' \"$@\"\n"


def test_only_one_file_needs_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/opt/bin/cuectl", "run-due"])
    assert effects.program_directory(str(home)) == "/opt/bin"
    monkeypatch.setattr("sys.argv", ["/usr/lib/x.py"])
    assert effects.program_directory(str(home)) == ""
    assert not (home / "bin").exists()
    monkeypatch.setattr("sys.argv", ["/opt/cuectl.pyz", "run-due"])
    assert effects.program_directory(str(home)) == f"{home}/bin"
    assert (
        home / "bin/cuectl"
    ).read_text() == f'#!/bin/sh\nexec {sys.executable} /opt/cuectl.pyz "$@"\n'
