from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuectl.alerts.rules.alert import alert_json, command_line, fields, title, webhook_body
from cuectl.definitions.rules.templates import BadTemplate
from tests.alerts.test_alert import an_alert


def test_the_title_says_what_happened_to_which_cue() -> None:
    assert title(an_alert(cue_name="backup")) == "missed: backup"
    assert title(an_alert()) == "missed"


def test_values_stay_inside_their_element() -> None:
    alert = an_alert(cue_name="backup", message="a b; rm -rf $HOME `id`")
    argv = ["notify-send", "cuectl: {{ alert.title }}", "{{alert.message}}", "{{ alert.type }}!"]
    assert command_line(argv, alert) == [
        "notify-send",
        "cuectl: missed: backup",
        "a b; rm -rf $HOME `id`",
        "missed!",
    ]


def test_a_value_cannot_make_an_option_of_an_argument() -> None:
    alert = an_alert(message="--output=/etc/passwd")
    assert command_line(["curl", "{{ alert.message }}"], alert)[1] == " --output=/etc/passwd"
    assert command_line(["x", "--m={{ alert.message }}"], alert)[1] == "--m=--output=/etc/passwd"


def test_a_value_is_not_expanded_again() -> None:
    alert = an_alert(message="{{ alert.id }}")
    assert command_line(["x", "{{ alert.message }}"], alert) == ["x", "{{ alert.id }}"]


@given(st.text(), st.none() | st.text())
def test_values_are_one_line_without_controls(message: str, name: str | None) -> None:
    for text in fields(an_alert(message=message, cue_name=name)).values():
        assert text.isprintable() or not any(ord(letter) < 32 for letter in text)
        assert "\n" not in text
        assert "\r" not in text
        assert "\x1b" not in text
        assert "\0" not in text


def test_a_forged_header_in_a_message_stays_on_its_line() -> None:
    alert = an_alert(message="done\r\nBcc: everybody@example.org")
    assert fields(alert)["message"] == "done Bcc: everybody@example.org"


@pytest.mark.parametrize("place", ["{{ alert.nothing }}", "{{ payload.x }}", "{{ message }}"])
def test_a_template_that_names_nothing_of_an_alert_is_refused(place: str) -> None:
    with pytest.raises(BadTemplate, match="names nothing of an alert"):
        command_line(["x", place], an_alert())


def test_the_program_itself_is_never_a_template() -> None:
    with pytest.raises(BadTemplate, match="program"):
        command_line(["{{ alert.message }}"], an_alert())


def test_the_json_is_one_ascii_line_with_the_text_as_it_is() -> None:
    alert = an_alert(message="zwei\nZeilen, ü")
    text = alert_json(alert)
    assert text.isascii()
    assert "\n" not in text
    assert json.loads(text) == alert.to_record()


def test_the_webhook_body_has_the_members_of_the_peer_with_sorted_keys() -> None:
    alert = an_alert(cue_id="cue_1", cue_name="backup", execution_id="exec_1")
    body = webhook_body(alert)
    assert json.loads(body) == {
        "alert_id": "alert_1",
        "alert_type": "missed",
        "severity": "warning",
        "message": "'backup' missed an occurrence",
        "execution_id": "exec_1",
        "cue_id": "cue_1",
        "created_at": "2026-11-21T02:00:00Z",
        "metadata": {"cue_name": "backup"},
    }
    assert list(json.loads(body)) == sorted(json.loads(body))
