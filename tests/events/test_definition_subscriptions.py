from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cuectl.events.rules.match import cue_of_subscription, targets_of
from cuectl.executions.rules.record import Overlap, Policy
from tests.definitions import definition_texts
from tests.definitions.definition_texts import errors, findings, hint_of, load

if TYPE_CHECKING:
    from pathlib import Path

    from cuectl.definitions.rules.definitions import SubscriptionDefinition

AGENTS = "agents: {builder: {driver: claude}, linter: {cmd: [./lint]}, tester: {driver: codex}}\n"


def subscription(text: str, before: str = AGENTS) -> SubscriptionDefinition:
    return load(f"{before}subscriptions:\n- {{name: s, {text}}}\n").subscriptions["s"]


def errors_in(text: str) -> list[str]:
    """Return the errors in a subscription, columns counted from its `{`."""
    found = []
    for error in errors(f"{AGENTS}subscriptions:\n- {text}\n"):
        line, column, message = error.split(":", 2)
        assert line == "3"
        found.append(f"{int(column) - 2}:{message}")
    return found


PROMPT = "agent: builder, prompt: Go."
DONE = "event: agent.completed"
DAYS = "event: time.scheduled, schedule_times: [9:00]"

# The display keys and companions that the desktop program writes, in one file.
PEER_FILE = """\
# Pipeline: Shop (color: #06b6d4)
subscriptions:
  - name: Shop
    event: time.scheduled
    schedule_times: [9:05, '17:30']
    schedule_days: [mon, fri]
    pipeline_name: Shop
    pipeline_color: '#06b6d4'
    action: command
    command: {mode: shell, shell: npm run build}
    agent_id: 5f1c-0001
    target_node_key: 8b1d
  - name: Shop-chain-1
    label: Summary
    event: agent.completed
    source_session: Builder One
    source_session_ids: [5f1c-0001]
    source_sub: Shop
    prompt: 'Summarise: {{CUE_SOURCE_OUTPUT}}'
    output_prompt_file: .maestro/prompts/after.md
    agent_id: 5f1c-0001
    include_output_from: []
  - name: Shop-chain-2
    event: app.startup
    enabled: false
    agent_id: 5f1c-0001
    fan_out: [Builder One, Reviewer]
    fan_out_ids: [5f1c-0001, 5f1c-0002]
    fan_out_node_keys: [a, b]
    fan_out_prompt_files: [.maestro/prompts/one.md, .maestro/prompts/two.md]
settings:
  timeout_minutes: 45
  timeout_on_fail: continue
  max_concurrent: 2
  queue_size: 15
  owner_agent_id: Builder One
"""
PEER_AGENTS = """\
agents:
  Builder One: {driver: claude, id: 5f1c-0001}
  Reviewer: {driver: codex, id: 5f1c-0002}
"""


def test_a_file_of_the_peer_loads_once_its_agents_are_defined_elsewhere() -> None:
    elsewhere = load(PEER_AGENTS)
    found = load(PEER_FILE, elsewhere=elsewhere).subscriptions

    assert found["Shop"].target == {
        "type": "command",
        "shell": "npm run build",
        "cwd": "/srv/shop",
        "agent": "Builder One",
        "agent_id": "5f1c-0001",
    }
    assert found["Shop"].values == {
        "pipeline_name": "Shop",
        "queue_size": 15,
        "schedule_times": ["09:05", "17:30"],
        "schedule_days": ["mon", "fri"],
    }
    one = {"type": "agent", "agents": ["Builder One"], "ids": ["5f1c-0001"]}
    assert found["Shop-chain-1"].target == one
    assert found["Shop-chain-1"].values == {
        "source_session": "Builder One",
        "source_session_ids": ["5f1c-0001"],
        "source_sub": "Shop",
        "include_output_from": [],
        "label": "Summary",
        "prompt": "Summarise: {{CUE_SOURCE_OUTPUT}}",
        "output_prompt_file": ".maestro/prompts/after.md",
    }
    last = found["Shop-chain-2"]
    assert not last.enabled
    assert last.target == {
        "type": "agent",
        "agents": ["Builder One", "Reviewer"],
        "owner": "Builder One",
        "ids": ["5f1c-0001", "5f1c-0002"],
    }
    assert last.values["fan_out_prompt_files"] == [
        ".maestro/prompts/one.md",
        ".maestro/prompts/two.md",
    ]


def test_what_a_file_of_the_peer_says_for_its_screen_is_named() -> None:
    keys = ("pipeline_color", "target_node_key", "fan_out_node_keys")
    notes = findings(PEER_FILE, elsewhere=load(PEER_AGENTS))

    assert [note.split("'")[1] for note in notes] == list(keys)
    assert notes[0] == (
        "cue.yaml:8:5: note: 'pipeline_color' in subscription 'Shop' belongs to another system: "
        "ignored"
    )


