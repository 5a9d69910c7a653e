from __future__ import annotations

import json
import re
import shutil
import socket
import ssl
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cuectl.alerts.sinks import NotDelivered, SinkContext, webhook
from cuectl.process import web_request
from cuectl.values.times import from_text
from tests.alerts.test_alert import an_alert
from tests.alerts.test_message import told
from tests.fixtures.receiver import Hook, Receiver, closed_port, is_genuine

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = from_text("2026-11-21T02:00:00Z")
SECRET = "5f" * 32
ALERT = an_alert(cue_id="cue_1", cue_name="backup", execution_id="exec_1", message="ü\n<b>")


def a_hook(url: str, secret_file: str | None = None, *, allow_private: bool = True) -> Hook:
    return Hook(name="hook", url=url, secret_file=secret_file, allow_private=allow_private)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def key(tmp_path: Path) -> str:
    path = tmp_path / "hook.key"
    path.write_text(SECRET + "\n")
    path.chmod(0o600)
    return str(path)


def post(hook: Hook) -> None:
    surroundings = SinkContext(home="/nowhere", environment={}, now=NOW)
    webhook.deliver(told(ALERT), hook, surroundings)


def refused(hook: Hook, *, lasting: bool) -> str:
    with pytest.raises(NotDelivered) as caught:
        post(hook)
    assert caught.value.lasting is lasting
    return caught.value.reason


