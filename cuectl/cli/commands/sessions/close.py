"""`cuectl sessions close`: close sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Argument, Command

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(call: Call, *, handle: tuple[str, ...]) -> int | None:
    """Close each of them."""
    from cuectl.engine.workflows.sessions import close_session, find_session, public
    from cuectl.model.errors import Conflict
    from cuectl.store.session_files import is_working

    store = call.runtime.store
    with store.locked():
        found = [find_session(store, each) for each in handle]
    for session in found:
        if is_working(call.runtime.home, session.handle):
            hint = f"end its run: cuectl workflow cancel {session.run}"
            raise Conflict(f"a turn of the session '{session.handle}' runs", hint=hint)
        if not close_session(call.runtime, session.handle):
            raise Conflict(f"the session '{session.handle}' is closed")
        call.out.say(f"closed '{session.handle}'")
    if call.out.json:
        with store.locked():
            after = [find_session(store, each) for each in handle]
        call.out.records([public(call.runtime.home, one) for one in after], ())
    return None


command = Command(
    name="sessions close",
    summary="Close sessions of agents",
    description="""
        A closed session takes no more messages; what was said in it stays. One in which a turn
        runs is refused.
    """,
    arguments=(Argument(name="HANDLE", help="Handle of a session", many=True, complete="session"),),
    exits=((6, "it is closed, or a turn runs"),),
    see_also=("cuectl-sessions-list(1)",),
    run=run,
)