def test_the_target_is_the_agent_that_is_named() -> None:
    assert subscription(f"event: app.startup, {PROMPT}").target == {
        "type": "agent",
        "agents": ["builder"],
    }
    assert subscription("event: app.startup, prompt: x, agent_id: linter").target == {
        "type": "agent",
        "agents": ["linter"],
        "ids": ["linter"],
    }


def test_an_id_wins_over_the_name_beside_it() -> None:
    agents = load("agents: {new name: {cmd: x, id: id-1}, other: {cmd: x, id: id-2}}")
    text = (
        "subscriptions:\n  - {name: a, event: app.startup, prompt: x,"
        " fan_out: [old name, other, who], fan_out_ids: [id-1, '', id-9]}\n"
    )
    target = load(text, elsewhere=agents).subscriptions["a"].target
    assert target["agents"] == ["new name", "other", "who"]
    cue = cue_of_subscription(load(text, elsewhere=agents).subscriptions["a"], "/srv")
    assert [(one["agent"], one.get("agent_id")) for one in targets_of(cue.target)] == [
        ("new name", "id-1"),
        ("other", None),
        ("who", "id-9"),
    ]


def test_subscriptions_may_be_a_mapping_from_names() -> None:
    listed = load("subscriptions:\n  - {name: a b, event: x.y, shell: ls}\n")
    assert load("subscriptions:\n  a b: {event: x.y, shell: ls}\n") == listed
    assert load("subscriptions:\n  a b: {name: a b, event: x.y, shell: ls}\n") == listed


def test_what_a_file_says_itself_means_the_same_beside_other_files() -> None:
    text = (
        "settings: {handler_timeout: 5m, queue_size: 3, timeout_minutes: 7}\n"
        "agents: {mine: {cmd: x}}\ncues: {c: {cron: '0 1 * * *', shell: ls}}\n"
        "subscriptions:\n  - {name: a, event: x.y, prompt: x}\n"
        "  - {name: b, event: x.y, shell: ls}\n"
        "  - {name: d, event: x.y, shell: ls, timeout: 1m}\n"
    )
    others = "settings: {owner_agent_id: theirs}\nagents: {theirs: {cmd: x}, more: {cmd: x}}\n"
    found = load(text, elsewhere=load(others))
    assert found == load(text)
    assert found.subscriptions["a"].target["agents"] == ["mine"]
    assert found.subscriptions["b"].policy.timeout_s == found.cues["c"].policy.timeout_s == 300
    assert found.subscriptions["d"].policy.timeout_s == 60
    assert found.subscriptions["b"].values["queue_size"] == 3
    assert "queue_size" not in found.subscriptions["a"].values
    assert (found.agents["mine"].queue_size, found.agents["mine"].timeout_s) == (3, 420)


def test_else_those_of_the_fan_out() -> None:
    text = "event: app.startup, prompt: x, fan_out: [linter, builder, linter]"

    assert subscription(text).target["agents"] == ["linter", "builder", "linter"]
    assert subscription("event: app.startup, prompt: x, fan_out: linter").target["agents"] == [
        "linter"
    ]


def test_else_the_owner() -> None:
    before = f"settings: {{owner_agent_id: tester}}\n{AGENTS}"

    assert subscription("event: app.startup, prompt: x", before).target["agents"] == ["tester"]
    assert subscription("event: app.startup, prompt: x, fan_out: []", before).target["agents"] == [
        "tester"
    ]


def test_else_the_only_agent() -> None:
    before = "agents: {one: {driver: claude, id: 1a}}\n"

    assert subscription("event: app.startup, prompt: x", before).target["agents"] == ["one"]


def test_else_the_file_is_invalid_and_says_why() -> None:
    assert errors_in("{name: s, event: app.startup, prompt: x}") == [
        "1: subscription 's' names no agent, and 3 agents are defined"
    ]
    text = "subscriptions:\n- {name: s, event: app.startup, prompt: x}\n"
    assert errors(text) == ["2:3: subscription 's' names no agent, and none is defined"]
    assert hint_of(text) == "give 'agent', or 'owner_agent_id' under 'settings'"


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("task: audit", {"type": "task", "task": "audit"}),
        ("payload: {task: audit}, task: audit", {"type": "task", "task": "audit"}),
        ("command: [make, -s]", {"type": "command", "argv": ["make", "-s"], "cwd": "/srv/shop"}),
        (
            "shell: make, cwd: /x, env: {A: 1}",
            {"type": "command", "shell": "make", "cwd": "/x", "env": {"A": "1"}},
        ),
        (
            "workflow: w, kwargs: {title: '{{CUE_GH_TITLE}}'}",
            {
                "type": "workflow",
                "workflow": "w",
                "kwargs": {"title": "{{CUE_GH_TITLE}}"},
                "cwd": "/srv/shop",
            },
        ),
        (
            "action: notify, notify: {message: Hi, level: info, sticky: true}",
            {"type": "notify", "message": "Hi", "level": "info", "sticky": True},
        ),
        ("action: notify", {"type": "notify"}),
        ("command: {mode: shell, shell: x}", {"type": "command", "shell": "x", "cwd": "/srv/shop"}),
        (
            "action: command, command: {mode: cli, cli: {command: send, target: builder}}",
            {"type": "send", "target": "builder"},
        ),
        (
            "command: {cli: {command: send, target: '{{CUE_FROM_AGENT}}', message: Done}}",
            {"type": "send", "target": "{{CUE_FROM_AGENT}}", "message": "Done"},
        ),
    ],
)
def test_a_subscription_may_start_other_things_than_agents(
    text: str, target: dict[str, object]
) -> None:
    assert subscription(f"event: cli.trigger, {text}").target == target


