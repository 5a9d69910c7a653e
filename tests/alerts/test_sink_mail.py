from __future__ import annotations

import socket
from email.parser import BytesParser
from email.policy import default
from typing import TYPE_CHECKING, Any

import pytest

from cuectl.alerts.rules.alert import AlertType
from cuectl.alerts.rules.message import digest_of
from cuectl.alerts.sinks import NotDelivered, SinkContext, mail
from cuectl.definitions.rules.definitions import AlertSink
from cuectl.values.times import from_text
from tests.alerts.test_alert import an_alert
from tests.alerts.test_message import told
from tests.fixtures.mailbox import Mailbox, server_context
from tests.fixtures.receiver import closed_port

if TYPE_CHECKING:
    from pathlib import Path

NOW = from_text("2026-11-21T02:00:00Z")
ALERT = an_alert(cue_name="backup", cue_id="cue_1", message="'backup' failed: ü\n<b>")


def a_sink(smtp: str | None = None, **more: Any) -> AlertSink:
    said = {"to": ("me@example.org",), "sender": "cuectl@example.org", "smtp": smtp} | more
    return AlertSink(name="ops", kind="mail", **said)


def surroundings(**environment: str) -> SinkContext:
    return SinkContext(home="/", environment=environment, now=NOW, host="Web_1", zone="UTC")


def send(sink: AlertSink, message: Any = None, **environment: str) -> None:
    mail.deliver(message or told(ALERT), sink, surroundings(**environment))


def refused(sink: AlertSink, *, lasting: bool, **environment: str) -> str:
    with pytest.raises(NotDelivered) as error:
        send(sink, **environment)
    assert error.value.lasting is lasting
    return error.value.reason


def test_the_mail_has_the_line_as_its_subject_and_the_whole_text_in_it() -> None:
    with Mailbox() as box:
        send(a_sink(box.url, to=("me@example.org", "The Team <ops@example.org>")))
    (got,) = box.mails
    assert (got.sender, got.to) == ("cuectl@example.org", ("me@example.org", "ops@example.org"))
    names = ("Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted", "Content-Type")
    assert {name: str(got.mail[name]) for name in names} == {
        "Subject": "web1: 'backup' failed: ü <b>",
        "From": "cuectl@example.org",
        "To": "me@example.org, The Team <ops@example.org>",
        "Date": "Sat, 21 Nov 2026 02:00:00 +0000",
        "Message-ID": "<alert_1@web-1>",
        "Auto-Submitted": "auto-generated",
        "Content-Type": 'text/plain; charset="utf-8"',
    }
    assert got.mail.get_content().replace("\r\n", "\n") == told(ALERT).text


def test_a_recovery_answers_to_what_it_says_to_be_over() -> None:
    alert = an_alert(id="alert_2", type=AlertType.RECOVERED, incident="alert_1")
    found = mail.mail_of(told(alert), a_sink(), surroundings())
    assert found["In-Reply-To"] == found["References"] == "<alert_1@web-1>"
    both = digest_of([alert, an_alert(id="alert_3")], "h", "UTC")
    assert mail.mail_of(both, a_sink(), surroundings())["References"] is None


def test_without_a_sender_it_is_of_the_user_on_this_machine() -> None:
    found = mail.mail_of(told(ALERT), a_sink(sender=None), surroundings())
    assert str(found["From"]).startswith("cuectl <")
    assert str(found["From"]).endswith("@web-1>")


@pytest.mark.parametrize("forged", ["x\r\nBcc: all@example.org", "x\nBcc: all@example.org", "\r"])
def test_a_header_can_not_be_forged(forged: str) -> None:
    alert = an_alert(cue_name=forged, message=f"{forged}\n\nBcc: all@example.org")
    found = mail.mail_of(told(alert), a_sink(), surroundings())
    parsed = BytesParser(policy=default).parsebytes(bytes(found))
    assert parsed["Bcc"] is None
    assert [name for name, _ in parsed.items()] == [name for name, _ in found.items()]


def test_user_and_password_come_from_variables_and_go_over_tls_where_it_is_offered(
    tmp_path: Path,
) -> None:
    login = ("me@example.org", "p@ss/w:rd")
    with Mailbox(login=login, tls=server_context(tmp_path)) as box:
        url = f"smtp://me%40example.org:${{PASS}}@127.0.0.1:{box.port}"
        send(a_sink(url), PASS="p@ss/w:rd")
        send(
            a_sink("${SMTP_URL}"),
            SMTP_URL=f"smtp://me%40example.org:p%40ss%2Fw%3Ard@127.0.0.1:{box.port}",
        )
    assert box.logins == [login, login]
    assert [one.encrypted for one in box.mails] == [True, True]


