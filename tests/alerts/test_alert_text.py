from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuectl.alerts.rules.alert import Severity, title
from cuectl.alerts.rules.message import Message, digest_of
from cuectl.alerts.rules.payload import command_line, fields, message_json, webhook_body
from cuectl.definitions.rules.templates import BadTemplate
from tests.alerts.test_alert import an_alert
from tests.alerts.test_message import told


def a_message(**members: object) -> Message:
    return told(an_alert(**members))


def test_the_title_says_what_happened_to_which_cue() -> None:
    assert title(an_alert(cue_name="backup")) == "missed: backup"
    assert title(an_alert()) == "missed"


def test_values_stay_inside_their_element() -> None:
    alert = a_message(cue_name="backup", message="a b; rm -rf $HOME `id`")
    argv = ["notify-send", "cuectl: {{ alert.title }}", "{{alert.message}}", "{{ alert.type }}!"]
    assert command_line(argv, alert) == [
        "notify-send",
        "cuectl: missed: backup",
        "a b; rm -rf $HOME `id`",
        "missed!",
    ]


def test_a_value_cannot_make_an_option_of_an_argument() -> None:
    alert = a_message(message="--output=/etc/passwd")
    assert command_line(["curl", "{{ alert.message }}"], alert)[1] == " --output=/etc/passwd"
    assert command_line(["x", "--m={{ alert.message }}"], alert)[1] == "--m=--output=/etc/passwd"


def test_a_value_is_not_expanded_again() -> None:
    alert = a_message(message="{{ alert.id }}")
    assert command_line(["x", "{{ alert.message }}"], alert) == ["x", "{{ alert.id }}"]


@given(st.text(), st.none() | st.text())
def test_values_are_one_line_without_controls(message: str, name: str | None) -> None:
    for text in fields(a_message(message=message, cue_name=name)).values():
        assert text.isprintable() or not any(ord(letter) < 32 for letter in text)
        assert "\n" not in text
        assert "\r" not in text
        assert "\x1b" not in text
        assert "\0" not in text


def test_a_forged_header_in_a_message_stays_on_its_line() -> None:
    alert = a_message(message="done\r\nBcc: everybody@example.org")
    assert fields(alert)["message"] == "done Bcc: everybody@example.org"


@pytest.mark.parametrize("place", ["{{ alert.nothing }}", "{{ payload.x }}", "{{ message }}"])
def test_a_template_that_names_nothing_of_an_alert_is_refused(place: str) -> None:
    with pytest.raises(BadTemplate, match="names nothing of an alert"):
        command_line(["x", place], a_message())


def test_the_program_itself_is_never_a_template() -> None:
    with pytest.raises(BadTemplate, match="program"):
        command_line(["{{ alert.message }}"], a_message())


def test_the_json_is_one_ascii_line_with_the_text_as_it_is() -> None:
    message = a_message(message="zwei\nZeilen, ü")
    text = message_json(message)
    assert text.isascii()
    assert "\n" not in text
    texts = {"host": "web1", "title": message.title, "text": message.text}
    assert json.loads(text) == message.alerts[0].to_record() | texts


def test_the_webhook_body_has_the_members_of_the_peer_with_sorted_keys() -> None:
    message = a_message(cue_id="cue_1", cue_name="backup", execution_id="exec_1")
    body = webhook_body(message)
    assert json.loads(body) == {
        "alert_id": "alert_1",
        "alert_type": "missed",
        "severity": "warning",
        "message": "'backup' missed an occurrence",
        "execution_id": "exec_1",
        "cue_id": "cue_1",
        "created_at": "2026-11-21T02:00:00Z",
        "metadata": {"cue_name": "backup"},
        "host": "web1",
        "title": "web1: 'backup' missed an occurrence",
        "text": message.text,
    }
    assert list(json.loads(body)) == sorted(json.loads(body))


def test_a_digest_has_its_alerts_in_the_json_and_the_gravest_severity() -> None:
    alerts = [
        an_alert(id="alert_2", cue_id="cue_2", cue_name="b", severity=Severity.CRITICAL),
        an_alert(cue_id="cue_1", cue_name="a"),
    ]
    message = digest_of(alerts, "web1", "UTC")
    body = json.loads(webhook_body(message))
    assert {name: body[name] for name in ("alert_id", "alert_type", "severity", "cue_id")} == {
        "alert_id": "alert_1",
        "alert_type": "digest",
        "severity": "critical",
        "cue_id": None,
    }
    assert [one["id"] for one in body["alerts"]] == ["alert_1", "alert_2"]
    assert body["message"] == "web1: 2 cues fail: a, b"
    assert fields(message)["title"] == "web1: 2 cues fail: a, b"