def test_an_action_runs_for_the_agent_that_it_names() -> None:
    text = "event: cli.trigger, action: notify, agent: linter"

    assert subscription(text).target == {"type": "notify", "agent": "linter"}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("event: time.heartbeat, interval_minutes: 0.5", {"interval_minutes": 0.5}),
        ("event: time.scheduled, schedule_times: [7:00]", {"schedule_times": ["07:00"]}),
        (
            "event: time.scheduled, schedule_times: ['07:00'], timezone: UTC, schedule_days: []",
            {"schedule_times": ["07:00"], "timezone": "UTC", "schedule_days": []},
        ),
        (
            "event: time.once, fire_at: 2030-01-31T09:00+01:00, grace_minutes: 0",
            {"fire_at": "2030-01-31T09:00+01:00", "grace_minutes": 0},
        ),
        (
            (
                "event: time.once, fire_at: 2030-01-31T09:00:00.123+0100, "
                "self_destruct_on_failure: false"
            ),
            {"fire_at": "2030-01-31T09:00:00.123+0100", "self_destruct_on_failure": False},
        ),
        (
            "event: file.changed, watch: 'src/**/*.ts', filter: {changeType: '!unlink', n: 3}",
            {"watch": "src/**/*.ts", "filter": {"changeType": "!unlink", "n": 3}},
        ),
        (
            "event: task.pending, watch: TODO.md, poll_minutes: 5",
            {"watch": "TODO.md", "poll_minutes": 5},
        ),
        (
            (
                "event: agent.completed, source_session: [a, b], source_sub: [x, y], "
                "fan_in_timeout_minutes: 5, fan_in_timeout_on_fail: continue"
            ),
            {
                "source_session": ["a", "b"],
                "source_sub": ["x", "y"],
                "fan_in_timeout_minutes": 5,
                "fan_in_timeout_on_fail": "continue",
            },
        ),
        (
            (
                "event: github.pull_request, repo: acme/shop, gh_state: merged, "
                "retrigger_on_comments: true, max_notifications: 0, filter: {draft: false}"
            ),
            {
                "repo": "acme/shop",
                "gh_state": "merged",
                "retrigger_on_comments": True,
                "max_notifications": 0,
                "filter": {"draft": False},
            },
        ),
        ("event: github.issue", {}),
        ("event: deploy.done, filter: {env: prod}", {"filter": {"env": "prod"}}),
    ],
)
def test_each_event_has_its_keys(text: str, values: dict[str, object]) -> None:
    found = subscription(f"{text}, {PROMPT}").values

    assert found == values | {"prompt": "Go."}


def test_a_prompt_may_be_empty_or_in_a_file() -> None:
    assert subscription("event: app.startup, agent: builder, prompt: ''").values == {"prompt": ""}
    assert subscription(
        "event: app.startup, agent: builder, prompt_file: p/x.md, output_prompt: Sum up."
    ).values == {"prompt_file": "p/x.md", "output_prompt": "Sum up."}


def test_event_cues_queue_unless_they_say_otherwise() -> None:
    assert subscription(f"event: app.startup, {PROMPT}").policy == Policy(overlap=Overlap.QUEUE)
    assert subscription(f"event: app.startup, {PROMPT}, overlap: skip, timeout: 5m").policy == (
        Policy(overlap=Overlap.SKIP, timeout_s=300)
    )


