"""`cuectl sessions show`: one session and what was said in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Argument, Command

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(call: Call, *, handle: str) -> int | None:
    """Print it."""
    from cuectl.engine.workflows.inbox import waiting_for
    from cuectl.engine.workflows.sessions import find_session, public
    from cuectl.store.reading import open_reader
    from cuectl.store.session_files import read_transcript

    home = call.runtime.home
    session = find_session(open_reader(call.runtime.existing_store), handle)
    said = read_transcript(home, session.handle)
    record = public(home, session) | {"inbox": waiting_for(home, session.handle)}
    lines = [f"{key + ':':<14} {value}" for key, value in record.items() if value not in (None, [])]
    for each in said:
        lines += ["", f"{each['role']}  {each['at'][:19]}Z  {each.get('status', '')}".rstrip()]
        lines += [f"  {line}" for line in str(each["text"]).splitlines()]
    call.out.record(record | {"messages": said}, lines)
    return None


command = Command(
    name="sessions show",
    summary="Show one session and what was said in it",
    description="""
        Prints the session, then each prompt and each answer, the oldest first, and the messages
        that wait for its next turn.
    """,
    arguments=(Argument(name="HANDLE", help="Handle of a session", complete="session"),),
    see_also=("cuectl-sessions-list(1)",),
    run=run,
)
