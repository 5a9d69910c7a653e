"""Mail as a sink: to a server by SMTP, or through the machine's `sendmail`."""

from __future__ import annotations

import os
import pwd
import smtplib
import ssl
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from urllib.parse import unquote, urlsplit

from cuectl.alerts.rules.routing import with_sendmail
from cuectl.alerts.sinks import NotDelivered, expanded, in_time
from cuectl.alerts.sinks.command import run_program
from cuectl.values.records import dataclass
from cuectl.values.safe_text import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from cuectl.alerts.rules.message import Message
    from cuectl.alerts.sinks import SinkContext
    from cuectl.definitions.rules.definitions import AlertSink

# Of one step; a server may take several, and a name that is looked up knows no limit.
STEP_S = 10.0
LIMIT_S = 40.0
_PORTS = {"smtp": 25, "smtps": 465}
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
_LONGEST_REPLY = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """A mail server: `user` is None where it wants none."""

    host: str
    port: int
    is_tls: bool
    user: str | None
    password: str

    @property
    def name(self) -> str:
        """What it is called in an error."""
        return f"{self.host}:{self.port}"


def deliver(message: Message, sink: AlertSink, context: SinkContext) -> None:
    """Send the message as a mail of plain text; a server has 40 seconds for all of it."""
    mail = mail_of(message, sink, context)
    if sink.smtp is None:
        _by_program(mail, sink, context)
        return
    server = server_of(sink.smtp, context.environment)
    in_time(lambda: _send(mail, sink, server), LIMIT_S)


def mail_of(message: Message, sink: AlertSink, context: SinkContext) -> EmailMessage:
    """Return the mail: a repeat has the same id, and what follows an alert answers to it.

    Raises NotDelivered: an address can't stand in a header.
    """
    host = "".join(one if one.isalnum() or one in "-." else "-" for one in context.host.lower())
    mail = EmailMessage(policy=SMTP)
    try:
        mail["Subject"] = message.title
        mail["From"] = sink.sender or Address("cuectl", _user(), host)
        mail["To"] = ", ".join(sink.to)
    except (ValueError, IndexError) as error:
        raise NotDelivered(f"an address is not good: {error}", lasting=True) from error
    mail["Date"] = format_datetime(datetime.fromtimestamp(context.now // 1000, UTC))
    mail["Message-ID"] = f"<{message.id}@{host}>"
    if message.follows:
        mail["In-Reply-To"] = mail["References"] = f"<{message.follows}@{host}>"
    # No machine answers to it, and none sends a note that someone is on holiday.
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Cuectl-Alert"] = message.id
    mail.set_content(message.text)
    return mail


def server_of(url: str, environment: Mapping[str, str]) -> MailServer:
    """Return the server at an address. Raises NotDelivered: a variable of it is not set."""
    parts = urlsplit(expanded(url, environment) if url.startswith("${") else url)

    def value(text: str | None) -> str:
        return expanded(unquote(text or ""), environment)

    try:
        port = parts.port or _PORTS[parts.scheme]
    except (KeyError, ValueError):
        raise NotDelivered("the address of its server is none", lasting=True) from None
    return MailServer(
        host=value(parts.hostname),
        port=port,
        is_tls=parts.scheme == "smtps",
        user=value(parts.username) if parts.username else None,
        password=value(parts.password),
    )


def _send(mail: EmailMessage, sink: AlertSink, server: MailServer) -> None:
    to = [parseaddr(one)[1] for one in sink.to]
    try:
        with _connected(server) as connection:
            if server.user is not None:
                connection.login(server.user, server.password)
            refused = connection.send_message(mail, to_addrs=to)
    except smtplib.SMTPAuthenticationError as error:
        said = _said(error.smtp_code, error.smtp_error, server)
        reason = f"'{server.name}' refuses the user or the password: {said}"
        raise NotDelivered(reason, lasting=True) from None
    except smtplib.SMTPRecipientsRefused as error:
        raise _refusals(error.recipients, server) from None
    except smtplib.SMTPResponseException as error:
        said = _said(error.smtp_code, error.smtp_error, server)
        lasting = error.smtp_code >= 500
        raise NotDelivered(f"'{server.name}' refuses the mail: {said}", lasting=lasting) from None
    except ssl.SSLCertVerificationError as error:
        reason = f"the certificate of '{server.name}' is not good: {error.verify_message}"
        raise NotDelivered(reason, lasting=True) from None
    except smtplib.SMTPNotSupportedError as error:
        reason = f"'{server.name}' can't do what is needed: {_masked(str(error), server)}"
        raise NotDelivered(reason, lasting=True) from None
    except (OSError, smtplib.SMTPException) as error:
        said = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise NotDelivered(f"'{server.name}' can't be reached: {_masked(said, server)}") from None
    if refused:
        raise _refusals(refused, server, others_have_it=True)


def _connected(server: MailServer) -> smtplib.SMTP:
    """Return a connection, encrypted where it can be, and where a password goes over it.

    A certificate is looked at where there is a password; that of this machine's own server is
    whatever its distribution made.
    """
    context = ssl.create_default_context()
    is_here = server.host in _THIS_MACHINE
    if is_here or (server.user is None and not server.is_tls):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    # Without a name it would look up that of this machine, without a limit.
    ours = os.uname().nodename or "localhost"
    if server.is_tls:
        return smtplib.SMTP_SSL(
            server.host, server.port, local_hostname=ours, timeout=STEP_S, context=context
        )
    connection = smtplib.SMTP(server.host, server.port, local_hostname=ours, timeout=STEP_S)
    try:
        connection.ehlo_or_helo_if_needed()
        if connection.has_extn("starttls"):
            connection.starttls(context=context)
            connection.ehlo()
        elif server.user is not None and not is_here:
            reason = f"'{server.name}' offers no encryption, so it is not told the password"
            raise NotDelivered(reason, lasting=True)
    except BaseException:
        connection.close()
        raise
    return connection


def _refusals(
    refused: Mapping[str, tuple[int, bytes]], server: MailServer, *, others_have_it: bool = False
) -> NotDelivered:
    """Return that recipients are refused: for ever, or, by a code below 500, for now."""
    each = (f"'{who}': {_said(code, said, server)}" for who, (code, said) in refused.items())
    lasting = all(code >= 500 for code, _ in refused.values())
    reason = f"'{server.name}' refuses {', '.join(each)}"
    return NotDelivered(reason, lasting=lasting, taken=others_have_it and lasting)


def _said(code: int, said: bytes | str, server: MailServer) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return f"{code} {_masked(text, server)}".strip()


def _masked(text: str, server: MailServer) -> str:
    hidden = text.replace(server.password, "***") if server.password else text
    return one_line(hidden, _LONGEST_REPLY)


def _by_program(mail: EmailMessage, sink: AlertSink, context: SinkContext) -> None:
    environment = dict(context.environment)
    environment["PATH"] = with_sendmail(environment.get("PATH") or os.defpath)
    to = [parseaddr(one)[1] for one in sink.to]
    argv = [os.path.expanduser(sink.sendmail or "sendmail"), "-i", *to]
    # Lines end as those of files do: the program makes lines of mail of them.
    data = mail.as_bytes(policy=mail.policy.clone(linesep="\n"))
    run_program(argv, environment, context.home, data, context.masked)


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return "cuectl"
