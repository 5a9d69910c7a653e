"""The call of a webhook cue: one signed request, in a process of its own like any handler's.

Headers, body and signature (HMAC-SHA256 over `<timestamp>.<body>`, sorted keys) are the peer's.
Redirects are not followed; addresses of this machine or network are refused unless the user allows
them (reference/reliability.md, S26 and S27).
"""

from __future__ import annotations

import http.client
import json
import ssl
from typing import TYPE_CHECKING

from cuectl.process.web_request import LIMIT_S, Unreachable, connected, resolve, signature
from cuectl.store.handler_files import SIGNING_KEY, read_or_make_secret
from cuectl.values.errors import Conflict
from cuectl.values.records import dataclass
from cuectl.values.times import to_text

if TYPE_CHECKING:
    from cuectl.executions.rules.record import Execution
    from cuectl.process.runtime import Runtime
    from cuectl.values.records import Record

_SHOWN_BYTES = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookAnswer:
    """What a receiver said; `status` is None when there was no answer."""

    status: int | None
    text: str

    @property
    def is_good(self) -> bool:
        """Whether the receiver has it."""
        return self.status is not None and 200 <= self.status < 300


def call_for(runtime: Runtime) -> WebhookAnswer:
    """Make the call of the execution whose environment this process has.

    Raises Conflict: there is no such execution at work.
    """
    from cuectl.executions.lookup import get_execution
    from cuectl.executions.targets import full_payload

    execution = get_execution(runtime, runtime.environment.get("CUE_EXECUTION_ID", ""))
    if execution.is_settled or execution.target.get("type") != "webhook":
        raise Conflict(f"'{execution.id}' calls no webhook")
    payload = full_payload(execution, runtime.home)
    body = b"" if execution.target.get("method") == "GET" else body_of(execution, payload)
    key = read_or_make_secret(runtime.home, SIGNING_KEY, runtime.random)
    headers = headers_of(execution, body, key.encode(), runtime.now() // 1000)
    return _call(execution.target, headers, body)


def body_of(execution: Execution, payload: Record) -> bytes:
    """Return what a receiver gets."""
    body = {
        "execution_id": execution.id,
        "cue_id": execution.cue_id,
        "name": execution.cue_name,
        "scheduled_for": to_text(execution.scheduled_for),
        "attempt": execution.attempt,
        "payload": payload,
    }
    return json.dumps(body, sort_keys=True).encode("ascii")


def headers_of(execution: Execution, body: bytes, key: bytes, seconds: int) -> dict[str, str]:
    """Return the headers of the call; the user's own replace none that prove anything."""
    timestamp = str(seconds)
    defaults = {"Content-Type": "application/json", "User-Agent": "cuectl"}
    ours = {
        "Connection": "close",
        "X-CueAPI-Signature": signature(key, timestamp, body),
        "X-CueAPI-Timestamp": timestamp,
        "X-CueAPI-Cue-Id": execution.cue_id,
        "X-CueAPI-Execution-Id": execution.id,
        "X-CueAPI-Scheduled-For": to_text(execution.scheduled_for),
        "X-CueAPI-Attempt": str(execution.attempt),
    }
    chosen: dict[str, str] = execution.target.get("headers", {})
    return defaults | chosen | ours


def _call(target: Record, headers: dict[str, str], body: bytes) -> WebhookAnswer:
    try:
        address = resolve(target["url"], allow_private=bool(target.get("allow_private")))
        connection = connected(address, LIMIT_S)
        try:
            method = target.get("method", "POST")
            connection.request(method, address.target, body or None, headers)
            answer = connection.getresponse()
            text = answer.read(_SHOWN_BYTES).decode("utf-8", "replace").strip()
        finally:
            connection.close()
    except Unreachable as error:
        return WebhookAnswer(status=None, text=str(error))
    except ssl.SSLCertVerificationError as error:
        text = f"the certificate is not valid: {error.verify_message}"
        return WebhookAnswer(status=None, text=text)
    except (OSError, http.client.HTTPException, ValueError) as error:
        words = getattr(error, "strerror", None) or type(error).__name__
        return WebhookAnswer(status=None, text=f"no answer: {words}")
    more = "; redirects are not followed" if 300 <= answer.status < 400 else ""
    return WebhookAnswer(status=answer.status, text=f"HTTP {answer.status}{more}\n{text}".strip())
