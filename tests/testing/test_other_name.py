"""`aegis.workflow` in tests: there when the kit is, for type checkers too, and never in the way."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from tests.fixtures.builder import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def python(folder: Path, text: str) -> str:
    """Run a program from a folder, and return what it prints, or the last line of its error."""
    done = subprocess.run(
        [sys.executable, "-c", text], cwd=folder, capture_output=True, text=True, check=False,
        env={"PYTHONPATH": f"{folder}:{ROOT}", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


def test_the_other_name_is_there_with_the_kit_only(tmp_path: Path) -> None:
    same = "import aegis.workflow as a, cuectl.workflow as c; print(a is c, c.__spec__.name)"
    assert python(tmp_path, f"import cuectl.testing; {same}") == "True cuectl.workflow"
    assert python(tmp_path, f"import cuectl; {same}") == (
        "ModuleNotFoundError: No module named 'aegis'"
    )
    assert python(tmp_path, "import cuectl.testing, aegis.other") == (
        "ModuleNotFoundError: No module named 'aegis.other'"
    )


def test_a_package_that_has_the_name_is_not_hidden(tmp_path: Path) -> None:
    (tmp_path / "aegis").mkdir()
    (tmp_path / "aegis" / "__init__.py").write_text("mine = 'theirs'\n")
    assert python(tmp_path, "import cuectl.testing, aegis; print(aegis.mine)") == "theirs"
    assert python(tmp_path, "import cuectl.testing, aegis.workflow") == (
        "ModuleNotFoundError: No module named 'aegis.workflow'"
    )
    (tmp_path / "aegis" / "workflow.py").write_text("mine = 'theirs, too'\n")
    text = "import cuectl.testing\nfrom aegis.workflow import mine\nprint(mine)"
    assert python(tmp_path, text) == "theirs, too"


def test_type_checkers_know_it() -> None:
    """`make types` checks the import below by the stub, which is no package to import."""
    import_module("cuectl.testing")
    from aegis.workflow import ChildFailed, WorkflowError, workflow

    assert issubclass(ChildFailed, WorkflowError)
    assert callable(workflow)
    assert (ROOT / "aegis-stubs" / "py.typed").read_text() == "partial\n"
