"""`next`, `get` and `list` know what time sets off, whether a cue or a subscription says it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl

TEXT = """
agents: {echo: {driver: command, cmd: [cat]}}
subscriptions:
  beat: {event: time.heartbeat, interval_minutes: 5, prompt: x}
  slot: {event: time.scheduled, schedule_times: ['9:00', '14:30'], schedule_days: [mon, tue],
    timezone: Europe/Berlin, prompt: x}
  once: {event: time.once, fire_at: "2026-11-21T12:00:00Z", prompt: x}
  file: {event: file.changed, watch: "*.ts", prompt: x}
  off: {event: time.heartbeat, interval_minutes: 1, enabled: false, prompt: x}
"""


@pytest.fixture
def seen(cuectl: Cuectl) -> Cuectl:
    """Subscriptions that a pass has looked at, at ten o'clock; it is two minutes later."""
    cuectl.files({"cue.yaml": TEXT})
    assert cuectl.at("2026-11-21T09:59:30Z").run("apply", "cue.yaml").status == 0
    assert cuectl.at("2026-11-21T10:00:00Z").run("run-due").status == 0
    return cuectl.at("2026-11-21T10:02:00Z")


def fires(cuectl: Cuectl, *words: str) -> list[Any]:
    """Return the coming fires: instants of one cue; of all, each with its name."""
    found = cuectl.json("next", *words)["fires"]
    return [f"{one['name']} {one['at'][11:16]}" if isinstance(one, dict) else one for one in found]


def test_each_has_its_next_run(seen: Cuectl) -> None:
    wanted = {
        "beat": "2026-11-21T10:05:00Z",
        "slot": "2026-11-23T08:00:00Z",
        "once": "2026-11-21T12:00:00Z",
        "file": None,
        "off": None,
    }
    assert {one["name"]: one["next_run"] for one in seen.json("list")} == wanted
    listed = seen.json("subscriptions", "list")
    assert {one["name"]: one["next_run"] for one in listed} == wanted
    assert {name: seen.json("get", name)["next_run"] for name in wanted} == wanted
    assert [one["name"] for one in seen.json("list")][:3] == ["beat", "once", "slot"]


def test_what_comes_is_shown_of_one_and_of_all(seen: Cuectl) -> None:
    assert fires(seen, "slot", "-n", "3") == [
        "2026-11-23T08:00:00Z",
        "2026-11-23T13:30:00Z",
        "2026-11-24T08:00:00Z",
    ]
    assert fires(seen, "beat", "-n", "2") == ["2026-11-21T10:05:00Z", "2026-11-21T10:10:00Z"]
    assert fires(seen, "once") == ["2026-11-21T12:00:00Z"]
    assert fires(seen, "-n", "3") == ["beat 10:05", "beat 10:10", "beat 10:15"]
    late = fires(seen, "-n", "3", "--since", "2026-11-23T07:58:00Z")
    assert late == ["beat 08:00", "slot 08:00", "beat 08:05"]
    assert seen.json("get", "slot")["fires"][1] == "2026-11-23T13:30:00Z"
    assert "next: Mon 2026-11-23 09:00 CET" in seen.run("get", "slot").stdout
    assert "at 09:00, 14:30 on mon, tue" in seen.run("get", "slot").stdout


def test_what_time_does_not_set_off_says_how_to_start_it(seen: Cuectl) -> None:
    said = seen.run("next", "file")
    assert (said.status, said.stdout) == (
        4,
        "file: on file.changed; start it: cuectl trigger file\n",
    )


def test_a_late_one_and_one_that_was_never_looked_at_are_now(seen: Cuectl) -> None:
    seen.at("2026-11-21T10:20:30Z")
    late, then = fires(seen, "beat", "-n", "2")
    # A set clock runs on in the process that was asked.
    assert (late[:16], then) == ("2026-11-21T10:20", "2026-11-21T10:25:00Z")
    seen.files(
        {
            "new.yaml": "subscriptions: {fresh: {event: time.heartbeat, interval_minutes: 5,"
            " agent: echo, prompt: x}}\n"
        }
    )
    assert seen.run("apply", "new.yaml").status == 0
    found = [at[:16] for at in fires(seen, "fresh", "-n", "2")]
    assert found == ["2026-11-21T10:20", "2026-11-21T10:25"]
