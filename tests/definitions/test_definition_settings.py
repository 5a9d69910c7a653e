from __future__ import annotations

import pytest

from cuectl.definitions.rules.definitions import AlertSink, Settings
from tests.definitions.definition_texts import errors, findings, load

ALL = """\
settings:
  timezone: Europe/Berlin
  max_parallel: 4
  handler_timeout: 90
  timeout_minutes: 45
  timeout_on_fail: continue
  max_concurrent: 3
  queue_size: 0
  owner_agent_id: builder
  retention: {output: 14d, journal: 1000d}
  no_handler_after: 5m
  ping_url: https://example.invalid/ping/abc
agents: {builder: {driver: claude}}
"""


def test_all_settings_are_read() -> None:
    settings = load(ALL).settings

    assert settings == Settings(
        timezone="Europe/Berlin",
        max_parallel=4,
        handler_timeout_s=90,
        agent_timeout_s=2700,
        timeout_on_fail="continue",
        max_concurrent=3,
        queue_size=0,
        owner_agent_id="builder",
        keep_output_s=14 * 86_400,
        keep_journal_s=1000 * 86_400,
        no_handler_after_s=300,
        ping_url="https://example.invalid/ping/abc",
        given=settings.given,
    )
    assert len(settings.given) == 12


def test_what_is_not_said_has_its_default_and_is_not_given() -> None:
    settings = load("settings: {max_parallel: 16}\n").settings

    assert settings == Settings(given=("max_parallel",))
    assert (settings.handler_timeout_s, settings.agent_timeout_s) == (3600, 1800)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "timezone: Europe/Pariss",
            "'timezone' in 'settings': 'Europe/Pariss' is not a known time zone",
        ),
        ("timezone: 5", "'timezone' in 'settings' must be text, not 5"),
        ("max_parallel: 0", "'max_parallel' in 'settings' must be from 1 to 10000, not 0"),
        ("timeout_minutes: 0", "'timeout_minutes' in 'settings' must be from 1 to 1440, not 0"),
        (
            "timeout_minutes: 1441",
            "'timeout_minutes' in 'settings' must be from 1 to 1440, not 1441",
        ),
        ("timeout_minutes: 2.5", "'timeout_minutes' in 'settings' must be a whole number"),
        ("timeout_minutes: 30m", "'timeout_minutes' in 'settings' must be a number, not '30m'"),
        (
            "timeout_on_fail: stop",
            "'timeout_on_fail' in 'settings' must be break or continue, not 'stop'",
        ),
        ("max_concurrent: 11", "'max_concurrent' in 'settings' must be from 1 to 10, not 11"),
        ("queue_size: -1", "'queue_size' in 'settings' must be from 0 to 10000, not -1"),
        ("queue_size: 10001", "'queue_size' in 'settings' must be from 0 to 10000, not 10001"),
        ("owner_agent_id: ''", "'owner_agent_id' in 'settings' is empty"),
        ("no_handler_after: 15", "'no_handler_after' in 'settings': '15' has no unit"),
        ("retention: 30d", "'retention' must be a mapping, not '30d'"),
        (
            "ping_url: ftp://x",
            (
                "'ping_url' in 'settings' must be an address such as https://example.org/x, "
                "not 'ftp://x'"
            ),
        ),
    ],
)
def test_what_is_wrong_in_the_settings_is_said_at_its_place(text: str, message: str) -> None:
    column = text.index(":") + 5

    assert errors(f"settings:\n  {text}\n") == [f"2:{column}: {message}"]


def test_unknown_settings_are_refused() -> None:
    assert errors("settings: {max_paralel: 3, retention: {outputs: 1d}}\n") == [
        "1:12: unknown key 'max_paralel' in 'settings'",
        "1:40: unknown key 'outputs' in 'retention'",
    ]


