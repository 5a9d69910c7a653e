from __future__ import annotations

from cuectl.definitions.rules.definitions import Definitions
from tests.definitions.definition_texts import errors, findings, load

TEXT = """\
handlers: {audit: python3 audit.py}
agents: {builder: {driver: claude, id: 5f1c}}
alerts: {ops: {stderr: true}}
queues: {q: {agent: bilder}}
settings: {owner_agent_id: nobody}
cues:
  a: {task: adit}
  b: {payload: {task: other}}
  c: {agent: zed, prompt: x, alert: [ops, opps]}
subscriptions:
  - {name: s, event: agent.completed, source_session: [builder, x], fan_out: [5f1c, y], prompt: z}
"""


def test_names_that_nobody_answers_to_are_named() -> None:
    assert findings(TEXT) == [
        "cue.yaml:4:21: warning: no agent 'bilder' is defined",
        "cue.yaml:5:28: warning: no agent 'nobody' is defined",
        "cue.yaml:7:13: warning: no handler 'adit' is defined",
        "cue.yaml:8:23: warning: no handler 'other' is defined",
        "cue.yaml:9:14: warning: no agent 'zed' is defined",
        "cue.yaml:9:43: warning: no alert sink 'opps' is defined",
        "cue.yaml:11:65: warning: no agent 'x' is defined",
        "cue.yaml:11:85: warning: no agent 'y' is defined",
    ]


def test_an_alert_that_goes_nowhere_is_an_error_when_all_files_are_known() -> None:
    assert errors(TEXT, elsewhere=Definitions()) == ["9:43: no alert sink 'opps' is defined"]


def test_what_other_files_define_is_known() -> None:
    elsewhere = load(
        "handlers: {adit: x, other: x}\n"
        "agents: {bilder: {driver: claude}, nobody: {driver: claude}, zed: {driver: claude}, "
        "x: {driver: claude}, y: {driver: claude}}\n"
        "alerts: {opps: {stderr: true}}\n"
    )

    assert findings(TEXT, elsewhere=elsewhere) == []


def test_the_default_sink_is_always_there() -> None:
    text = "cues: {a: {shell: x, alert: default}}\n"

    assert findings(text, elsewhere=Definitions()) == []
