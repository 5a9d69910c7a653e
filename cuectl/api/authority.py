"""Whose token is it: the user's, which stands in a file, or that of an execution at work."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Protocol

from cuectl.api.caller import Caller
from cuectl.api.errors import Problem
from cuectl.engine.run_tokens import read_token
from cuectl.store import paths, token_file

if TYPE_CHECKING:
    from cuectl.engine.runtime import Runtime
    from cuectl.store.reading import Reader


class Authority(Protocol):
    """Whoever knows tokens."""

    def caller(self, token: str, reader: Reader) -> Caller:
        """Return whoever holds a token.

        Raises:
            Problem: nobody does.
        """

    def renew(self) -> str:
        """Put a new token in place of the user's; return it.

        Raises:
            Problem: there is none here.
        """


def token_in(headers: dict[str, str]) -> str:
    """Return the token of a request.

    Raises:
        Problem: there is none.
    """
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise refused("send the token in a header: Authorization: Bearer TOKEN")
    return token.strip()


def refused(message: str) -> Problem:
    """Return the refusal of a token."""
    headers = {"WWW-Authenticate": "Bearer"}
    return Problem(401, "invalid_api_key", message, headers=headers)


class UserToken:
    """The token of `serve`: one, in a private file, looked at again when the file changes."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._home = runtime.home
        self._token = token_file.read_or_make(self._home, token_file.TOKEN, runtime.random)
        self._seen = token_file.identity(self._home, token_file.TOKEN)

    def caller(self, token: str, _reader: Reader) -> Caller:
        """Return the user."""
        found = token_file.identity(self._home, token_file.TOKEN)
        if found != self._seen:
            self._token = token_file.read_or_make(
                self._home, token_file.TOKEN, self._runtime.random
            )
            self._seen = token_file.identity(self._home, token_file.TOKEN)
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            raise refused("this is not the token")
        return Caller()

    def renew(self) -> str:
        """Make a new token; the old one is worth nothing from now on."""
        self._token = token_file.make(self._home, token_file.TOKEN, self._runtime.random)
        self._seen = token_file.identity(self._home, token_file.TOKEN)
        return self._token


class RunTokens:
    """The tokens of the executions of one pass."""

    def __init__(self, secret: bytes, pass_id: str) -> None:
        self._secret = secret
        self._pass_id = pass_id

    def caller(self, token: str, reader: Reader) -> Caller:
        """Return the execution whose token it is, as long as its attempt is at work."""
        known = read_token(self._secret, token)
        if known is None:
            raise refused("this is not the token of an execution of this pass")
        execution_id, attempt = known
        record = reader.read(paths.open_execution(execution_id))
        at_work = record is not None and record.get("pass_id") == self._pass_id
        if record is None or not at_work or record.get("attempt", 1) != attempt:
            raise refused("the execution of this token has ended")
        return Caller(execution_id=execution_id, attempt=attempt)

    def renew(self) -> str:
        """Refuse: these tokens end by themselves."""
        raise Problem(403, "refused", "the token of an execution can't be exchanged")