def test_the_settings_of_the_file_serve_its_subscriptions() -> None:
    before = "settings: {timezone: Asia/Tokyo, timeout_minutes: 7, timeout_on_fail: continue}\n"
    before += AGENTS
    scheduled = subscription(f"event: time.scheduled, schedule_times: ['7:00'], {PROMPT}", before)
    joined = subscription(f"event: agent.completed, source_session: [a, b], {PROMPT}", before)

    assert scheduled.values["timezone"] == "Asia/Tokyo"
    assert joined.values["fan_in_timeout_minutes"] == 7
    assert joined.values["fan_in_timeout_on_fail"] == "continue"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{{event: app.startup, {PROMPT}}}", "1: subscription has no 'name'"),
        (f"{{name: '', event: app.startup, {PROMPT}}}", "8: subscription has an empty name"),
        (
            f"{{name: [x], event: app.startup, {PROMPT}}}",
            "8: 'name' of a subscription must be text, not a list",
        ),
        (
            f'{{name: "a\\nb", event: app.startup, {PROMPT}}}',
            "8: subscription name 'a\\nb' contains a line break",
        ),
        (f"{{name: s, {PROMPT}}}", "1: subscription 's' has no 'event'"),
        (
            f"{{name: s, event: file.chnaged, {PROMPT}}}",
            "18: 'event' @ names no event: 'file.chnaged'",
        ),
        (f"{{name: s, event: time.cron, {PROMPT}}}", "18: 'event' @ names no event: 'time.cron'"),
        (
            f"{{name: s, event: 'a b', {PROMPT}}}",
            "18: 'event' @ must be a type such as deploy.done, not 'a b'",
        ),
        (
            f"{{name: s, event: a..b, {PROMPT}}}",
            "18: 'event' @ must be a type such as deploy.done, not 'a..b'",
        ),
        (
            f"{{name: s, event: time.heartbeat, {PROMPT}}}",
            "1: subscription 's' has no 'interval_minutes', which 'time.heartbeat' needs",
        ),
        (
            f"{{name: s, event: time.heartbeat, interval_minutes: 0, {PROMPT}}}",
            "52: 'interval_minutes' @ must be above 0 and at most 10080, not 0",
        ),
        (
            f"{{name: s, event: time.heartbeat, interval_minutes: 10081, {PROMPT}}}",
            "52: 'interval_minutes' @ must be above 0 and at most 10080, not 10081",
        ),
        (
            f"{{name: s, event: time.heartbeat, interval_minutes: 5m, {PROMPT}}}",
            "52: 'interval_minutes' @ must be a number, not '5m'",
        ),
        (
            f"{{name: s, event: time.scheduled, {PROMPT}}}",
            "1: subscription 's' has no 'schedule_times', which 'time.scheduled' needs",
        ),
        (
            f"{{name: s, event: time.scheduled, schedule_times: [], {PROMPT}}}",
            "50: 'schedule_times' @ is an empty list",
        ),
        (
            f"{{name: s, {DAYS}, schedule_days: [Mon], {PROMPT}}}",
            "74: 'schedule_days' @ holds days such as mon, not 'Mon'",
        ),
        (
            f"{{name: s, event: time.once, {PROMPT}}}",
            "1: subscription 's' has no 'fire_at', which 'time.once' needs",
        ),
        (
            f"{{name: s, event: file.changed, {PROMPT}}}",
            "1: subscription 's' has no 'watch', which 'file.changed' needs",
        ),
        (
            f"{{name: s, event: file.changed, watch: /etc/*, {PROMPT}}}",
            "39: 'watch' @ must be a relative path, not '/etc/*'",
        ),
        (
            f"{{name: s, event: file.changed, watch: 'C:\\x', {PROMPT}}}",
            "39: 'watch' @ must be a relative path, not 'C:\\x'",
        ),
        (
            f"{{name: s, event: file.changed, watch: a/../../b, {PROMPT}}}",
            "39: 'watch' @ must not lead out of its directory with '..'",
        ),
        (
            f"{{name: s, event: task.pending, watch: x, poll_minutes: 0.5, {PROMPT}}}",
            "56: 'poll_minutes' @ must be from 1 to 10080, not 0.5",
        ),
        (
            f"{{name: s, {DONE}, {PROMPT}}}",
            "1: subscription 's' has no 'source_session', which 'agent.completed' needs",
        ),
        (
            f"{{name: s, {DONE}, source_session: [], {PROMPT}}}",
            "51: 'source_session' @ is an empty list",
        ),
        (
            f"{{name: s, {DONE}, source_session: [builder], source_sub: x, {PROMPT}}}",
            "74: 'source_sub' @ must be a list, because 'source_session' is one",
        ),
        (
            f"{{name: s, {DONE}, source_session: [builder], source_sub: [x, y], {PROMPT}}}",
            "74: 'source_sub' @ must have 1 item, one for each in 'source_session'",
        ),
        (
            f"{{name: s, {DONE}, source_session: builder, fan_in_timeout_on_fail: stop, {PROMPT}}}",
            "84: 'fan_in_timeout_on_fail' @ must be break or continue, not 'stop'",
        ),
        (
            f"{{name: s, event: github.issue, repo: shop, {PROMPT}}}",
            "38: 'repo' @ must be owner/name, not 'shop'",
        ),
        (
            f"{{name: s, event: github.issue, gh_state: merged, {PROMPT}}}",
            "42: 'gh_state' @ must be open, closed or all for issues",
        ),
        (
            f"{{name: s, event: github.issue, gh_state: opn, {PROMPT}}}",
            "42: 'gh_state' @ must be open, closed, merged or all, not 'opn'",
        ),
        (
            f"{{name: s, event: github.issue, retrigger_on_comments: yes, {PROMPT}}}",
            "55: 'retrigger_on_comments' @ must be true or false, not 'yes'",
        ),
        (
            f"{{name: s, event: app.startup, enabled: no, {PROMPT}}}",
            "40: 'enabled' @ must be true or false, not 'no'",
        ),
        (
            f"{{name: s, event: app.startup, filter: [x], {PROMPT}}}",
            "39: 'filter' @ must be a mapping, not a list",
        ),
        (
            f"{{name: s, event: app.startup, filter: {{a: [x]}}, {PROMPT}}}",
            "43: 'a' in 'filter' % must be a text, a number, true or false, not a list",
        ),
        (f"{{name: s, event: app.startup, cron: x, {PROMPT}}}", "31: unknown key 'cron' @"),
        ("{name: s, event: app.startup, agent: builder}", "1: subscription 's' has no 'prompt'"),
        (
            "{name: s, event: app.startup, agent: builder, prompt: 5}",
            "55: 'prompt' @ must be text, not 5",
        ),
        (
            "{name: s, event: app.startup, agent: builder, prompt_file: ../x.md}",
            "60: 'prompt_file' @ must not lead out of its directory with '..'",
        ),
        (
            "{name: s, event: app.startup, agent: builder, agent_id: linter, prompt: x}",
            "47: subscription 's' has 'agent' and 'agent_id'; give one",
        ),
        (
            "{name: s, event: app.startup, fan_out: [linter], fan_out_prompts: [a, b], prompt: x}",
            "67: 'fan_out_prompts' @ has more items than 'fan_out', which has 1 item",
        ),
        (
            "{name: s, event: app.startup, agent: linter, fan_out_prompts: [a]}",
            "63: 'fan_out_prompts' @ needs 'fan_out'",
        ),
        (
            "{name: s, event: app.startup, shell: x, workflow: y}",
            "41: subscription 's' has 'shell' and 'workflow'; give one",
        ),
        (
            "{name: s, event: app.startup, shell: x, agent: linter}",
            "41: 'agent' @ means nothing beside 'shell'",
        ),
        (
            "{name: s, event: app.startup, shell: x, prompt: y}",
            "41: 'prompt' @ means nothing beside 'shell'",
        ),
        (
            "{name: s, event: app.startup, prompt: y, agent: linter, env: {A: 1}}",
            "57: 'env' @ means nothing beside 'agent'",
        ),
        (
            "{name: s, event: app.startup, action: command}",
            "1: subscription 's' has the action 'command', which needs a mapping 'command'",
        ),
        (
            "{name: s, event: app.startup, action: comand, agent: builder, prompt: x}",
            "39: 'action' @ must be prompt, command or notify, not 'comand'",
        ),
        (
            "{name: s, event: app.startup, command: {mode: shell}}",
            "40: 'command' % needs its 'mode' and what belongs to it",
        ),
        (
            "{name: s, event: app.startup, command: {mode: cli, shell: x}}",
            "40: 'command' % needs its 'mode' and what belongs to it",
        ),
        (
            "{name: s, event: app.startup, command: {mode: bash, shell: x}}",
            "47: 'mode' in 'command' % must be shell or cli, not 'bash'",
        ),
        (
            "{name: s, event: app.startup, command: {cli: {command: send}}}",
            "46: 'cli' in 'command' % has no 'target'",
        ),
        (
            "{name: s, event: app.startup, command: {cli: x}}",
            "46: 'cli' in 'command' % must be a mapping, not 'x'",
        ),
        (
            "{name: s, event: app.startup, command: {mode: shell, shell: x}, fan_out: [linter]}",
            "65: 'fan_out' @ cannot be combined with the action 'command'",
        ),
        (
            "{name: s, event: app.startup, action: notify, fan_out: [linter]}",
            "47: 'fan_out' @ cannot be combined with the action 'notify'",
        ),
        (
            "{name: s, event: app.startup, action: notify, notify: {level: loud}}",
            "63: 'level' in 'notify' % must be info, success, warning or error, not 'loud'",
        ),
        (
            "{name: s, event: app.startup, action: notify, notify: {msg: x}}",
            "56: unknown key 'msg' in 'notify' %",
        ),
        (
            f"{{name: s, {DONE}, source_session: builder, command: {{mode: shell, shell: x}}}}",
            "11: subscription 's' has no 'source_sub', which a command on 'agent.completed' needs",
        ),
    ],
)
def test_what_is_wrong_in_a_subscription_is_said_at_its_place(text: str, message: str) -> None:
    message = message.replace("@", "in subscription 's'").replace("%", "of subscription 's'")

    assert errors_in(text) == [message]


