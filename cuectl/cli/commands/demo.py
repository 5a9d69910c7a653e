"""`cuectl demo`: three days in ten seconds, in a throw-away state directory."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from cuectl.cli.options import Command

if TYPE_CHECKING:
    from cuectl.cli.call import Call
    from cuectl.engine.demo.story import Played


def run(call: Call) -> int | None:
    """Play the story."""
    from cuectl.engine.demo.story import play

    for played in play(call.environment):
        _show(call, played)
    call.out.say("")
    call.out.say("nothing of this is left; to begin: cuectl init")
    return None


def _show(call: Call, played: Played) -> None:
    from cuectl.model.instants import to_text

    words = ("cuectl", *played.scene.words)
    record = {
        "type": "step",
        "time": to_text(played.at),
        "about": played.scene.about,
        "command": list(words),
        "status": played.status,
        "output": played.output,
    }
    if not call.out.for_people:
        call.out.item(record, "", ("time", "command", "status"))
        return
    call.out.line("")
    call.out.line([(f"# {played.scene.about}", "dim")])
    call.out.item(record, [(f"$ {shlex.join(words)}", "bold")])
    for line in played.output.splitlines():
        call.out.line(line)


command = Command(
    name="demo",
    summary="Play three days in ten seconds, in a throw-away state directory",
    description="""
        An audit each night that shows evidence for what it did and has it checked the day
        after; and a second one that ends well, shows nothing, and is found out. Each step is a
        command that you could type; the program runs it, on a clock of its own, in a directory
        that is gone afterwards. Your own state is not touched, and nothing goes over a network.
    """,
    see_also=("cuectl-init(1)", "cuectl-create(1)", "cuectl-report(1)", "cuectl-chain(1)"),
    run=run,
)
