from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from cuectl.alerts.alerts import raise_alert
from cuectl.alerts.rules.alert import AlertType
from cuectl.cli.commands.alerts import TYPES
from cuectl.values.times import from_text
from tests.alerts.test_alerts import CUE

if TYPE_CHECKING:
    from cuectl.process.runtime import Runtime
    from tests.conftest import ManualClock
    from tests.fixtures.builder import Cuectl

SCHEMA = Path(__file__).parents[2] / "cuectl" / "schemas" / "alert.json"
NOW = "2026-11-21T02:00:00Z"
FIRST, SECOND = "alert_01m7xx9x8000000000000001", "alert_01m7xx9x8000000000000002"


@pytest.fixture
def raised(cuectl: Cuectl, clock: ManualClock, runtime: Runtime) -> Cuectl:
    """The program on a store with two alerts, one of the cue `backup`."""
    theirs = replace(runtime, home=str(cuectl.home))
    wanted = (
        ("missed", CUE, "'backup' missed an occurrence"),
        ("delivery_failed", None, "sink 'ops' is gone"),
    )
    with theirs.store.transaction(clock.now()) as tx:
        for kind, cue, message in wanted:
            raise_alert(
                tx,
                clock.now(),
                type=kind,
                message=message,
                cue=cue,
                execution_id=None,
                sinks=("stderr",),
                randomness=theirs.random(9),
            )
    return cuectl.at("2026-11-21T02:05:00Z")


def test_there_are_no_alerts_at_first(cuectl: Cuectl) -> None:
    cuectl.run("alerts", "list").gives(stderr="no open alerts (--all shows those of the past)\n")
    assert cuectl.json("alerts", "list") == []
    assert not cuectl.home.exists()


def test_the_list_shows_what_nobody_has_acknowledged(raised: Cuectl) -> None:
    raised.run("alerts", "list", "--time", "abs").gives(
        "CUE       TYPE                           RAISED  MESSAGE                        DELIVERED"
        "  ID\n"
        "! backup  missed           Sat 21 Nov 02:00 UTC  'backup' missed an occurrence  stderr"
        f"     {FIRST[-6:]}\n"
        "✗ -       delivery_failed  Sat 21 Nov 02:00 UTC  sink 'ops' is gone             stderr"
        f"     {SECOND[-6:]}\n"
    )


def test_the_json_is_what_the_schema_says(raised: Cuectl) -> None:
    validator = Draft202012Validator(json.loads(SCHEMA.read_text()))
    found = raised.json("alerts", "list")
    for alert in found:
        validator.validate(alert)
    assert [alert["id"] for alert in found] == [FIRST, SECOND]
    assert raised.run("--plain", "alerts", "list").stdout.splitlines()[0].split("\t")[-1] == "id"


def ids(answer: Any) -> list[str]:
    return [alert["id"] for alert in answer]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("--cue", "backup"), [FIRST]),
        (("--cue", "cue_back"), [FIRST]),
        (("--type", "delivery_failed"), [SECOND]),
        (("--type", "overlap"), []),
    ],
)
def test_some_of_the_alerts_can_be_chosen(
    raised: Cuectl, words: tuple[str, ...], found: list[str]
) -> None:
    assert ids(raised.json("alerts", "list", *words)) == found


def test_a_cue_that_never_was_is_said(raised: Cuectl) -> None:
    """Regression: `alerts list --cue NOPE` answered 0, as if all were well with it."""
    raised.run("alerts", "list", "--cue", "back").fails(
        5, "no cue named 'back'", "all names: cuectl list"
    )
    raised.run("create", "--name", "other", "--", "true")
    assert raised.json("alerts", "list", "--cue", "other") == []


def test_a_type_that_is_not_known_is_refused(raised: Cuectl) -> None:
    answer = raised.run("alerts", "list", "--type", "mised")
    assert answer.status == 2
    assert "did you mean 'missed'?" in answer.stderr