@pytest.mark.parametrize(
    "instant",
    [
        "2030-01-31T09:00:00",
        "2030-01-31 09:00:00Z",
        "2030-01-31T09:00:00 Z",
        "2030-02-30T09:00:00Z",
        "2030-01-31T24:00:00Z",
        "2030-01-31T09:00:00+25:00",
        "tomorrow",
        "2030-01-31",
    ],
)
def test_a_one_shot_needs_an_instant_with_an_offset(instant: str) -> None:
    text = f"{{name: s, event: time.once, fire_at: '{instant}', {PROMPT}}}"

    assert errors_in(text) == [
        f"38: 'fire_at' in subscription 's' must be an instant with an offset, not '{instant}'"
    ]


@pytest.mark.parametrize("time", ["9:5", "24:00", "09:60", "9", "9:00:00", "-9:00", "9am"])
def test_a_time_of_day_is_hours_and_two_digits_of_minutes(time: str) -> None:
    text = f"{{name: s, event: time.scheduled, schedule_times: ['{time}'], {PROMPT}}}"

    assert errors_in(text) == [
        f"51: 'schedule_times' in subscription 's' holds times such as 09:00, not '{time}'"
    ]


def test_a_key_of_another_event_is_named() -> None:
    text = f"subscriptions:\n- {{name: s, event: app.startup, watch: x, {PROMPT}}}\n{AGENTS}"

    assert findings(text) == [
        (
            "cue.yaml:2:33: warning: 'watch' in subscription 's' means nothing to the event "
            "'app.startup'"
        )
    ]


