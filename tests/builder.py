"""Run the real program in a home of its own and compare all that it says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parent.parent
LIMIT_S = 60

_IDS = re.compile(r"\b(cue|exec|alert|evt)_[0-9a-z]{12,}\b")


@dataclass(frozen=True)
class Answer:
    """What a call of the program gave."""

    command: tuple[str, ...]
    stdout: str
    stderr: str
    status: int

    def gives(
        self, stdout: str = "", stderr: str = "", status: int = 0, *, ids: bool = False
    ) -> Answer:
        """Compare everything; with `ids`, the first cue id reads `cue_1`, and so on."""
        found = (self.stdout, self.stderr, self.status)
        if ids:
            known: dict[str, str] = {}
            found = (_numbered(self.stdout, known), _numbered(self.stderr, known), self.status)
        assert found == (stdout, stderr, status), self.command
        return self

    def fails(self, status: int, message: str, hint: str | None = None) -> Answer:
        """Compare an error: nothing on stdout, one line and at most one hint on stderr."""
        hint_line = f"hint: {hint}\n" if hint else ""
        return self.gives("", f"cuectl: error: {message}\n{hint_line}", status)

    @property
    def json(self) -> Any:
        """The answer of a call with `--json`."""
        return json.loads(self.stdout)


def _numbered(text: str, known: dict[str, str]) -> str:
    def number(found: re.Match[str]) -> str:
        prefix = found[1]
        count = sum(1 for name in known.values() if name.startswith(prefix))
        return known.setdefault(found[0], f"{prefix}_{count + 1}")

    return _IDS.sub(number, text)


def _check_json(words: tuple[str, ...], out: str, err: str, status: int) -> None:
    if "--json" in words:
        from tests.cli.schema_check import check_call

        check_call(words, out, err, status)


class Cuectl:
    """The program, with a user, a home directory and a working directory of its own."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.user = folder / "user"
        self.work = folder / "work"
        self.home = self.user / ".cue"
        self.user.mkdir()
        self.work.mkdir()
        self.programs = programs
        self.environment = {
            "PATH": f"{programs}:/usr/bin:/bin",
            "HOME": str(self.user),
            "TZ": "UTC",
            "LANG": "C.UTF-8",
        }
        self.checked = True

    def at(self, now: str) -> Cuectl:
        """Start the time of all calls from here on at `now` (RFC 3339)."""
        self.environment["CUECTL_NOW"] = now
        return self

    def env(self, **names: str) -> Cuectl:
        """Set variables for all calls from here on."""
        self.environment |= names
        return self

    def files(self, contents: Mapping[str, str]) -> Cuectl:
        """Write files below the working directory."""
        for name, text in contents.items():
            path = self.work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return self

    def run(self, *words: str, stdin: str | bytes = b"", limit_s: float = LIMIT_S) -> Answer:
        """Run `cuectl` with the words and wait for it."""
        done = subprocess.run(
            [str(self.programs / "cuectl"), *words],
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            cwd=self.work,
            env=self.environment,
            timeout=limit_s,
            check=False,
        )
        out, err = done.stdout.decode(), done.stderr.decode()
        assert "Traceback" not in err, err
        _check_json(words, out, err, done.returncode)
        return Answer(words, out, err, done.returncode)

    def json(self, *words: str) -> Any:
        """Run with `--json` and return what was answered; the call must work."""
        answer = self.run("--json", *words)
        assert answer.status == 0, answer
        return answer.json

    def start(self, *words: str, **options: Any) -> subprocess.Popen[bytes]:
        """Start `cuectl` with the words and do not wait."""
        return subprocess.Popen(
            [str(self.programs / "cuectl"), *words],
            cwd=self.work,
            env=self.environment,
            stdout=options.pop("stdout", subprocess.PIPE),
            stderr=options.pop("stderr", subprocess.PIPE),
            **options,
        )

    def check(self) -> None:
        """Let `fsck` say that the views equal what the journal implies."""
        from cuectl.cli import registry

        if self.checked and "fsck" in registry.COMMANDS and self.home.exists():
            answer = self.run("fsck")
            assert answer.status == 0, answer


def install(folder: Path) -> Path:
    """Put the program into `folder` as an installer does: with this interpreter's path."""
    script = (ROOT / "bin" / "cuectl").read_text(encoding="utf-8")
    target = folder / "cuectl"
    target.write_text(script.replace("#!python", f"#!{sys.executable}", 1), encoding="utf-8")
    target.chmod(0o755)
    os.symlink(sys.executable, folder / "python3")
    return folder
