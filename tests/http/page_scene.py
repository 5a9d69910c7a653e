"""A home with cues of every kind, for the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fixtures.background import run_all

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl

START = "2026-11-21T02:00:00Z"
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&amp;"
PAGES = ("", "executions", "workflows", "agents", "alerts", "journal")
SHOUT = 'printf "\\033[31mred\\033[0m \\033]0;evil\\007 \\342\\200\\256txt <b>x</b>\\nerror: no\\n"'


def scene(cuectl: Cuectl) -> None:
    """Make cues of every kind, and let them run once."""
    cuectl.at(START)
    create = ["create", "--every", "1h"]
    run_all(
        cuectl,
        [
            [*create, "--name", "good", "--", "echo", "fine"],
            [*create, "--name", "bad", "--shell", f"{SHOUT}; exit 3"],
            [*create, "--name", "unproven", "--verification-mode", "require_external_id",
             "--", "true"],
            [*create, "--name", "invoices", "--verification-mode", "manual", "--", "echo", "sent"],
            [*create, "--name", "parent", "--shell", "cuectl chain --name child -- true"],
            [*create, "--name", "resting", "--", "true"],
            [*create, "--name", HOSTILE, "--description", HOSTILE, "--", "sh", "-c",
             'cuectl report --failure --summary "$0" --error "$0"', HOSTILE],
            ["pause", "resting"],
            ["create", "--name", "once", "--in", "30m", "--", "true"],
        ],
    )  # fmt: skip
    cuectl.at("2026-11-21T03:00:01Z").run("run-due")
    cuectl.at("2026-11-21T03:00:30Z").run("run-due")
