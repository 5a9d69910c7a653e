"""A signed POST as a sink: headers and signature of the peer, so its receivers can be used.

The signature is HMAC-SHA256 over `<timestamp>.<raw body>` with the text in the secret file as
the key, written `v1=` and hexadecimal (reference/cueapi.md section 4). A receiver compares it
in constant time, refuses what is older than five minutes, and takes an alert id once.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import os
import socket
import ssl
import threading

from cuectl.engine.sinks import NotDelivered
from cuectl.engine.sinks.web_address import WebAddress, resolve
from cuectl.model.alert_text import webhook_body
from cuectl.model.errors import CuectlError
from cuectl.store.secret_file import read_secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.engine.sinks import Surroundings
    from cuectl.model.alert import Alert
    from cuectl.model.definitions import AlertSink

LIMIT_S = 10.0
# Answers that say "later" although they blame the sender.
LATER = frozenset({408, 425, 429})


def deliver(alert: Alert, sink: AlertSink, surroundings: Surroundings) -> None:
    """Post the alert; an answer of 2xx within ten seconds, name look-up included, is success.

    Raises:
        NotDelivered: anything else; redirects are not followed.
    """
    body = webhook_body(alert)
    headers = _headers(alert, body, _secret(sink), surroundings.now // 1000)
    attempt = Attempt(sink.url or "", sink.allow_private, headers, body)
    status = attempt.run()
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        raise NotDelivered(f"the answer was {status}; redirects are not followed", lasting=True)
    lasting = 400 <= status < 500 and status not in LATER
    raise NotDelivered(f"the answer was {status}", lasting=lasting)


def _secret(sink: AlertSink) -> bytes | None:
    if sink.secret_file is None:
        return None
    try:
        return read_secret(os.path.expanduser(sink.secret_file))
    except CuectlError as error:
        raise NotDelivered(error.message, lasting=True) from error


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """Return the value of the signature's header."""
    signed = timestamp.encode("ascii") + b"." + body
    return f"v1={hmac.new(secret, signed, hashlib.sha256).hexdigest()}"


def _headers(alert: Alert, body: bytes, secret: bytes | None, seconds: int) -> dict[str, str]:
    timestamp = str(seconds)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "cuectl",
        "Connection": "close",
        "X-CueAPI-Alert-Id": alert.id,
        "X-CueAPI-Alert-Type": alert.type.value,
        "X-CueAPI-Timestamp": timestamp,
        "X-CueAPI-Alert-Timestamp": timestamp,
    }
    if secret is not None:
        signed = signature(secret, timestamp, body)
        # The hosted documentation calls the same header differently than the open server.
        headers |= {"X-CueAPI-Signature": signed, "X-CueAPI-Alert-Signature": signed}
    return headers


class Attempt:
    """One POST, in a thread, because a look-up of a name cannot be given a limit."""

    def __init__(self, url: str, allow_private: bool, headers: dict[str, str], body: bytes) -> None:
        self._url = url
        self._allow_private = allow_private
        self._headers = headers
        self._body = body
        self._result: int | NotDelivered | None = None
        self._over = False

    def run(self) -> int:
        """Return the status of the answer.

        Raises:
            NotDelivered: there is none, or none in time.
        """
        worker = threading.Thread(target=self._work, daemon=True)
        worker.start()
        worker.join(LIMIT_S)
        # From here on the thread, should it still be there, sends nothing more.
        self._over = True
        if self._result is None:
            raise _late()
        if isinstance(self._result, NotDelivered):
            raise self._result
        return self._result

    def _work(self) -> None:
        try:
            address = resolve(self._url, allow_private=self._allow_private)
            self._result = self._post(address)
        except NotDelivered as error:
            self._result = error
        except ssl.SSLCertVerificationError as error:
            reason = f"the certificate is not good: {error.verify_message}"
            self._result = NotDelivered(reason, lasting=True)
        except TimeoutError:
            # The limit of one step of it, which is as long as that of the whole.
            self._result = _late()
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._result = NotDelivered(_what(error))

    def _post(self, address: WebAddress) -> int:
        connection = connected(address)
        try:
            if self._over:
                raise NotDelivered("too late")
            connection.request("POST", address.target, self._body, self._headers)
            return connection.getresponse().status
        finally:
            connection.close()


def _late() -> NotDelivered:
    return NotDelivered(f"no answer within {LIMIT_S:g} s")


def connected(address: WebAddress) -> http.client.HTTPConnection:
    """Return a connection to the first address that answers."""
    connection: http.client.HTTPConnection
    if address.scheme == "https":
        connection = http.client.HTTPSConnection(address.host, address.port, timeout=LIMIT_S)
    else:
        connection = http.client.HTTPConnection(address.host, address.port, timeout=LIMIT_S)
    plain = _open(address)
    if address.scheme == "https":
        context = ssl.create_default_context()
        connection.sock = context.wrap_socket(plain, server_hostname=address.host)
    else:
        connection.sock = plain
    return connection


def _open(address: WebAddress) -> socket.socket:
    problem: OSError | None = None
    for text in address.addresses:
        try:
            return socket.create_connection((text, address.port), timeout=LIMIT_S)
        except OSError as error:
            problem = error
    raise problem or OSError("no address")


def _what(error: Exception) -> str:
    """Return what went wrong, without what the other side said."""
    if isinstance(error, OSError) and error.strerror:
        return f"no connection: {error.strerror}"
    return f"no answer: {type(error).__name__}"