def test_the_receiver_gets_a_body_whose_signature_it_can_check(
    receiver: Receiver, key: str
) -> None:
    post(a_hook(f"{receiver.url}/in?a=1", key))
    (request,) = receiver.requests
    assert request.path == "/in?a=1"
    assert is_genuine(request, SECRET, NOW // 1000)
    assert not is_genuine(request, SECRET, NOW // 1000 + 301)
    assert not is_genuine(request, "another", NOW // 1000)
    changed = type(request)(request.path, request.headers, request.body.replace(b"cue_1", b"cue_2"))
    assert not is_genuine(changed, SECRET, NOW // 1000)


def test_the_signature_is_the_one_that_openssl_computes(receiver: Receiver, key: str) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl")
    post(a_hook(receiver.url, key))
    (request,) = receiver.requests
    signed = f"{NOW // 1000}.".encode() + request.body
    command = [openssl, "dgst", "-sha256", "-hmac", SECRET]
    answer = subprocess.run(command, input=signed, capture_output=True, check=True).stdout
    digest = answer.decode().rpartition("= ")[2].strip()
    assert request.headers["X-CueAPI-Signature"] == f"v1={digest}"


def test_the_signature_of_the_documented_vector() -> None:
    assert web_request.signature(b"secret", "1700000000", b'{"a": 1}') == (
        "v1=942c6f7e34ef5c448cbbbf79276da392036d59f0bd9fb74ba14eb8e83e2bb6cd"
    )


def test_the_headers_are_those_of_the_peer_under_both_of_its_names(
    receiver: Receiver, key: str
) -> None:
    post(a_hook(receiver.url, key))
    headers = receiver.requests[0].headers
    assert headers["Content-Type"] == "application/json"
    assert headers["X-CueAPI-Alert-Id"] == "alert_1"
    assert headers["X-CueAPI-Alert-Type"] == "missed"
    assert headers["X-CueAPI-Timestamp"] == str(NOW // 1000)
    assert headers["X-CueAPI-Alert-Timestamp"] == headers["X-CueAPI-Timestamp"]
    assert headers["X-CueAPI-Alert-Signature"] == headers["X-CueAPI-Signature"]
    assert re.fullmatch("v1=[0-9a-f]{64}", headers["X-CueAPI-Signature"])


def test_the_body_has_sorted_keys_and_the_text_as_it_is(receiver: Receiver) -> None:
    post(a_hook(receiver.url))
    body = receiver.requests[0].body
    assert body == json.dumps(json.loads(body), sort_keys=True).encode()
    assert json.loads(body)["message"] == "ü\n<b>"


def test_without_a_secret_nothing_is_signed(receiver: Receiver) -> None:
    post(a_hook(receiver.url))
    assert not any("signature" in name.lower() for name in receiver.requests[0].headers)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_answer_of_2xx_is_success(receiver: Receiver, status: int) -> None:
    receiver.status = status
    post(a_hook(receiver.url))

    assert [request.path for request in receiver.requests] == ["/"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(receiver: Receiver, status: int) -> None:
    receiver.status = status
    reason = refused(a_hook(receiver.url), lasting=True)
    assert reason == f"the answer was {status}; redirects are not followed"
    assert [request.path for request in receiver.requests] == ["/"]


@pytest.mark.parametrize(
    ("status", "lasting"),
    [(400, True), (401, True), (404, True), (410, True), (408, False), (429, False), (503, False)],
)
def test_what_the_answer_says_about_trying_again(
    receiver: Receiver, status: int, lasting: bool
) -> None:
    receiver.status = status
    assert refused(a_hook(receiver.url), lasting=lasting) == f"the answer was {status}"


def test_a_receiver_that_never_answers_costs_the_limit_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(webhook, "LIMIT_S", 0.2)
    with Receiver(silent=True) as receiver:
        assert refused(a_hook(receiver.url), lasting=False) == "no answer within 0.2 s"


def test_a_name_that_is_looked_up_for_ever_costs_the_limit_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    let_go = threading.Event()

    def look_up(*_: object, **__: object) -> list[object]:
        let_go.wait(60)
        return []

    monkeypatch.setattr(webhook, "LIMIT_S", 0.1)
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    try:
        assert refused(a_hook("https://slow.example/"), lasting=False) == "no answer within 0.1 s"
    finally:
        let_go.set()


def test_nobody_listens() -> None:
    url = f"http://127.0.0.1:{closed_port()}/"
    assert refused(a_hook(url), lasting=False) == "no connection: Connection refused"


def test_an_answer_that_is_no_http_is_none(receiver: Receiver) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"\x00\xffhello\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        assert refused(a_hook(url), lasting=False) == "no answer: BadStatusLine"
        thread.join()


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "2130706433",
        "0x7f.1",
        "017700000001",
        "[::ffff:127.0.0.1]",
        "[fe80::1]",
        "[fd00::1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[::]",
    ],
)
def test_an_address_that_is_not_public_is_not_connected_to(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(*_: object, **__: object) -> None:
        raise AssertionError("connected")

    monkeypatch.setattr(socket, "create_connection", connect)
    for scheme in ("http", "https"):
        reason = refused(a_hook(f"{scheme}://{host}:9/", allow_private=False), lasting=True)
        assert "not public" in reason


def resolving_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[Any]:
    """Let every name have these addresses; return where connections were tried."""
    tried: list[Any] = []

    def look_up(host: str, port: int, **_: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in addresses]

    def connect(place: tuple[str, int], timeout: float) -> socket.socket:
        tried.append(place)
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(socket, "create_connection", connect)
    return tried


def test_a_name_with_a_public_and_a_private_address_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried = resolving_to(monkeypatch, "93.184.216.34", "127.0.0.1")
    reason = refused(a_hook("https://both.example/", allow_private=False), lasting=True)
    assert reason.startswith("'both.example' has the address 127.0.0.1, which is not public")
    assert tried == []


def test_the_connection_goes_to_the_address_that_was_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried = resolving_to(monkeypatch, "93.184.216.34")
    refused(a_hook("https://one.example/", allow_private=False), lasting=False)
    assert tried == [("93.184.216.34", 443)]


def test_plain_http_to_a_public_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = resolving_to(monkeypatch, "93.184.216.34")
    reason = refused(a_hook("http://one.example/"), lasting=True)
    assert reason == "'one.example' is public, so the address must be https"
    assert tried == []


def test_the_user_may_allow_private_addresses(receiver: Receiver) -> None:
    post(a_hook(receiver.url, allow_private=True))
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/",
        "https://",
        "file:///etc/passwd",
        "https://u:p@example.org/",
        "https://[x/",
        "https://a:b/",
    ],
)
def test_what_is_no_address_of_a_webhook_is_refused(url: str) -> None:
    assert refused(a_hook(url), lasting=True).startswith("the webhook's address ")


def test_proxies_of_the_environment_are_not_asked(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port()}")
    post(a_hook(receiver.url))
    assert len(receiver.requests) == 1


def test_a_secret_that_others_may_read_is_not_used(receiver: Receiver, key: str) -> None:
    Path(key).chmod(0o640)
    reason = refused(a_hook(receiver.url, key), lasting=True)
    assert reason == f"others may read the secret file '{key}'"
    assert receiver.requests == []


def test_https_is_checked_against_the_name_and_the_trusted_certificates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl")
    certificate, private = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = f"{openssl} req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=hook.example"
    names = ["-addext", "subjectAltName=DNS:hook.example"]
    files = ["-keyout", str(private), "-out", str(certificate)]
    subprocess.run([*command.split(), *names, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, private)
    with Receiver(tls=context) as receiver:
        port = int(receiver.url.rpartition(":")[2])

        def look_up(host: str, port: int, *_: object, **__: object) -> list[Any]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        unknown = refused(a_hook(f"https://hook.example:{port}/"), lasting=True)
        assert unknown.startswith("the certificate is not valid: self")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        post(a_hook(f"https://hook.example:{port}/"))
        other = refused(a_hook(f"https://other.example:{port}/"), lasting=True)
        assert "not valid for 'other.example'" in other
    assert len(receiver.requests) == 1
