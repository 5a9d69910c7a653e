"""`cuectl serve`: the HTTP interface for as long as it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Command, Option
from cuectl.cli.parameters import not_empty, whole_number

if TYPE_CHECKING:
    from cuectl.cli.call import Call

DEFAULT_PORT = 8787


def run(call: Call, *, port: int | None, socket: str | None, read_only: bool) -> int | None:
    """Serve until a signal comes."""
    import os

    from cuectl.api.serving import Serving
    from cuectl.store.token_file import TOKEN, path_of

    if port is None and socket is None:
        port = DEFAULT_PORT
    path = os.path.abspath(socket) if socket is not None else None
    token = path_of(call.runtime.home, TOKEN)

    def started(url: str | None) -> None:
        where = {"url": url, "socket": path, "token_file": token, "read_only": read_only}
        lines = [url] if url else []
        lines += [f"unix:{path}"] if path else []
        call.out.record(where, [*lines, f"the token is in {token}"])
        call.out.stdout.flush()

    serving = Serving(
        runtime=call.runtime,
        port=port,
        path=path,
        read_only=read_only,
        started=started,
        tell=call.out.warn,
    )
    # A signal is how it ends, so it is no failure.
    serving.run()
    return None


command = Command(
    name="serve",
    summary="Serve the HTTP interface on this machine",
    description="""
        Serves CueAPI's interface under /v1 on 127.0.0.1, or on a Unix socket, until SIGTERM or
        SIGINT: for its SDK, its command line, its worker, editors and dashboards on this
        machine. Whoever calls shows the token that stands in a file for the user alone.

        A worker that calls it pulls work: what is due and has no handler here waits for it. What
        has a handler here, commands and webhooks are run by passes (cuectl run-due), so serve
        does not take the place of cron.
    """,
    options=(
        Option(
            name="--port",
            metavar="N",
            convert=whole_number(0, 65_535),
            help="TCP port on 127.0.0.1; 0 takes any that is free",
            shown_default=str(DEFAULT_PORT),
        ),
        Option(
            name="--socket",
            metavar="PATH",
            complete="file",
            convert=not_empty,
            help="Serve on a Unix socket, and on a port only if --port is given",
        ),
        Option(name="--read-only", help="Refuse everything that changes something"),
    ),
    see_also=("cuectl-run-due(1)", "cuectl-worker(1)"),
    run=run,
)
