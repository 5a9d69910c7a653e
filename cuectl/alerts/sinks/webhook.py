"""A signed POST as a sink: headers and signature of the peer, so its receivers can be used.

The signature is HMAC-SHA256 over `<timestamp>.<raw body>` with the text in the secret file as
the key, written `v1=` and hexadecimal (reference/cueapi.md section 4).
"""

from __future__ import annotations

import http.client
import os
import ssl
import threading

from cuectl.alerts.rules.payload import webhook_body
from cuectl.alerts.sinks import NotDelivered
from cuectl.process.web_request import LIMIT_S, Unreachable, connected, resolve, signature
from cuectl.store.handler_files import read_secret
from cuectl.values.errors import CuectlError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.alerts.rules.message import Message
    from cuectl.alerts.sinks import SinkContext
    from cuectl.definitions.rules.definitions import AlertSink

# Answers that say "later" although they blame the sender.
LATER = frozenset({408, 425, 429})


def deliver(message: Message, sink: AlertSink, context: SinkContext) -> None:
    """Post the message; an answer of 2xx within ten seconds, name look-up included, is success."""
    body = webhook_body(message)
    headers = _headers(message, body, _secret(sink), context.now // 1000)
    post(sink.url or "", headers, body, allow_private=sink.allow_private)


def post(url: str, headers: dict[str, str], body: bytes, *, allow_private: bool) -> None:
    """Post to a URL. Raises NotDelivered: the answer is not 2xx, or there is none in time."""
    ours = {"User-Agent": "cuectl", "Connection": "close"}
    status = _status_in_time(url, headers | ours, body, allow_private=allow_private)
    if not 200 <= status < 300:
        more = "; redirects are not followed" if 300 <= status < 400 else ""
        lasting = 300 <= status < 500 and status not in LATER
        raise NotDelivered(f"the answer was {status}{more}", lasting=lasting)


def _secret(sink: AlertSink) -> bytes | None:
    if sink.secret_file is None:
        return None
    try:
        return read_secret(os.path.expanduser(sink.secret_file))
    except CuectlError as error:
        raise NotDelivered(error.message, lasting=True) from error


def _headers(message: Message, body: bytes, secret: bytes | None, seconds: int) -> dict[str, str]:
    timestamp = str(seconds)
    headers = {
        "Content-Type": "application/json",
        "X-CueAPI-Alert-Id": message.id,
        "X-CueAPI-Alert-Type": message.type.value,
        "X-CueAPI-Timestamp": timestamp,
        "X-CueAPI-Alert-Timestamp": timestamp,
    }
    if secret is not None:
        signed = signature(secret, timestamp, body)
        # The hosted documentation calls the same header differently than the open server.
        headers |= {"X-CueAPI-Signature": signed, "X-CueAPI-Alert-Signature": signed}
    return headers


def _status_in_time(url: str, headers: dict[str, str], body: bytes, *, allow_private: bool) -> int:
    """Return the status of the answer, asked for in a thread: a look-up of a name has no limit."""
    answers: list[int | NotDelivered] = []
    over = threading.Event()

    def work() -> None:
        answers.append(_answer(url, headers, body, over, allow_private=allow_private))

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    worker.join(LIMIT_S)
    # From here on the thread, should it still be there, sends nothing more.
    over.set()
    answer = answers[0] if answers else _late()
    if isinstance(answer, NotDelivered):
        raise answer
    return answer


def _answer(
    url: str, headers: dict[str, str], body: bytes, over: threading.Event, *, allow_private: bool
) -> int | NotDelivered:
    try:
        address = resolve(url, allow_private=allow_private)
        connection = connected(address, LIMIT_S)
        try:
            if over.is_set():
                return NotDelivered("too late")
            connection.request("POST", address.target, body, headers)
            return connection.getresponse().status
        finally:
            connection.close()
    except Unreachable as error:
        hint = "; the sink can say 'allow_private: true'" if error.is_private else ""
        return NotDelivered(f"{error}{hint}", lasting=error.lasting)
    except ssl.SSLCertVerificationError as error:
        return NotDelivered(f"the certificate is not valid: {error.verify_message}", lasting=True)
    except TimeoutError:
        # The limit of one step of it, which is as long as that of the whole.
        return _late()
    except (OSError, http.client.HTTPException, ValueError) as error:
        # What the other side said is not repeated.
        words = getattr(error, "strerror", None)
        text = f"no connection: {words}" if words else f"no answer: {type(error).__name__}"
        return NotDelivered(text)


def _late() -> NotDelivered:
    return NotDelivered(f"no answer within {LIMIT_S:g} s")