def test_secrets_are_names_of_variables() -> None:
    assert load("secrets: [A_KEY, B, A_KEY]\n").secrets == ("A_KEY", "B")
    assert errors("secrets: [A B, 5, a=b]\n") == [
        "1:11: 'secrets' holds names of variables, and 'A B' is none",
        "1:16: 'secrets' holds names of variables, and 5 is none",
        "1:19: 'secrets' holds names of variables, and 'a=b' is none",
    ]
    assert errors("secrets: A\n") == [
        "1:10: 'secrets' must be a list of names of variables, not 'A'"
    ]


def test_workflow_modules_are_relative_to_the_file() -> None:
    assert load("workflows: [flows.py, flows/, ~/w.py, flows.py]\n").workflows == (
        "/srv/shop/flows.py",
        "/srv/shop/flows",
        "~/w.py",
    )
    assert errors("workflows: flows.py\n") == [
        "1:12: 'workflows' must be a list of Python files and directories, not 'flows.py'"
    ]
    assert errors("workflows: ['', 5]\n") == [
        "1:13: 'workflows' holds Python files and directories, not ''",
        "1:17: 'workflows' holds Python files and directories, not 5",
    ]


def test_alert_sinks_are_of_one_kind() -> None:
    text = """\
alerts:
  default: {stderr: true}
  silent: {stderr: false}
  ops: {command: [notify-send, "{{ alert.title }}"]}
  hook: {webhook: "https://example.invalid/hook", secret_file: hook.key}
"""
    assert load(text).alerts == {
        "default": AlertSink(name="default", kind="stderr"),
        "silent": AlertSink(name="silent", kind="none"),
        "ops": AlertSink(
            name="ops", kind="command", argv=("notify-send", "{{ alert.title }}"), cwd="/srv/shop"
        ),
        "hook": AlertSink(
            name="hook",
            kind="webhook",
            url="https://example.invalid/hook",
            secret_file="/srv/shop/hook.key",
        ),
    }


def test_all_that_a_sink_can_say_is_read() -> None:
    text = """\
alerts:
  post:
    mail: {to: [me@example.org, 'Team <ops@example.org>'], from: c@x, smtp: 'smtps://u:${P}@h'}
    when: {severity: critical, tags: [prod, db], between: "08:00-18:00"}
  local: {mail: {to: root, sendmail: true}}
  other: {mail: {to: root, sendmail: bin/send}}
  apps: {notify: ['ntfy://topic', '${SLACK}']}
  screen: {desktop: true}
  off: {desktop: false}
"""
    assert load(text).alerts == {
        "post": AlertSink(
            name="post",
            kind="mail",
            to=("me@example.org", "Team <ops@example.org>"),
            sender="c@x",
            smtp="smtps://u:${P}@h",
            severity=("critical",),
            tags=("prod", "db"),
            between="08:00-18:00",
        ),
        "local": AlertSink(name="local", kind="mail", to=("root",), sendmail="sendmail"),
        "other": AlertSink(name="other", kind="mail", to=("root",), sendmail="/srv/shop/bin/send"),
        "apps": AlertSink(name="apps", kind="notify", urls=("ntfy://topic", "${SLACK}")),
        "screen": AlertSink(name="screen", kind="desktop"),
        "off": AlertSink(name="off", kind="none"),
    }


def test_the_default_sink_does_not_choose() -> None:
    assert errors("alerts: {default: {desktop: true, when: {tags: [a]}}}\n") == [
        "1:41: 'when' in alert sink 'default' means nothing: it gets what no other sink wants"
    ]


@pytest.mark.parametrize(
    "sink", ["mail: {to: me, smtp: 'smtp://u:hush@h'}", "notify: ['json://u:hush@h']"]
)
def test_a_password_in_a_file_is_warned_of_and_not_repeated(sink: str) -> None:
    (said,) = findings(f"alerts: {{a: {{{sink}}}}}\n")
    assert said.endswith("has a password in it")
    assert "hush" not in said