def test_an_emitted_event_that_looks_like_a_slip_is_named() -> None:
    text = f"subscriptions:\n- {{name: s, event: files.changed, {PROMPT}}}\n{AGENTS}"

    assert findings(text) == [
        (
            "cue.yaml:2:20: warning: 'files.changed' is not an event of cuectl; it comes only when "
            "it is emitted"
        )
    ]
    assert hint_of(text) == "did you mean 'file.changed'?"


def test_names_are_unique_among_subscriptions_and_cues() -> None:
    text = f"""\
{AGENTS}cues: {{a: {{shell: x}}}}
subscriptions:
- {{name: a, event: app.startup, {PROMPT}}}
- {{name: b, event: app.startup, {PROMPT}}}
- {{name: b, event: app.startup, {PROMPT}}}
"""
    assert errors(text) == [
        "4:10: subscription 'a' has the name of a cue",
        "6:10: two subscriptions have the name 'b'",
    ]


def test_several_nameless_subscriptions_are_each_reported() -> None:
    text = f"{AGENTS}subscriptions:\n" + f"- {{event: app.startup, {PROMPT}}}\n" * 2

    assert errors(text) == ["3:3: subscription has no 'name'", "4:3: subscription has no 'name'"]


def warnings_in(text: str) -> list[str]:
    """Return the warnings and errors about a subscription, without their places."""
    return [one.split(": ", 1)[1] for one in findings(f"{AGENTS}subscriptions:\n- {text}\n")]


