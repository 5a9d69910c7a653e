"""The example of cuectl-testing(7): it runs as it stands, with the fixture of the plugin."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from cuectl.cli.manual.markup import Code
from cuectl.cli.manual.pages import find_page
from tests.fixtures.builder import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def test_the_example_of_the_page_passes(tmp_path: Path) -> None:
    page = find_page("cuectl-testing")
    module, test = ("\n".join(b.lines) + "\n" for b in page.blocks if isinstance(b, Code))
    (tmp_path / "fixing.py").write_text(module)
    (tmp_path / "test_fixing.py").write_text(test)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "cuectl.testing.plugin",
         "-p", "no:cacheprovider", "-p", "no:xdist", str(tmp_path)],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1].startswith("3 passed"), done.stdout + done.stderr
