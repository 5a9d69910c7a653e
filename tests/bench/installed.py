"""The program as people have it: a wheel in a fresh virtual environment, byte-compiled."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_EMPTY_CLICK = """\
import click


@click.command()
def main() -> None:
    pass


main()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """Where the program is, and what it is compared with.

    Attributes:
        python: the interpreter of the environment that `cuectl` is installed in.
        empty_click: a script that starts click and does nothing.
    """

    folder: Path
    python: str
    cuectl: str
    empty_click: str

    def environment(self, home: str, **more: str) -> dict[str, str]:
        """Return the variables for a run: few, as in a crontab."""
        plain = {
            "PATH": f"{self.folder}/venv/bin:/usr/bin:/bin",
            "HOME": os.path.dirname(home),
            "CUECTL_HOME": home,
            "TZ": "UTC",
            "LANG": "C.UTF-8",
        }
        return plain | more


def install(folder: Path) -> Installed:
    """Build a wheel of this checkout and install it.

    Raises:
        subprocess.CalledProcessError: pip could not.
    """
    real = os.path.realpath(sys.executable)
    _check_is_program(real)
    wheels = folder / "wheels"
    _pip(sys.executable, "wheel", "--no-deps", "--wheel-dir", str(wheels), str(ROOT))
    _run(real, "-m", "venv", str(folder / "venv"))
    python = str(folder / "venv" / "bin" / "python")
    _pip(python, "install", "--compile", str(next(wheels.glob("cuectl-*.whl"))))
    script = folder / "venv" / "bin" / "empty-click"
    script.write_text(f"#!{python}\n{_EMPTY_CLICK}", encoding="utf-8")
    script.chmod(0o755)
    return Installed(
        folder=folder,
        python=python,
        cuectl=str(folder / "venv" / "bin" / "cuectl"),
        empty_click=str(script),
    )


def _check_is_program(path: str) -> None:
    """Refuse a script that chooses an interpreter: it costs many times a start of one."""
    with open(path, "rb") as program:
        if program.read(2) == b"#!":
            raise SystemExit(f"'{path}' is a script; run the benchmark with a real interpreter")


def _pip(python: str, *words: str) -> None:
    _run(python, "-m", "pip", "--quiet", "--disable-pip-version-check", *words)


def _run(*argv: str) -> None:
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
