"""Services by apprise, the real package, whose `json://` posts to a receiver of ours."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from cuectl.alerts.rules.alert import AlertType, Severity
from cuectl.alerts.sinks import NotDelivered, SinkContext, notify
from cuectl.definitions.rules.definitions import AlertSink
from tests.alerts.test_alert import NOW, an_alert
from tests.alerts.test_message import told
from tests.fixtures.receiver import Receiver, closed_port

# Of the package itself, with some versions of Python.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def send(url: str, *, message: Any = None, **environment: str) -> None:
    sink = AlertSink(name="apps", kind="notify", urls=(url,))
    context = SinkContext(home="/", environment=environment, now=NOW)
    notify.deliver(message or told(an_alert(cue_name="backup")), sink, context)


def refused(url: str, *, lasting: bool, **environment: str) -> str:
    with pytest.raises(NotDelivered) as error:
        send(url, **environment)
    assert error.value.lasting is lasting
    return error.value.reason


@pytest.fixture
def address(receiver: Receiver) -> str:
    return receiver.url.removeprefix("http://")


@pytest.fixture
def receiver() -> Any:
    with Receiver(200) as found:
        yield found


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({}, "warning"),
        ({"severity": Severity.CRITICAL}, "failure"),
        ({"type": AlertType.RECOVERED}, "success"),
    ],
)
def test_a_service_gets_the_line_as_title_and_the_whole_text(
    receiver: Receiver, address: str, fields: dict[str, Any], kind: str
) -> None:
    message = told(an_alert(cue_name="backup", **fields))
    send(f"json://{address}/hook", message=message)
    (request,) = receiver.requests
    body = json.loads(request.body)
    assert (body["title"], body["type"]) == (message.title, kind)
    assert body["message"].split() == message.text.split()


def test_a_variable_keeps_a_password_out_of_the_file_whatever_is_in_it(
    receiver: Receiver, address: str
) -> None:
    send(f"json://me:${{PASS}}@{address}/", PASS="p@ss/w#rd")
    send("${WHOLE}", WHOLE=f"json://me:p%40ss%2Fw%23rd@{address}/")
    first, second = (one.headers["Authorization"] for one in receiver.requests)
    assert first == second
    assert first.startswith("Basic ")


def test_what_a_service_says_against_it_is_told_without_secrets(
    receiver: Receiver, address: str
) -> None:
    receiver.status = 500
    reason = refused(f"json://me:${{PASS}}@{address}/", lasting=False, PASS="hush-hush")
    assert reason.startswith("JSON did not take it: ")
    assert "500" in reason
    gone = refused(f"json://me:hush-hush@127.0.0.1:{closed_port()}/hush-hush", lasting=False)
    assert "hush" not in reason + gone


def test_an_address_that_apprise_does_not_know_is_no_service() -> None:
    assert refused("nothing://hush", lasting=True) == (
        "apprise can't make a service of its address, which begins with nothing://"
    )


def test_a_variable_that_is_not_set_is_named() -> None:
    reason = refused("ntfy://${TOPIC}", lasting=True)
    assert reason.startswith("environment variable 'TOPIC' is not set; set it in ~/.cue/env")


def test_without_apprise_the_way_to_get_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    reason = refused("ntfy://topic", lasting=True)
    assert reason == "it needs apprise: pip install 'cuectl[notify]'"