def test_quiet_hours_are_two_times_of_a_day() -> None:
    assert load('settings: {quiet: "22:00-07:00"}\n').settings.quiet == "22:00-07:00"
    assert errors("settings: {quiet: [bank]}\n") == [
        "1:19: 'quiet' in 'settings' must be text, not a list"
    ]
    assert errors("settings: {quiet: 2026-12-24}\n") == [
        "1:19: 'quiet' in 'settings': '2026-12-24' is no span of hours"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "2:6: alert sink 'a' says nothing to do"),
        ("{command: [x], webhook: 'http://x'}", "2:6: alert sink 'a' says 'command' and 'webhook'"),
        (
            "{command: notify-send}",
            "2:16: 'command' in alert sink 'a' must be a list of words, not 'notify-send'",
        ),
        ("{command: []}", "2:16: 'command' in alert sink 'a' names no program"),
        ("{stderr: yes}", "2:15: 'stderr' in alert sink 'a' must be true or false, not 'yes'"),
        ("{stderr: true, secret_file: k}", "2:21: 'secret_file' in alert sink 'a' needs 'webhook'"),
        ("{male: x, stderr: true}", "2:7: unknown key 'male' in alert sink 'a'"),
        ("{mail: x}", "2:13: 'mail' of alert sink 'a' must be a mapping, not 'x'"),
        ("{mail: {smtp: 'smtp://h'}}", "2:13: 'mail' in alert sink 'a' has no 'to'"),
        ("{mail: {to: [], smtp: 'smtp://h'}}", "2:13: 'mail' in alert sink 'a' has no 'to'"),
        (
            "{mail: {to: me@example.org}}",
            "2:13: 'mail' in alert sink 'a' says neither 'smtp' nor 'sendmail'",
        ),
        (
            "{mail: {to: 'a@x, b@x', sendmail: true}}",
            "2:18: 'to' in 'mail' of alert sink 'a': 'a@x, b@x' is no address of mail",
        ),
        (
            "{mail: {to: a b, sendmail: true}}",
            "2:18: 'to' in 'mail' of alert sink 'a': 'a b' is no address of mail",
        ),
        (
            "{mail: {to: -oQ/tmp, sendmail: true}}",
            "2:18: 'to' in 'mail' of alert sink 'a': '-oQ/tmp' is no address of mail",
        ),
        (
            "{mail: {to: me, sendmail: false}}",
            "2:32: 'sendmail' in 'mail' of alert sink 'a' is false, so nothing sends the mail",
        ),
        (
            "{mail: {to: me, smtp: 'smtp://u:secret@h:x'}}",
            "2:28: 'smtp' in 'mail' of alert sink 'a': 'smtp' must be the address of a mail server",
        ),
        (
            "{mail: {to: me, smtp: 'http://h'}}",
            "2:28: 'smtp' in 'mail' of alert sink 'a': 'smtp' must be the address of a mail server",
        ),
        (
            "{mail: {to: me, smtp: 'smtp://h', sendmail: true}}",
            "2:40: 'mail' of alert sink 'a' has 'smtp' and 'sendmail'; give one",
        ),
        (
            "{notify: topic}",
            ("2:15: 'notify' in alert sink 'a': 'notify' must be an address such as ntfy://topic"),
        ),
        (
            "{desktop: true, when: {severity: [grave]}}",
            "2:40: 'severity' in 'when' of alert sink 'a': 'grave' is no severity",
        ),
        (
            "{desktop: true, when: {between: workdays}}",
            "2:38: 'between' in 'when' of alert sink 'a': 'workdays' is no span of hours",
        ),
        (
            "{desktop: true, when: {tags: ['a b']}}",
            "2:36: 'tags' in 'when' of alert sink 'a': 'a b' is no tag",
        ),
        (
            "{webhook: nope}",
            (
                "2:16: 'webhook' in alert sink 'a' must be an address such as "
                "https://example.org/x, not 'nope'"
            ),
        ),
    ],
)
def test_what_is_wrong_in_an_alert_sink_is_said_at_its_place(text: str, message: str) -> None:
    assert errors(f"alerts:\n  a: {text}\n") == [message]
