from __future__ import annotations

import pytest

from cuectl.definitions.rules.definitions import CueDefinition
from cuectl.executions.rules.record import CatchUp, OnInterrupted, Overlap, Policy
from tests.definitions.definition_texts import errors, findings, hint_of, load

RUN = "shell: x"


def cue(text: str) -> CueDefinition:
    return load(f"cues:\n  a: {{{text}}}\n").cues["a"]


def policy(text: str) -> Policy:
    return cue(f"{RUN}, {text}").policy


def test_the_cue_of_the_page_is_read_whole() -> None:
    text = """\
handlers: {audit: python3 audit.py}
alerts: {ops: {stderr: true}}
cues:
  nightly-audit:
    description: Audits the shop.
    cron: "0 2 * * *"
    timezone: America/New_York
    task: audit
    payload: {depth: full, repos: [a, b], n: 3}
    verification: {mode: require_external_id}
    retry: {max_attempts: 3, backoff_minutes: [1, 5, 15]}
    catch_up: latest
    overlap: skip
    alert: [ops]
"""
    assert load(text).cues["nightly-audit"] == CueDefinition(
        name="nightly-audit",
        description="Audits the shop.",
        trigger={"type": "cron", "expression": "0 2 * * *", "timezone": "America/New_York"},
        target={"type": "task", "task": "audit"},
        payload={"depth": "full", "repos": ["a", "b"], "n": 3},
        policy=Policy(
            verification="require_external_id",
            max_attempts=3,
            backoff_s=(60, 300, 900),
            alert=("ops",),
        ),
    )
    assert findings(text) == []


@pytest.mark.parametrize(
    ("text", "trigger"),
    [
        ('cron: "*/5 * * * *"', {"type": "cron", "expression": "*/5 * * * *"}),
        ('cron: "@daily"', {"type": "cron", "expression": "@daily"}),
        ("at: 2030-01-31T09:00:00Z", {"type": "at", "at": "2030-01-31T09:00:00Z"}),
        ("at: tomorrow 09:00", {"type": "at", "at": "tomorrow 09:00"}),
        ("at: +20m", {"type": "at", "at": "+20m"}),
        ("every: 90s", {"type": "every", "every_s": 90}),
        ("every: 2h", {"type": "every", "every_s": 7200}),
        ("description: by hand", {"type": "manual"}),
        (
            "at: 2030-01-31 09:00, timezone: Europe/Paris",
            {"type": "at", "at": "2030-01-31 09:00", "timezone": "Europe/Paris"},
        ),
    ],
)
def test_a_cue_is_triggered_by_time_or_by_hand(text: str, trigger: dict[str, object]) -> None:
    assert cue(f"{RUN}, {text}").trigger == trigger