@pytest.mark.parametrize(
    ("event", "condition", "why"),
    [
        ("file.changed, watch: x", "extension: ts", "no value looks so"),
        ("file.changed, watch: x", "extension: 'ts*'", "no value looks so"),
        ("file.changed, watch: x", "extension: .ts", None),
        ("file.changed, watch: x", "extension: '{.ts,.js}'", None),
        ("file.changed, watch: x", "extension: '!ts'", None),
        ("file.changed, watch: x", "filename: src/*.ts", "no value looks so"),
        ("file.changed, watch: x", "filename: '**/a.ts'", None),
        ("file.changed, watch: x", "path: src/", "no value looks so"),
        ("file.changed, watch: x", "path: '../x/*'", "no value looks so"),
        ("file.changed, watch: x", "path: ~/src/**", "no value looks so"),
        ("file.changed, watch: x", "path: 'src/**'", None),
        ("file.changed, watch: x", "path: 5", "it is a text"),
        ("file.changed, watch: x", "changeType: modified", "it is one of: add change unlink"),
        ("file.changed, watch: x", "changeType: '!*'", "it is one of: add change unlink"),
        ("file.changed, watch: x", "changeType: '{add,change}'", None),
        (
            "agent.completed, source_session: linter",
            "status: success",
            "it is one of: completed ...",
        ),
        ("agent.completed, source_session: linter", "exitCode: zero", "no number is so"),
        ("agent.completed, source_session: linter", "exitCode: '!0'", None),
        ("agent.completed, source_session: linter", "exitCode: true", "no number is so"),
        (
            "agent.completed, source_session: linter",
            "durationMs: '>5m'",
            "it compares with no number",
        ),
        ("agent.completed, source_session: linter", "durationMs: '<0'", "no number is so"),
        ("agent.completed, source_session: [linter, tester]", "sources.a.status: completed", None),
        ("task.pending, watch: x", "taskCount: '=>3'", "it compares with no number"),
        ("task.pending, watch: x", "taskCount: '<1'", "no number is so"),
        ("task.pending, watch: x", "taskCount: '!=3'", None),
        ("task.pending, watch: x", "tasks.0.text: '*urgent*'", None),
        ("github.issue", "labels: 5", "it is a text"),
        ("github.issue", "labels.0: bug", "'labels' holds no fields of its own"),
        ("github.issue", "labels: '!wontfix'", None),
        ("github.issue", "state: OPEN", "it is one of: open closed merged"),
        ("github.issue", "repo: 'acme/*'", None),
        ("github.issue", "repo: shop", "no value looks so"),
        ("github.issue", "number: '#12'", "no number is so"),
        ("github.pull_request", "draft: maybe", "it is one of: true false"),
        ("github.pull_request", "draft: 'false'", None),
        ("time.heartbeat, interval_minutes: 1", "interval_minutes: 0.5", None),
        ("time.heartbeat, interval_minutes: 1", "reconciled: false", "it is one of: true"),
        ("time.scheduled, schedule_times: ['9:00']", "matched_time: '9:00'", "no value looks so"),
        (
            "time.scheduled, schedule_times: ['9:00']",
            "matched_day: Monday",
            "it is one of: mon ...",
        ),
        ("deploy.done", "size: '>big'", "it compares with no number"),
        ("deploy.done", "size: '>5'", None),
        ("deploy.done", "anything: else", None),
    ],
)
def test_a_condition_that_no_event_can_meet_is_told(
    event: str, condition: str, why: str | None
) -> None:
    found = warnings_in(f"{{name: s, event: {event}, filter: {{{condition}}}, {PROMPT}}}")
    key = condition.partition(": ")[0]
    told = (
        [f"warning: '{key}' in 'filter' of subscription 's' can never match: {why}"] if why else []
    )
    if why and why.endswith("..."):
        assert [one.startswith(told[0][:-3]) for one in found] == [True]
    else:
        assert found == told


def test_a_pattern_of_names_at_the_top_is_told_from_one_of_all_names() -> None:
    text = "{name: s, event: file.changed, watch: x, filter: {path: '!*.test.ts'}, %s}"
    told = "note: 'path' in 'filter' of subscription 's' is asked of names at the top only"
    assert warnings_in(text % PROMPT) == [told]
    assert (
        hint_of(f"{AGENTS}subscriptions:\n- {text % PROMPT}\n") == "for all below it: !**/*.test.ts"
    )
    assert warnings_in((text % PROMPT).replace("!*", "!**/*")) == []


def test_words_in_braces_are_slips_or_stay_as_they_are() -> None:
    prompt = "{{CUE_FIEL_PATH}} {{GH_TITLE}} {{CUE-FILE-PATH}} {{CUE_FILE_PATH | upper}}"
    found = warnings_in(f"{{name: s, event: app.startup, agent: linter, prompt: '{prompt}'}}")
    assert [one.startswith("error: ") for one in found] == [True] * 4
    prompt = "{{title}} {{ whatever }} {{#each x}} {{CUE_NOTHING_LIKE_IT}} {{payload.a}} {{DATE}}"
    found = warnings_in(f"{{name: s, event: app.startup, agent: linter, prompt: '{prompt}'}}")
    words = ("title", "whatever", "#each x", "CUE_NOTHING_LIKE_IT")
    assert found == [
        f"warning: '{{{{{word}}}}}' in 'prompt' of subscription 's' is not a variable, "
        "and stays as it is written"
        for word in words
    ]
    shell = (
        "{name: s, event: app.startup, shell: 'docker ps --format {{.Names}} {{CUE_FIEL_PATH}}'}"
    )
    assert [one.split("'")[1] for one in warnings_in(shell)] == ["{{CUE_FIEL_PATH}}"]