def test_the_types_that_can_be_chosen_are_those_that_there_are() -> None:
    assert {*TYPES, AlertType.TEST.value, AlertType.DIGEST.value} == {
        kind.value for kind in AlertType
    }
    enum = json.loads(SCHEMA.read_text())["properties"]["type"]["enum"]
    assert set(enum) == {kind.value for kind in AlertType}


def test_an_acknowledged_alert_is_listed_with_all_only(raised: Cuectl) -> None:
    raised.run("alerts", "ack", SECOND).gives(f"acknowledged {SECOND}\n")
    assert ids(raised.json("alerts", "list")) == [FIRST]
    seen = raised.json("alerts", "list", "--all")
    assert ids(seen) == [FIRST, SECOND]
    assert from_text(seen[1]["acknowledged_at"]) >= from_text("2026-11-21T02:05:00Z")
    raised.run("alerts", "ack", SECOND).gives(stderr="nothing to acknowledge\n")


def test_the_start_of_an_id_does_as_long_as_only_one_has_it(raised: Cuectl) -> None:
    answer = raised.run("alerts", "ack", FIRST, FIRST[:12])
    answer.fails(5, f"'{FIRST[:12]}' is ambiguous: {FIRST}, {SECOND}")
    assert ids(raised.json("alerts", "list")) == [FIRST, SECOND]
    raised.run("alerts", "ack", FIRST.removeprefix("alert_")).gives(f"acknowledged {FIRST}\n")


def test_all_alerts_can_be_acknowledged_at_once(raised: Cuectl) -> None:
    assert ids(raised.json("alerts", "ack", "--all")) == [FIRST, SECOND]
    assert raised.json("alerts", "list") == []


def test_an_alert_that_is_not_there_cannot_be_acknowledged(cuectl: Cuectl) -> None:
    hint = "see them all: cuectl alerts list --all"
    cuectl.run("alerts", "ack", "alert_x").fails(5, "no alert 'alert_x'", hint)
    assert not cuectl.home.exists()


def test_which_alerts_to_acknowledge_has_to_be_said(cuectl: Cuectl) -> None:
    message = "give either the ids of alerts or '--all'"
    hint = "name them, or all of them: cuectl alerts ack --all"
    cuectl.run("alerts", "ack").fails(2, message, hint)
    cuectl.run("alerts", "ack", "--all", "x").fails(2, message, hint)


def test_the_standard_error_can_be_tested_without_any_definition(cuectl: Cuectl) -> None:
    answer = cuectl.at(NOW).run("alerts", "test", "stderr")
    answer.gives(
        f"{TEST_TEXT}sink 'stderr' took the test alert alert_1\n",
        "cuectl: alert: test: this is a test; nothing has happened\n",
        ids=True,
    )
    assert not cuectl.home.exists()


def test_what_would_be_sent_is_shown_and_not_sent(cuectl: Cuectl) -> None:
    cuectl.at(NOW)
    with_sink(cuectl, {"command": ["touch", str(cuectl.work / "got")]})
    answer = cuectl.run("alerts", "test", "--dry-run")
    answer.gives(f"{TEST_TEXT}sink 'ops' would get it\n")
    assert not (cuectl.work / "got").exists()


def test_a_test_can_be_as_of_the_newest_run_of_a_cue_and_to_where_its_alerts_go(
    cuectl: Cuectl,
) -> None:
    cuectl.home.mkdir(mode=0o700)
    sinks = {
        "prod": {"command": ["true"], "when": {"tags": ["prod"]}},
        "others": {"command": ["false"], "when": {"tags": ["test"]}},
    }
    (cuectl.home / "cue.yaml").write_text(json.dumps({"alerts": sinks}))
    made = ("create", "--name", "job", "--tag", "prod", "--shell", "echo no disk; exit 3")
    assert cuectl.at(NOW).run(*made).status == 0
    assert cuectl.run("fire", "job", "--wait").status == 3
    (one,) = cuectl.json("executions", "list")
    answer = cuectl.run("alerts", "test", "--cue", "job", "--json")
    assert answer.json["execution_id"] == one["id"]
    assert {name: it["status"] for name, it in answer.json["delivered"].items()} == {
        "prod": "delivered"
    }
    text = answer.json["text"].splitlines()
    assert "Verdict:      failed: exit 3: no disk" in text
    assert text[text.index("The end of its output:") + 1] == "    no disk"
    assert f"Run again:    cuectl retry {one['id']}" in text


