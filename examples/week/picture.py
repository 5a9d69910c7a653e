"""Draw the picture of the README: a week played by the program itself, on a clock of its own.

`make pictures` writes it; a test plays the week again and compares, so that it is never stale.
What is drawn is what a terminal of 110 columns gets: fixed times, no ids, no measured durations.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = 110
MONDAY = "2026-11-23T"

CUES = (
    "--name fetch-prices --cron '0 * * * *' --shell 'echo 214 prices'",
    (
        "--name sync-crm --cron '0 * * * *' --shell 'echo POST https://crm.example/api/contacts;"
        ' test "$CUE_SCHEDULED_FOR" "<" 2026-11-23T07 || { echo error: token expired; exit 1; }\''
    ),
    (
        "--name backup-db --cron '30 2 * * *' --verification-mode require_artifacts --shell"
        " 'echo 4 tables > dump; cuectl report --artifact dump --summary \"4 tables, 4.1 kB\"'"
    ),
    (
        "--name weekly-report --cron '0 8 * * 1' --verification-mode require_artifacts"
        " --shell 'echo rendering'"
    ),
    "--name send-invoices --cron '0 9 23 * *' --verification-mode manual --shell 'echo 12 letters'",
)
PASSES = [f"{hour:02d}:00:10Z" for hour in range(10)]
SHOWN = ("cuectl list", "cuectl logs sync-crm")
# Far from where a minute is rounded the other way, whatever the passes before it have taken.
AT = "09:03:10Z"

_PROGRAM = """#!/bin/sh
exec {python} -P -c 'import sys; sys.path.insert(0, "{root}")
from cuectl.entry import main
sys.exit(main())' "$@"
"""


@contextmanager
def week() -> Iterator[Stage]:
    """Play the week, and give the machine that it was played on."""
    with tempfile.TemporaryDirectory(prefix="cuectl-week-") as folder:
        program = Path(folder) / "cuectl"
        program.write_text(_PROGRAM.format(python=sys.executable, root=ROOT))
        program.chmod(0o755)
        stage = Stage(folder)
        for options in CUES:
            stage.run("2026-11-22T23:50:00Z", f"cuectl create {options}")
        for at in PASSES:
            stage.run(MONDAY + at, "cuectl run-due")
        yield stage


def play() -> str:
    """Play the week and return what a terminal shows of it, colours included."""
    with week() as stage:
        shown = [f"\x1b[1m$ {line}\x1b[0m\n{stage.run(MONDAY + AT, line)}" for line in SHOWN]
        return _ID.sub(lambda found: f"{found[1]}_{'0' * len(found[2])}", "\n".join(shown))


_ID = re.compile(r"\b(cue|exec)_([0-9a-z]+)")


class Stage:
    """A user of the program, and a terminal."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.environment = {
            "PATH": f"{folder}:/usr/bin:/bin",
            "HOME": folder,
            "TZ": "UTC",
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "COLUMNS": str(COLUMNS),
        }

    def run(self, now: str, line: str) -> str:
        """Run a line in a terminal and return what it shows."""
        leader, follower = os.openpty()
        environment = {**self.environment, "CUECTL_NOW": now}
        process = subprocess.Popen(
            ["sh", "-c", f"{line} --no-pager" if "list" in line or "logs" in line else line],
            cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=follower,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        with ThreadPoolExecutor(1) as pool:
            # A terminal whose other end closes may drop what it still holds.
            shown = pool.submit(_read_up_to_the_end, leader)
            process.wait()
            os.write(follower, _END)
            text = shown.result()
        os.close(follower)
        os.close(leader)
        return text.decode().replace("\r\n", "\n")


_END = b"\0the end\0"


def _read_up_to_the_end(terminal: int) -> bytes:
    found = b""
    while not found.endswith(_END):
        found += os.read(terminal, 65_536)
    return found.removesuffix(_END)


# --- drawing ----------------------------------------------------------------------------

# Ground, text, and the colours of the terminal that the program uses.
PALETTES = {
    "light": ("#ffffff", "#1f2328", {31: "#b3261e", 32: "#1a7f37", 33: "#8a5a00", 36: "#0a6b7a"}),
    "dark": ("#0d1117", "#e6edf3", {31: "#ff7b72", 32: "#56d364", 33: "#e3b341", 36: "#76e3ea"}),
}
_SGR = re.compile(r"\x1b\[([0-9;]*)m")
_OTHER = re.compile(r"\x1b\][^\x1b\x07]*(?:\x1b\\|\x07)|\x1b\[[0-9;?]*[A-Za-ln-z]")
WIDE, HIGH, EDGE = 8.43, 19, 16


def draw(text: str, palette: str) -> str:
    """Return an SVG of a terminal's text; the same text gives the same bytes."""
    ground, ink, colours = PALETTES[palette]
    lines = _OTHER.sub("", text).rstrip().split("\n")
    width = round(COLUMNS * WIDE) + 2 * EDGE
    height = len(lines) * HIGH + 2 * EDGE
    rows = []
    for number, line in enumerate(lines):
        y = EDGE + 14 + number * HIGH
        rows.append(f'<text x="{EDGE}" y="{y}" xml:space="preserve">{_spans(line, colours)}</text>')
    body = "\n".join(rows)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" aria-label="cuectl in a terminal">\n'
        f'<rect width="{width}" height="{height}" rx="8" fill="{ground}"/>\n'
        f'<g fill="{ink}" font-size="14" '
        f'font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,DejaVu Sans Mono,monospace">\n'
        f"{body}\n</g>\n</svg>\n"
    )


def _spans(line: str, colours: dict[int, str]) -> str:
    codes: set[int] = set()
    found = ""
    parts = _SGR.split(line)
    for place, part in enumerate(parts):
        if place % 2:
            given = {int(code) for code in part.split(";") if code} or {0}
            codes = set() if 0 in given else codes | given
        elif part:
            style = "".join(f' fill="{colours[code]}"' for code in sorted(codes & colours.keys()))
            style += ' font-weight="bold"' if 1 in codes else ""
            style += ' opacity="0.65"' if 2 in codes else ""
            found += f"<tspan{style}>{escape(part)}</tspan>" if style else escape(part)
    return found


def pictures() -> dict[Path, str]:
    """Return each file and what belongs into it now."""
    text = play()
    return {ROOT / "examples" / "week" / f"week-{name}.svg": draw(text, name) for name in PALETTES}


if __name__ == "__main__":
    for path, content in pictures().items():
        path.write_text(content, encoding="utf-8")