def test_prompts_are_checked_wherever_they_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(definition_texts, "PATH", str(tmp_path / "cue.yaml"))
    (tmp_path / "p").mkdir()
    (tmp_path / "p/go.md").write_text("Look at {{CUE_FIEL_PATH}}.")
    slip = "'{{CUE_FIEL_PATH}}' in '%s' of subscription 's' is not a variable"
    for key in ("prompt_file", "output_prompt_file"):
        text = f"{{name: s, event: app.startup, {PROMPT}, {key}: p/go.md}}"
        assert warnings_in(text) == [f"error: {slip % key}"]
    text = "{name: s, event: app.startup, fan_out: [linter], fan_out_prompt_files: [p/go.md]}"
    assert warnings_in(text) == [f"error: {slip % 'fan_out_prompt_files'}"]
    cue = "cues: {c: {cron: '0 0 * * *', agent: linter, prompt: '{{CUE_FIEL_PATH}} {{else}}'}}"
    assert [one.split("'")[1] for one in errors(f"{AGENTS}{cue}")] == ["{{CUE_FIEL_PATH}}"]
    assert len(findings(f"{AGENTS}{cue}")) == 2


def test_a_prompt_that_is_the_path_of_a_file_gets_a_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(definition_texts, "PATH", str(tmp_path / "cue.yaml"))
    (tmp_path / "go.md").write_text("Go.")
    told = "warning: '%s' of %s is the path of a file, not its text"
    for key, text in (
        ("prompt", "agent: linter, prompt: go.md"),
        ("output_prompt", f"{PROMPT}, output_prompt: ./go.md"),
        ("fan_out_prompts", "fan_out: [linter], fan_out_prompts: ['@go.md']"),
    ):
        found = findings(f"{AGENTS}subscriptions:\n- {{name: s, event: app.startup, {text}}}\n")
        assert [one.split(": ", 1)[1] for one in found] == [told % (key, "subscription 's'")]
    cue = f"{AGENTS}cues: {{c: {{cron: '0 0 * * *', agent: linter, prompt: go.md}}}}"
    assert [one.split(": ", 1)[1] for one in findings(cue)] == [told % ("prompt", "cue 'c'")]
    assert warnings_in("{name: s, event: app.startup, agent: linter, prompt: other.md}") == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("agent: linter", "error: subscription 's' has no 'prompt'"),
        ("agent: linter, notify: {message: x}", "error: subscription 's' has no 'prompt'"),
        (
            "agent: linter, prompt: ' '",
            "warning: subscription 's' has an empty prompt for 'linter', which is not started",
        ),
        (
            "fan_out: [builder, linter], fan_out_prompts: [one, '']",
            "warning: subscription 's' has an empty prompt for 'linter', which is not started",
        ),
        (
            "fan_out: [builder, linter], fan_out_prompts: [one]",
            "warning: subscription 's' has an empty prompt for 'linter', which is not started",
        ),
        ("fan_out: [builder, linter], fan_out_prompts: [one, ''], prompt: two", None),
        (
            "action: notify",
            "warning: subscription 's' notifies without a message: it will say only its name",
        ),
        (
            "action: notify, notify: {sticky: true}",
            "warning: subscription 's' notifies without a message: it will say only its name",
        ),
        ("action: notify, label: Done", None),
        ("action: notify, prompt: Done", None),
        ("action: notify, notify: {message: Done}", None),
        (
            "action: command",
            "error: subscription 's' has the action 'command', which needs a mapping 'command'",
        ),
    ],
)
def test_what_would_start_or_say_nothing_is_told(text: str, told: str | None) -> None:
    assert warnings_in(f"{{name: s, event: app.startup, {text}}}") == ([told] if told else [])


def test_a_notification_says_its_message_else_its_label_else_its_prompt() -> None:
    for text, message in (
        ("notify: {message: a}, label: b, prompt: c", "a"),
        ("notify: {sticky: true}, label: b, prompt: c", "b"),
        ("prompt: c", "c"),
    ):
        made = subscription(f"event: app.startup, action: notify, {text}")
        assert made.target["message"] == message


def test_the_newest_fields_of_the_peer_are_understood() -> None:
    labels = subscription(f"event: github.issue, gh_labels: [ready], {PROMPT}")
    assert labels.values["filter"] == {"labels": "ready"}
    several = f"event: github.issue, gh_labels: [a, b c], filter: {{state: open}}, {PROMPT}"
    assert subscription(several).values["filter"] == {"labels": "{a,b c}", "state": "open"}
    own = f"event: github.issue, gh_labels: [a], filter: {{labels: b}}, {PROMPT}"
    assert subscription(own).values["filter"] == {"labels": "b"}
    ignored = "gh_label_target: issue, ticket_status: open, ticket_project: [A], webhook: {path: x}"
    found = warnings_in(f"{{name: s, event: cli.trigger, {ignored}, {PROMPT}}}")
    assert [one.split(":")[0] for one in found] == ["note"] * 4
    newer = warnings_in(f"{{name: s, event: github.label, {PROMPT}}}")
    source = "cuectl has no source for 'github.label': it comes only when it is emitted"
    assert newer == [f"warning: {source}"]
    listed = subscription(f"{DONE}, source_session: builder, source_sub: [a, b], {PROMPT}")
    assert listed.values["source_sub"] == ["a", "b"]