TEST_TEXT = f"""\
{os.uname().nodename}: this is a test; nothing has happened

this is a test; nothing has happened

Host:         {os.uname().nodename}
At:           Sat 2026-11-21 02:00 UTC

Look:         cuectl status

"""


def with_sink(cuectl: Cuectl, sink: dict[str, Any]) -> None:
    cuectl.home.mkdir(mode=0o700)
    (cuectl.home / "cue.yaml").write_text(json.dumps({"alerts": {"ops": sink}}))
    assert cuectl.run("run-due").status == 0


def test_a_sink_is_tested_with_an_alert_that_is_not_kept(cuectl: Cuectl) -> None:
    script = 'cat > "$0"; printf %s "$1" >> "$0"'
    got = cuectl.work / "got"
    with_sink(cuectl, {"command": ["sh", "-c", script, str(got), "{{ alert.title }}"]})
    answer = cuectl.run("alerts", "test", "ops", "--json")
    assert answer.status == 0
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(answer.json)
    record, title = got.read_text().splitlines()
    assert json.loads(record) == answer.json | {"delivered": {}}
    assert answer.json["delivered"]["ops"]["status"] == "delivered"
    assert title == "test"
    assert cuectl.json("alerts", "list", "--all") == []


def test_a_sink_that_does_not_take_the_test_says_why(cuectl: Cuectl) -> None:
    with_sink(cuectl, {"command": ["sh", "-c", "echo no route to it >&2; exit 2"]})
    message = "sink 'ops' did not take the alert: it ended with exit status 2: no route to it"
    cuectl.run("alerts", "test", "ops").fails(1, message)


def test_an_internal_webhook_is_refused(cuectl: Cuectl) -> None:
    with_sink(cuectl, {"webhook": "https://169.254.169.254/latest"})
    answer = cuectl.run("alerts", "test", "ops")
    assert answer.status == 1
    assert "'169.254.169.254' has the address 169.254.169.254, which is not public" in answer.stderr


def test_a_sink_that_nobody_defines_cannot_be_tested(cuectl: Cuectl) -> None:
    with_sink(cuectl, {"command": ["true"]})
    hint = "there are: default ops stderr"
    cuectl.run("alerts", "test", "oops").fails(5, "no alert sink is called 'oops'", hint)


def test_a_name_that_writes_to_the_terminal_is_shown_and_not_sent(
    cuectl: Cuectl, clock: ManualClock, runtime: Runtime
) -> None:
    theirs = replace(runtime, home=str(cuectl.home))
    evil = "\x1b]52;c;x\x07\u202e\r\nforged"
    with theirs.store.transaction(clock.now()) as tx:
        raise_alert(
            tx,
            clock.now(),
            type="missed",
            message=evil,
            cue=replace(CUE, name=evil),
            execution_id=None,
            sinks=(evil,),
            randomness=theirs.random(9),
        )
    for words in (("alerts", "list"), ("--plain", "alerts", "list"), ("status",)):
        answer = cuectl.run(*words)
        said = answer.stdout + answer.stderr
        assert not any(letter in said for letter in "\x1b\x07\u202e\r")
        assert not any(line.startswith("forged") for line in said.splitlines())


def test_delivering_where_there_is_nothing_makes_nothing(cuectl: Cuectl) -> None:
    cuectl.run("deliver").gives("0 delivered\n")
    assert not cuectl.home.exists()
    assert "deliver" not in cuectl.run("--help").stdout.split()
