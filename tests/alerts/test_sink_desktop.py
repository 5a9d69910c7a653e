from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from cuectl.alerts.rules.alert import Severity
from cuectl.alerts.sinks import NotDelivered, SinkContext, desktop
from cuectl.definitions.rules.definitions import AlertSink
from tests.alerts.test_alert import NOW, an_alert
from tests.alerts.test_message import told

if TYPE_CHECKING:
    from pathlib import Path

SINK = AlertSink(name="screen", kind="desktop")
ALERT = an_alert(cue_name="--wait", severity=Severity.CRITICAL, message="<a> & b")


def shown(folder: Path, program: str, **environment: str) -> list[str]:
    script = folder / program
    script.write_text(f'#!/bin/sh\nprintf "%s\\0" "$@" > {folder}/words\n')
    script.chmod(0o755)
    said = {"PATH": str(folder), **environment}
    context = SinkContext(home="/", environment=said, now=NOW)
    desktop.deliver(told(ALERT), SINK, context)
    return (folder / "words").read_text().split("\0")[:-1]


ROWS = "Host:         web1\nCue:          --wait\nAt:           Sat 2026-11-21 02:00 UTC"


def test_notify_send_gets_title_and_rows_with_nothing_that_it_would_read(tmp_path: Path) -> None:
    words = shown(tmp_path, "notify-send", DISPLAY=":0")
    assert words[:3] == ["--app-name=cuectl", "--urgency=critical", "--"]
    assert words[3] == "web1: <a> & b"
    assert words[4].startswith(ROWS)


def test_a_mac_shows_it_by_its_own_script(tmp_path: Path) -> None:
    words = shown(tmp_path, "osascript")
    assert words[0] == "-e"
    assert words[2] == "web1: <a> & b"
    assert words[3].startswith(ROWS)


def test_without_a_program_or_a_session_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = SinkContext(home="/", environment={"PATH": str(tmp_path)}, now=NOW)
    with pytest.raises(NotDelivered) as error:
        desktop.deliver(told(ALERT), SINK, context)
    assert error.value.reason == "neither notify-send nor osascript is on the PATH"
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)
    with pytest.raises(NotDelivered) as error:
        shown(tmp_path, "notify-send")
    assert error.value.reason == (
        "you have no desktop session open: '/run/user/4000000/bus' is missing"
    )
