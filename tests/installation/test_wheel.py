"""The wheel installs the program with its own script file, and nothing more than it needs."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli.test_frame_start import make_idle
from tests.fixtures.builder import ROOT, SCRIPT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.builder import Cuectl

AT_THE_TOP = {
    *("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile"),
    *("cuectl", "aegis-stubs", "examples", "tests", "man", ".ci", ".gitignore"),
}
REPORT = "import atexit,sys; atexit.register(lambda: sys.stderr.write(' '.join(sys.modules)))"


def run(*argv: str, **options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload, no-any-return]


def test_the_top_level_holds_what_people_look_for() -> None:
    listed = run("git", "-C", str(ROOT), "ls-tree", "--name-only", "HEAD")
    if listed.returncode:
        pytest.skip("not a checkout")

    assert set(listed.stdout.split()) <= AT_THE_TOP


def test_the_wheel_installs_our_own_script(cuectl: Cuectl, tmp_path: Path) -> None:
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    built = run(*pip, "wheel", "-q", "--no-deps", "-w", str(tmp_path / "wheels"), str(ROOT))
    if built.returncode:
        pytest.skip(f"no wheel can be built here: {built.stderr.strip()[-200:]}")
    [wheel] = (tmp_path / "wheels").glob("cuectl-*.whl")
    run(sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv"))
    python = tmp_path / "venv" / "bin" / "python"
    installed = run(*pip, "--python", str(python), "install", "-q", "--no-deps", str(wheel))
    assert installed.returncode == 0, installed.stderr

    script = python.with_name("cuectl")
    first, _, rest = script.read_text(encoding="utf-8").partition("\n")
    assert first == f"#!{python}"
    assert rest == SCRIPT.read_text(encoding="utf-8").partition("\n")[2]

    # The types of the other name come along, and no package that could hide the real one.
    [site] = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    assert (site / "aegis-stubs" / "py.typed").read_text() == "partial\n"
    assert not (site / "aegis").exists()
    [entries] = site.glob("cuectl-*.dist-info/entry_points.txt")
    assert "[pytest11]\ncuectl.testing.plugin = cuectl.testing.plugin\n" in entries.read_text()

    # A call that prints for programs does without every dependency.
    answer = run(str(script), "--json", "list", env=cuectl.environment)  # type: ignore[arg-type]
    assert (answer.stdout, answer.returncode) == ("[]\n", 0), answer

    make_idle(cuectl)
    words = (str(python), "-c", f"{REPORT}; from cuectl.entry import main; main(['run-due'])")
    idle = run(*words, env=cuectl.environment, cwd=str(tmp_path))  # type: ignore[arg-type]
    empty = run(str(python), "-c", REPORT, env=cuectl.environment)  # type: ignore[arg-type]
    assert set(idle.stderr.split()) - set(empty.stderr.split()) == {
        *("cuectl", "cuectl.entry", "cuectl.store", "cuectl.store.idle")
    }
