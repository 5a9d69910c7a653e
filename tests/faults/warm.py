"""Run commands quickly, many times: by a process that has everything imported already."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SHOWN = 300
_REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a command gave."""

    argv: tuple[str, ...]
    status: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """The answer of a command with `--json`."""
        return json.loads(self.stdout)

    def __str__(self) -> str:
        words = " ".join(self.argv[1:])
        said = f"{self.stdout.strip()[-_SHOWN:]!r} {self.stderr.strip()[-_SHOWN:]!r}"
        return f"`{words}` exits {self.status}: {said}"


class Warm:
    """A process that forks a child for each command; see `warm_server`."""

    def __init__(self, program: Path) -> None:
        self._program = str(program)
        self._files = tempfile.TemporaryDirectory(prefix="warm-")
        self._streams = {name: Path(self._files.name) / name for name in ("out", "err")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.warm_server"],
            cwd=_REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._line() == "ready"

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()
        self._files.cleanup()

    def run(
        self, *words: str, env: Mapping[str, str], cwd: Path, boot: str = "", ordinary: bool = False
    ) -> Answer:
        """Run `cuectl` with the words.

        Args:
            words: what stands behind the program's name.
            env: the whole environment.
            cwd: the working directory.
            boot: in another boot than this one.
            ordinary: as a user whom the modes of files concern, even if this one is none.
        """
        status = self._ask(words, env=env, cwd=cwd, boot=boot, ordinary=ordinary, wait=True)
        texts = [path.read_text("utf-8", "backslashreplace") for path in self._streams.values()]
        argv = (self._program, *words)
        return Answer(argv=argv, status=status, stdout=texts[0], stderr=texts[1])

    def start(self, *words: str, env: Mapping[str, str], cwd: Path, boot: str = "") -> int:
        """Start `cuectl` with the words and return the process's number."""
        return self._ask(words, env=env, cwd=cwd, boot=boot, ordinary=False, wait=False)

    def _ask(self, words: Sequence[str], **more: Any) -> int:
        streams = {name: str(path) for name, path in self._streams.items()}
        for path in self._streams.values():
            path.unlink(missing_ok=True)
        more["env"], more["cwd"] = dict(more["env"]), str(more["cwd"])
        request = {"argv": [self._program, *words], **streams, **more}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return int(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()