def test_a_wrong_password_is_said_without_the_password() -> None:
    with Mailbox(login=("me", "right")) as box:
        reason = refused(
            a_sink(f"smtp://me:${{PASS}}@127.0.0.1:{box.port}"), lasting=True, PASS="wrong-4711"
        )
        name = f"127.0.0.1:{box.port}"
    assert reason.startswith(f"'{name}' refuses the user or the password: 535 ")
    assert "wrong-4711" not in reason
    assert box.mails == []


def test_a_variable_that_is_not_set_is_named() -> None:
    assert refused(a_sink("smtp://me:${PASS}@127.0.0.1:25"), lasting=True) == (
        "environment variable 'PASS' is not set; "
        "set it in ~/.cue/env, or give a default: ${PASS:-value}"
    )


def test_a_recipient_that_is_refused_is_named() -> None:
    with Mailbox(refused=("me@example.org",)) as box:
        reason = refused(a_sink(box.url), lasting=True)
        assert reason == (
            f"'127.0.0.1:{box.port}' refuses 'me@example.org': 550 5.1.1 nobody of that name"
        )


def test_where_one_of_two_is_refused_the_other_has_it_and_gets_it_no_second_time() -> None:
    with Mailbox(refused=("you@example.org",)) as box:
        with pytest.raises(NotDelivered) as error:
            send(a_sink(box.url, to=("me@example.org", "you@example.org")))
        assert error.value.taken
        assert [one.to for one in box.mails] == [("me@example.org",)]


def test_nobody_listens() -> None:
    port = closed_port()
    reason = refused(a_sink(f"smtp://127.0.0.1:{port}"), lasting=False)
    assert reason == f"'127.0.0.1:{port}' can't be reached: Connection refused"


def test_a_server_that_never_answers_costs_the_limit_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        name = f"127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setattr(mail, "STEP_S", 0.1)
        reason = refused(a_sink(f"smtp://{name}"), lasting=False)
        assert reason.startswith(f"'{name}' can't be reached: ")
        assert reason.endswith("timed out")
        monkeypatch.setattr(mail, "STEP_S", 30.0)
        monkeypatch.setattr(mail, "LIMIT_S", 0.1)
        assert refused(a_sink(f"smtp://{name}"), lasting=False) == "no answer within 0.1 s"


def test_a_server_elsewhere_without_encryption_is_not_told_the_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Mailbox(login=("me", "right")) as box:
        monkeypatch.setattr(mail, "_THIS_MACHINE", ())
        reason = refused(a_sink(f"smtp://me:right@127.0.0.1:{box.port}"), lasting=True)
        assert reason == (
            f"'127.0.0.1:{box.port}' offers no encryption, so it is not told the password"
        )
    assert box.logins == []


def test_a_server_elsewhere_whose_certificate_is_not_known_is_not_told_the_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Mailbox(login=("me", "right"), tls=server_context(tmp_path)) as box:
        monkeypatch.setattr(mail, "_THIS_MACHINE", ())
        reason = refused(a_sink(f"smtp://me:right@127.0.0.1:{box.port}"), lasting=True)
        assert reason.startswith(f"the certificate of '127.0.0.1:{box.port}' is not good: self")
    assert box.logins == []


def test_sendmail_gets_the_mail_and_whom_it_is_for(tmp_path: Path) -> None:
    program = tmp_path / "sendmail"
    program.write_text(f'#!/bin/sh\nprintf "%s " "$@" > {tmp_path}/words\ncat > {tmp_path}/mail\n')
    program.chmod(0o755)
    sink = a_sink(sendmail="sendmail", to=("me@example.org", "root"))
    send(sink, PATH=f"{tmp_path}:/usr/bin:/bin")
    assert (tmp_path / "words").read_text() == "-i me@example.org root "
    raw = (tmp_path / "mail").read_bytes()
    assert b"\r" not in raw
    got = BytesParser(policy=default).parsebytes(raw)
    assert got["Subject"] == "web1: 'backup' failed: ü <b>"
    assert got.get_content() == told(ALERT).text


def test_sendmail_that_fails_or_is_not_there_is_named(tmp_path: Path) -> None:
    program = tmp_path / "sendmail"
    program.write_text("#!/bin/sh\necho no mail today >&2\nexit 75\n")
    program.chmod(0o755)
    sink = a_sink(sendmail=str(program))
    assert refused(sink, lasting=True) == "it ended with exit status 75: no mail today"
    gone = refused(a_sink(sendmail="/gone/sendmail"), lasting=True)
    assert gone.startswith("the command can't be started: ")
