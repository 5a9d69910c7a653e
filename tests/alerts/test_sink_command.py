from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING

import pytest

from cuectl.alerts.rules.message import digest_of
from cuectl.alerts.rules.payload import message_json
from cuectl.alerts.sinks import NotDelivered, SinkContext, command
from cuectl.definitions.rules.definitions import AlertSink
from tests.alerts.test_alert import an_alert
from tests.alerts.test_message import told

if TYPE_CHECKING:
    from pathlib import Path

    from cuectl.alerts.rules.alert import Alert


def run(home: Path, *argv: str, alert: Alert | None = None, **environment: str) -> None:
    surroundings = SinkContext(
        home=str(home),
        environment={"PATH": os.environ["PATH"], **environment},
        now=0,
        masked=lambda text: text.replace("s3cret", "***"),
    )
    sink = AlertSink(name="ops", kind="command", argv=argv)
    command.deliver(told(alert or an_alert()), sink, surroundings)


def failed(home: Path, *argv: str) -> str:
    with pytest.raises(NotDelivered) as caught:
        run(home, *argv)
    assert caught.value.lasting
    return caught.value.reason


def python(code: str, *more: str) -> tuple[str, ...]:
    return (sys.executable, "-c", f"import json, os, sys\n{code}", *more)


def test_the_command_gets_the_alert_as_arguments_on_its_input_and_in_a_variable(
    tmp_path: Path,
) -> None:
    alert = an_alert(cue_name="backup", message="zwei\nZeilen; $(touch PWNED)")
    code = """
found = [sys.argv[1:], sys.stdin.read(), os.environ['CUE_ALERT']]
open('got', 'w').write(json.dumps(found))
"""
    run(tmp_path, *python(code, "{{ alert.title }}", "{{ alert.message }}"), alert=alert)
    arguments, given, variable = json.loads((tmp_path / "got").read_text())
    assert arguments == ["missed: backup", "zwei Zeilen; $(touch PWNED)"]
    assert json.loads(given) == json.loads(variable)
    assert given == message_json(told(alert)) + "\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["got"]


def test_a_digest_that_no_variable_has_room_for_is_on_the_input(tmp_path: Path) -> None:
    alerts = [an_alert(id=f"alert_{number}", message="x" * 100) for number in range(1000)]
    message = digest_of(alerts, "web1", "UTC")
    assert len(message_json(message)) > 1 << 17
    code = "open('got', 'w').write(json.dumps([sys.stdin.read(), os.environ['CUE_ALERT']]))"
    around = SinkContext(
        home=str(tmp_path), environment={"PATH": os.environ["PATH"]}, now=0, masked=str
    )
    sink = AlertSink(name="ops", kind="command", argv=python(code))
    command.deliver(message, sink, around)
    given, variable = map(json.loads, json.loads((tmp_path / "got").read_text()))
    assert len(given["alerts"]) == 1000
    assert variable == given | {"alerts": []}


def test_a_script_of_a_shell_gets_a_value_as_one_word(tmp_path: Path) -> None:
    alert = an_alert(message="$(touch PWNED)'; touch PWNED; '")
    run(tmp_path, "sh", "-c", "printf %s {{ alert.message }} > got", alert=alert)
    assert (tmp_path / "got").read_text() == alert.message
    assert not (tmp_path / "PWNED").exists()


def test_it_runs_in_a_session_of_its_own_beside_the_definitions(tmp_path: Path) -> None:
    code = "open('got', 'w').write(f'{os.getcwd()} {os.getsid(0) == os.getpid()}')"
    before = os.getcwd()
    run(tmp_path, *python(code))
    assert (tmp_path / "got").read_text() == f"{tmp_path} True"
    assert os.getcwd() == before


def test_another_status_than_0_is_no_delivery_and_its_last_words_are_kept(tmp_path: Path) -> None:
    assert failed(tmp_path, "false") == "it ended with exit status 1"
    code = "print('no route'); print('to  s3cret', file=sys.stderr); sys.exit(7)"
    reason = failed(tmp_path, *python(code))
    assert reason.startswith("it ended with exit status 7: ")
    assert "to ***" in reason
    assert "s3cret" not in reason


def test_output_of_any_size_and_any_bytes_is_no_failure(tmp_path: Path) -> None:
    code = "sys.stdout.buffer.write(bytes(range(256)) * 4096); open('whole', 'x')"
    run(tmp_path, *python(code))

    assert (tmp_path / "whole").exists()


def test_a_signal_is_no_delivery(tmp_path: Path) -> None:
    assert failed(tmp_path, *python("os.kill(os.getpid(), 9)")) == "it was ended by signal 9"


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert (
        failed(tmp_path, "./nothing")
        == "the command can't be started: No such file or directory: './nothing'"
    )


def test_a_command_that_takes_too_long_is_ended_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "LIMIT_S", 2.0)
    assert failed(tmp_path, "sh", "-c", "sleep 60 & echo $! > child; sleep 60") == (
        "it was ended after 2 s"
    )
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 60
    while _lives(child):
        assert time.monotonic() < deadline


def _lives(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_child_in_the_background_holds_nobody_up(tmp_path: Path) -> None:
    began = time.monotonic()
    run(tmp_path, "sh", "-c", "sleep 600 & echo $! > child")
    assert time.monotonic() - began < command.LIMIT_S
    os.kill(int((tmp_path / "child").read_text()), 9)


def test_a_template_that_names_nothing_starts_nothing(tmp_path: Path) -> None:
    reason = failed(tmp_path, "touch", "{{ alert.nothing }}")
    assert reason == "template '{{ alert.nothing }}' names nothing of an alert"
    assert list(tmp_path.iterdir()) == []