def test_the_zone_of_the_settings_is_that_of_the_cues_of_the_file() -> None:
    text = """\
settings: {timezone: Europe/Berlin}
cues:
  a: {shell: x, cron: "0 9 * * *"}
  b: {shell: x, cron: "0 9 * * *", timezone: Asia/Tokyo}
  c: {shell: x, every: 5m}
"""
    cues = load(text).cues

    assert cues["a"].trigger["timezone"] == "Europe/Berlin"
    assert cues["b"].trigger["timezone"] == "Asia/Tokyo"
    assert "timezone" not in cues["c"].trigger


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("task: audit", {"type": "task", "task": "audit"}),
        ("payload: {task: audit}", {"type": "task", "task": "audit"}),
        ("task: audit, payload: {task: audit}", {"type": "task", "task": "audit"}),
        ("command: [ls, -l]", {"type": "command", "argv": ["ls", "-l"], "cwd": "/srv/shop"}),
        (
            "shell: ls | wc, cwd: sub, env: {A: 1}",
            {"type": "command", "shell": "ls | wc", "cwd": "/srv/shop/sub", "env": {"A": "1"}},
        ),
        ("agent: b, prompt: Do.", {"type": "agent", "agent": "b", "prompt": "Do."}),
        (
            "workflow: tdd, kwargs: {n: 1}",
            {"type": "workflow", "workflow": "tdd", "kwargs": {"n": 1}, "cwd": "/srv/shop"},
        ),
        (
            "workflow: tdd",
            {"type": "workflow", "workflow": "tdd", "kwargs": {}, "cwd": "/srv/shop"},
        ),
        ("url: 'https://x.example/y'", {"type": "webhook", "url": "https://x.example/y"}),
    ],
)
def test_a_cue_has_one_target(text: str, target: dict[str, object]) -> None:
    assert cue(text).target == target


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("verification: manual", Policy(verification="manual")),
        ("verification: {mode: none}", Policy()),
        (
            "verification: {mode: command, command: [./check, 1]}",
            Policy(verification="command", check=("./check", "1")),
        ),
        (
            "verification: {command: test -s out}",
            Policy(verification="command", check=("/bin/sh", "-c", "test -s out")),
        ),
        ("retry: {max_attempts: 2}", Policy(max_attempts=2)),
        (
            "retry: {max_attempts: 3, backoff: [1m, 5m], on: [failed, verification]}",
            Policy(max_attempts=3, backoff_s=(60, 300), retry_on=("failed", "verification")),
        ),
        (
            "retry: {max_attempts: 3, backoff: 30s, on: interrupted}",
            Policy(max_attempts=3, backoff_s=(30,), retry_on=("interrupted",)),
        ),
        ("retry: {max_attempts: 2, backoff_minutes: 0.5}", Policy(max_attempts=2, backoff_s=(30,))),
        ("catch_up: none", Policy(catch_up=CatchUp.NONE)),
        ("catch_up: all", Policy(catch_up=CatchUp.ALL)),
        ("catch_up: run_once_if_missed", Policy()),
        ("catch_up: skip_missed", Policy(catch_up=CatchUp.NONE)),
        ("catch_up: replay_all", Policy(catch_up=CatchUp.ALL)),
        ("catch_up: replay_all_missed", Policy(catch_up=CatchUp.ALL)),
        ("overlap: queue", Policy(overlap=Overlap.QUEUE)),
        ("overlap: cancel", Policy(overlap=Overlap.CANCEL)),
        ("overlap: allow", Policy(overlap=Overlap.ALLOW)),
        ("deadline: 10m", Policy(deadline_s=600)),
        ("timeout: 90", Policy(timeout_s=90)),
        ("timeout: 2h", Policy(timeout_s=7200)),
        ("jitter: 30s", Policy(jitter_s=30)),
        ("jitter: 0s", Policy()),
        ("on_interrupted: rerun", Policy(on_interrupted=OnInterrupted.RERUN)),
        ("on_interrupted: report", Policy()),
        ("outcome_deadline: 1d", Policy(outcome_deadline_s=86_400)),
        ("alert: default", Policy(alert=("default",))),
        ("alert: []", Policy()),
    ],
)
def test_a_policy_says_how_sure_one_must_be(text: str, changed: Policy) -> None:
    assert policy(text) == changed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "6: cue 'a' has nothing to run"),
        ("{cron: '@daily'}", "6: cue 'a' has nothing to run"),
        ("{task: x, shell: y}", "16: cue 'a' has 'task' and 'shell'; give one"),
        (
            "{task: x, payload: {task: y}}",
            "25: 'payload' in cue 'a' has the task 'y', and 'task' says 'x'",
        ),
        (
            "{payload: {task: 5}}",
            "16: 'payload' in cue 'a' has a 'task' that is not the name of a handler",
        ),
        ("{shell: x, payload: [1]}", "26: 'payload' in cue 'a' must be a mapping, not a list"),
        ("{command: ls -l}", "16: 'command' in cue 'a' must be a list of words, not 'ls -l'"),
        ("{command: []}", "16: 'command' in cue 'a' names no program"),
        ("{shell: ''}", "14: 'shell' in cue 'a' is empty"),
        ("{shell: x, prompt: y}", "17: 'prompt' in cue 'a' means nothing beside 'shell'"),
        ("{shell: x, kwargs: {}}", "17: 'kwargs' in cue 'a' means nothing beside 'shell'"),
        ("{task: x, env: {A: 1}}", "16: 'env' in cue 'a' means nothing beside 'task'"),
        ("{agent: x}", "7: cue 'a' has an agent and no 'prompt'"),
        ("{workflow: x, kwargs: 5}", "28: 'kwargs' in cue 'a' must be a mapping, not 5"),
        (
            "{url: x}",
            "12: 'url' in cue 'a' must be an address such as https://example.org/x, not 'x'",
        ),
        ("{shell: x, cron: '@daily', every: 5m}", "33: cue 'a' has 'cron' and 'every'; give one"),
        ("{shell: x, cron: 5}", "23: 'cron' in cue 'a' must be text, not 5"),
        (
            "{shell: x, cron: '0 25 * * *'}",
            "23: 'cron' in cue 'a': hour '25' is out of range 0-23 in cron expression '0 25 * * *'",
        ),
        ("{shell: x, at: 25:99}", "21: 'at' in cue 'a': '25:99' is not a point in time"),
        ("{shell: x, at: 1893456000}", "21: 'at' in cue 'a' must be text, not 1893456000"),
        ("{shell: x, every: 5}", "24: 'every' in cue 'a': '5' has no unit"),
        ("{shell: x, every: 0s}", "24: 'every' in cue 'a' must be more than nothing"),
        (
            "{shell: x, timezone: Mars}",
            "27: 'timezone' in cue 'a': 'Mars' is not a known time zone",
        ),
        ("{shell: x, jitter: 5}", "25: 'jitter' in cue 'a': '5' has no unit"),
        ("{shell: x, deadline: soon}", "27: 'deadline' in cue 'a': 'soon' is not a span of time"),
        (
            "{shell: x, catch_up: newest}",
            (
                "27: 'catch_up' in cue 'a' must be latest, none, all, run_once_if_missed, "
                "skip_missed, replay_all or replay_all_missed, not 'newest'"
            ),
        ),
        (
            "{shell: x, overlap: wait}",
            "26: 'overlap' in cue 'a' must be skip, queue, cancel or allow, not 'wait'",
        ),
        (
            "{shell: x, overlap: [skip]}",
            "26: 'overlap' in cue 'a' must be skip, queue, cancel or allow, not a list",
        ),
        (
            "{shell: x, on_interrupted: retry}",
            "33: 'on_interrupted' in cue 'a' must be report or rerun, not 'retry'",
        ),
        ("{shell: x, alert: 5}", "24: 'alert' in cue 'a' must be a text or a list of texts, not 5"),
        ("{shell: x, alert: [5]}", "25: an item of 'alert' in cue 'a' must be text, not 5"),
        (
            "{shell: x, verification: command}",
            "31: 'verification' in cue 'a' has the mode 'command' and no 'command'",
        ),
        (
            "{shell: x, verification: [x]}",
            "31: 'verification' of cue 'a' must be a mapping, not a list",
        ),
        ("{shell: x, verification: {}}", "31: 'verification' of cue 'a' has no 'mode'"),
        (
            "{shell: x, verification: {mode: command}}",
            "31: 'verification' in cue 'a' has the mode 'command' and no 'command'",
        ),
        (
            "{shell: x, verification: {mode: manual, command: [x]}}",
            "46: 'command' needs the mode 'command', not 'manual'",
        ),
        (
            "{shell: x, verification: strict}",
            (
                "31: 'verification' in cue 'a' must be none, require_external_id, "
                "require_result_url, require_artifacts, manual or command, not 'strict'"
            ),
        ),
        ("{shell: x, retry: {}}", "24: 'retry' of cue 'a' has no 'max_attempts'"),
        ("{shell: x, retry: 3}", "24: 'retry' of cue 'a' must be a mapping, not 3"),
        (
            "{shell: x, retry: {max_attempts: 0}}",
            "39: 'max_attempts' in 'retry' of cue 'a' must be from 1 to 100, not 0",
        ),
        (
            "{shell: x, retry: {max_attempts: 2, backoff: []}}",
            "51: 'backoff' in 'retry' of cue 'a' is an empty list",
        ),
        (
            "{shell: x, retry: {max_attempts: 2, backoff: [1]}}",
            "52: 'backoff' in 'retry' of cue 'a': '1' has no unit",
        ),
        (
            "{shell: x, retry: {max_attempts: 2, backoff_minutes: [-1]}}",
            "60: 'backoff_minutes' in 'retry' of cue 'a': '-1' is not a span of time",
        ),
        (
            "{shell: x, retry: {max_attempts: 2, backoff_minutes: [1], backoff: [1m]}}",
            "64: 'retry' of cue 'a' has 'backoff' and 'backoff_minutes'",
        ),
        (
            "{shell: x, retry: {max_attempts: 2, on: [fail]}}",
            "47: 'on' in 'retry' of cue 'a' knows no 'fail'",
        ),
        (
            "{shell: x, retry: {max_attempts: 2, on: fail}}",
            "46: 'on' in 'retry' of cue 'a' knows no 'fail'",
        ),
    ],
)
def test_what_is_wrong_in_a_cue_is_said_at_its_place(text: str, message: str) -> None:
    found = errors(f"cues:\n  a: {text}\n")

    assert found == [f"2:{message}"]


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("schedule", "write 'cron', 'at' or 'every'"),
        ("shedule", "write 'cron', 'at' or 'every'"),
        ("event", "work started by an event goes under 'subscriptions'"),
        ("retries", "write: retry: {max_attempts: 3, backoff: [1m, 5m]}"),
        ("verify", "did you mean 'verification'?"),
        ("argv", "did you mean 'command'?"),
        ("timezon", "did you mean 'timezone'?"),
    ],
)
def test_an_unknown_key_in_a_cue_comes_with_a_way_out(key: str, hint: str) -> None:
    text = f"cues:\n  backup:\n    shell: x\n    {key}: y\n"

    assert errors(text) == [f"4:5: unknown key '{key}' in cue 'backup'"]
    assert (hint_of(text) or "").startswith(hint)
