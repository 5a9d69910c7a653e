from __future__ import annotations

import json
import subprocess
from functools import partial
from typing import TYPE_CHECKING

import pytest

from cuectl.cli.commands.cues import options as cue_options
from cuectl.cues.section import RETRY_KINDS
from cuectl.executions.rules.record import CATCH_UP_WORDS, OnInterrupted, Overlap
from cuectl.executions.rules.verification import VerificationMode
from cuectl.values.json_limits import PAYLOAD_BYTES
from tests.cli.schema_check import assert_fits
from tests.fixtures.terminal import shown

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl

NOW = "2026-11-21T08:57:00Z"
PAGE = (
    *("create", "--name", "nightly-audit", "--cron", "0 2 * * *"),
    *("--timezone", "America/New_York", "--transport", "worker"),
    *("--verification-mode", "require_external_id", "--payload", '{"task": "audit"}'),
)
UNKNOWN_TASK = (
    "cuectl: warning: no handler is defined for the task 'audit' yet\n"
    "hint: define it under 'handlers' in ~/.cue/cue.yaml, or start a worker that has it\n"
)


@pytest.fixture
def cuectl(cuectl: Cuectl) -> Cuectl:
    return cuectl.at(NOW)


def test_the_command_of_the_page_works_as_it_stands(cuectl: Cuectl) -> None:
    cuectl.run(*PAGE).gives(
        "cue_1  nightly-audit\nnext: Sun 2026-11-22 02:00 EST (in 22h), every day at 02:00\n",
        UNKNOWN_TASK,
        ids=True,
    )


def test_the_words_of_the_command_line_are_those_of_the_model() -> None:
    assert set(cue_options.MODES) == set(VerificationMode)
    assert set(cue_options.CATCH_UP) < set(CATCH_UP_WORDS)
    assert set(cue_options.OVERLAP) == set(Overlap)
    assert set(cue_options.ON_INTERRUPTED) == set(OnInterrupted)
    assert cue_options.RETRY_KINDS == RETRY_KINDS


# What a policy says where nothing was said of days, transient failures and the output.
NO_DAYS: dict[str, object] = {
    "except": [],
    "only": [],
    "move": None,
    "retry_on_exit": [],
    "never_retry_on_exit": [],
    "retry_jitter": 0.0,
    "retry_cap_s": None,
    "retry_for_s": None,
    "output_keep_s": None,
    "output_limit": None,
    "output_on_success": None,
    "expect_within_s": None,
    "expect_times": None,
    "expect_by": None,
}


def test_a_cue_is_printed_whole_as_json(cuectl: Cuectl) -> None:
    cue = cuectl.json(
        *("create", "--every", "15m", "--description", "beat", "--env", "A=1", "--env", "B=x=y"),
        *("--timeout", "90s", "--retries", "2", "--backoff", "1m,5m", "--retry-on", "failed"),
        *("--catch-up", "skip_missed", "--overlap", "queue", "--deadline", "1h"),
        *("--jitter", "30s", "--on-interrupted", "rerun", "--outcome-deadline", "2h"),
        *("--verify-command", "./check.sh 'a b'", "--alert", "ops", "--alert", "hook"),
        *("--", "./ping.sh", "--quiet"),
    )

    assert_fits(cue, "cue")
    assert cue["name"] == "ping.sh"
    assert cue["trigger"] == {"type": "every", "every_s": 900, "anchor": NOW}
    assert cue["target"] == {
        "type": "command",
        "argv": ["./ping.sh", "--quiet"],
        "cwd": str(cuectl.work),
        "env": {"A": "1", "B": "x=y"},
    }
    assert cue["policy"] == {
        **NO_DAYS,
        "verification": "command",
        "check": ["./check.sh", "a b"],
        "allow_empty": False,
        "timeout_s": 90.0,
        "max_attempts": 3,
        "backoff_s": [60.0, 300.0],
        "retry_on": ["failed"],
        "catch_up": "none",
        "overlap": "queue",
        "deadline_s": 3600.0,
        "jitter_s": 30.0,
        "on_interrupted": "rerun",
        "outcome_deadline_s": 7200.0,
        "alert": ["ops", "hook"],
        "ping_url": None,
        "alert_after": None,
        "remind_s": None,
        "tags": [],
        "on_failure": None,
    }
    assert cue["next_run"] == "2026-11-21T09:12:00Z"


@pytest.mark.parametrize(
    ("when", "at"),
    [
        (("--at", "2026-11-23T09:00:00+01:00"), "2026-11-23T08:00:00Z"),
        (("--at", "2026-11-23 09:00", "--timezone", "Europe/Paris"), "2026-11-23T08:00:00Z"),
        (("--at", "+20m"), "2026-11-21T09:17:00Z"),
        (("--at", "in 2h"), "2026-11-21T10:57:00Z"),
        (("--in", "2h"), "2026-11-21T10:57:00Z"),
        (("--at", "tomorrow 09:00", "--tz", "Asia/Kolkata"), "2026-11-22T03:30:00Z"),
    ],
)
def test_a_one_shot_is_for_the_instant_that_was_meant(
    cuectl: Cuectl, when: tuple[str, ...], at: str
) -> None:
    # Time goes on while the program starts.
    assert cuectl.json("create", *when, "--", "true")["next_run"][:19] == at[:19]


def test_a_cue_without_a_schedule_says_how_it_is_started(cuectl: Cuectl) -> None:
    cuectl.run("create", "--name", "by hand", "--shell", "a | b").gives(
        "cue_1  by hand\nnext: never by itself; start it: cuectl fire 'by hand'\n", ids=True
    )


def test_quiet_leaves_the_id(cuectl: Cuectl) -> None:
    cuectl.run("create", "-q", "--name", "x", "--", "true").gives("cue_1  x\n", ids=True)


def test_a_payload_comes_from_the_line_a_file_or_the_standard_input(cuectl: Cuectl) -> None:
    cuectl.files({"p.json": '{"from": "file"}'})

    found = [
        cuectl.json("create", "--task", "t", "--payload", '{"from": "line"}'),
        cuectl.json("create", "--task", "t", "--payload", "@p.json"),
        cuectl.json("create", "--task", "t", "--payload-file", "p.json"),
        cuectl.run(
            "create", "--json", "--task", "t", "--payload", "-", stdin='{"from": "input"}'
        ).json,
    ]

    assert [cue["payload"]["from"] for cue in found] == ["line", "file", "file", "input"]


def test_a_payload_of_a_megabyte_is_shown_as_it_was_given(cuectl: Cuectl) -> None:
    payload = {"task": "t", "text": "x" * 900_000}
    cuectl.files({"p.json": json.dumps(payload)})

    made = cuectl.json("create", "--payload", "@p.json")

    assert made["payload"] == payload
    assert cuectl.json("get", made["id"])["payload"] == payload


def test_the_settings_of_the_user_name_the_zone(cuectl: Cuectl) -> None:
    cuectl.home.mkdir(mode=0o700)
    (cuectl.home / "cue.yaml").write_text("settings: {timezone: Asia/Tokyo}\n")

    cue = cuectl.json("create", "--cron", "0 9 * * *", "--", "true")

    assert cue["trigger"]["timezone"] == "Asia/Tokyo"
    assert cue["next_run"] == "2026-11-22T00:00:00Z"


def test_a_known_task_brings_no_warning(cuectl: Cuectl) -> None:
    cuectl.home.mkdir(mode=0o700)
    (cuectl.home / "cue.yaml").write_text("handlers: {audit: 'true'}\n")

    assert cuectl.run(*PAGE).stderr == ""


def test_a_terminal_hears_that_nothing_calls_run_due(cuectl: Cuectl) -> None:
    said = "nothing is running your cues yet; start with: cuectl scheduler install"
    assert said in _on_a_terminal(cuectl, "create", "--every", "1h", "--", "true")
    assert "scheduler" not in _on_a_terminal(cuectl, "create", "--name", "h", "--", "true")
    cuectl.run("run-due")
    del cuectl.environment["CUECTL_NOW"]
    cuectl.run("run-due")
    assert "scheduler" not in _on_a_terminal(cuectl, "create", "--every", "2h", "--", "true")


def test_the_command_for_the_scheduler_names_a_home_that_was_moved(cuectl: Cuectl) -> None:
    elsewhere = str(cuectl.home.parent / "elsewhere")
    words = ("--home", elsewhere, "create", "--every", "1h", "--", "true")
    assert f"cuectl --home {elsewhere} scheduler install" in _on_a_terminal(cuectl, *words)


def _on_a_terminal(cuectl: Cuectl, *words: str) -> str:
    start = partial(cuectl.start, *words, stdout=subprocess.DEVNULL)
    return shown(lambda terminal: start(stderr=terminal), columns=1000)


BAD: list[tuple[tuple[str, ...], str]] = [
    (("--cron", "0 25 * * *"), "hour '25' is out of range 0-23 in cron expression '0 25 * * *'"),
    (("--cron", "0 0 31 2 *"), "cron expression '0 0 31 2 *' never fires: month 2 has no day 31"),
    (("--cron", "0 0 * * * *"), "has 6 fields instead of 5"),
    (("--cron", "@reboot"), "'@reboot'"),
    (("--cron", "@daily", "--timezone", "Europe/Pariss"), "'Europe/Pariss' is not a known time"),
    (("--timezone", "Europe/Paris"), "the time zone 'Europe/Paris' has nothing to apply to"),
    (("--at", "2026-11-20 09:00"), "is in the past (it is 2026-11-21 08:57 UTC)"),
    (("--at", "someday"), "'someday' is not a point in time"),
    (("--cron", "@daily", "--in", "1h"), "a cue has one schedule: 'cron' or 'in'"),
    (("--every", "10ms"), "'every' must be at least 1 s"),
    (("--every", "soon"), "option '--every'"),
    (("--payload", "[1]"), "payload must be a JSON object, not a list"),
    (("--payload", '{"a": NaN}'), "payload has NaN, which is not JSON"),
    (("--payload", "[" * 5000), "payload is nested deeper than 64 levels"),
    (("--payload", '{"a": "\\u0000"}'), "payload contains a NUL character"),
    (("--payload", "{"), "payload is not JSON"),
    (("--payload", "@nowhere.json"), "'nowhere.json' can't be read: no such file"),
    (("--payload", "{}", "--payload-file", "x"), "exclude each other"),
    (("--payload", '{"task": 7}', "--task", "x"), "'task' in the payload is not the name"),
    (("--payload", '{"task": "a"}', "--task", "b"), "the payload has the task 'a', not 'b'"),
    (("--name", "a\nb"), "contains a line break"),
    (("--name", "a\x1b[2J"), "contains the character U+001B"),
    (("--name", ""), "has an empty name"),
    (("--name", "x" * 256), "has more than 255 characters"),
    (("--name", "cue_0123456789ab"), "looks like the id of a cue"),
    (("--timeout", "0"), "'timeout' must be more than nothing"),
    (("--remind", "0s"), "'remind' must be more than nothing"),
    (
        ("--retry-on-exit", "7", "--never-retry-on-exit", "7"),
        "exit status 7 can't be both tried again and given up on",
    ),
    (("--timeout", "-5"), "option '--timeout'"),
    (("--retries", "101"), "option '--retries'"),
    (("--retry-on", "failed,nonsense"), "'nonsense' is not known"),
    (("--verification-mode", "evidence_required"), "option '--verification-mode'"),
    (("--verification-mode", "command"), "the verification mode 'command' needs a command"),
    (("--verify-command", "x", "--verification-mode", "manual"), "needs the mode 'command', not"),
    (("--verify-command", "'"), "option '--verify-command': no closing quotation"),
    (("--env", "NOEQUALS"), "is not KEY=VALUE"),
    (("--env", "1A=x"), "'1A' is not the name of a variable"),
    (("--transport", "webhook"), "a webhook needs an address"),
    (("--catch-up", "sometimes"), "option '--catch-up'"),
    (("--task", "audit"), "a cue runs one thing"),
]


@pytest.mark.parametrize(("words", "message"), BAD, ids=[" ".join(w)[:40] for w, _ in BAD])
def test_bad_input_is_one_line_and_leaves_nothing(
    cuectl: Cuectl, words: tuple[str, ...], message: str
) -> None:
    answer = cuectl.run("create", *words, "--", "true")

    assert answer.status == 2, answer
    assert answer.stdout == ""
    first, *rest = answer.stderr.splitlines()
    assert first.startswith("cuectl: error: ")
    assert message in first
    assert len(rest) <= 1
    assert all(line.startswith("hint: ") for line in rest)
    assert not cuectl.home.exists()


def test_a_payload_above_the_limit_is_refused(cuectl: Cuectl) -> None:
    cuectl.files({"p.json": json.dumps({"text": "x" * PAYLOAD_BYTES})})

    answer = cuectl.run("create", "--task", "t", "--payload", "@p.json")

    assert answer.status == 2
    assert "more than 1048576" in answer.stderr
    assert not cuectl.home.exists()


def test_how_much_larger_a_payload_is_is_not_made_up(cuectl: Cuectl) -> None:
    """Regression: reading stops at the limit, and the message named that as the size."""
    cuectl.files({"p.json": json.dumps({"text": "x" * 3 * PAYLOAD_BYTES})})
    cuectl.run("create", "--task", "t", "--payload", "@p.json").fails(
        2,
        "payload has more than 1048576 bytes",
        "put large data into a file, and its path into the payload",
    )


@pytest.mark.parametrize(
    ("option", "meant"), [("--verify", "--verify-command"), ("--nmae", "--name"), ("--zzzz", "")]
)
def test_the_option_that_was_meant_is_named(cuectl: Cuectl, option: str, meant: str) -> None:
    """Regression: dashes alone made short options alike: '--plain' was suggested for '--in'."""
    said = f"did you mean '{meant}'? " if meant else ""
    cuectl.run("create", option, "x", "--", "true").fails(
        2, f"'cuectl create' has no option '{option}'", f"{said}see: cuectl create --help"
    )


def test_the_environment_and_the_directory_of_a_task_are_its_handlers(cuectl: Cuectl) -> None:
    for words in (("--env", "A=1"), ("--cwd", "/")):
        answer = cuectl.run("create", "--task", "audit", *words)
        assert (answer.status, "to a command only" in answer.stderr) == (2, True)


def test_a_handler_without_the_dashes_is_explained(cuectl: Cuectl) -> None:
    cuectl.run("create", "--cron", "@daily", "./b.sh | gzip").fails(
        2,
        "unexpected word './b.sh | gzip'",
        "a command follows '--', or is one text: --shell 'one | two'",
    )


def test_nothing_to_run_is_explained(cuectl: Cuectl) -> None:
    cuectl.run("create", "--cron", "@daily").fails(
        2,
        "expected something to run",
        "name a handler (--task NAME), or put the command last: -- ./backup.sh",
    )


def test_a_name_in_use_is_a_conflict_and_changes_nothing(cuectl: Cuectl) -> None:
    first = cuectl.json("create", "--name", "backup", "--cron", "@daily", "--", "./b.sh")

    cuectl.run("create", "--name", "backup", "--every", "1h", "--", "./c.sh").fails(
        6, f"a cue named 'backup' exists ({first['id']})", "change it with: cuectl update backup"
    )

    assert cuectl.json("list") == [first]


def test_an_error_under_json_is_one_object(cuectl: Cuectl) -> None:
    answer = cuectl.run("create", "--json", "--cron", "0 25 * * *", "--", "true")

    error = json.loads(answer.stderr)
    assert (error["type"], error["code"], error["exit_status"]) == ("error", "usage", 2)


def test_a_home_that_others_may_write_to_is_refused(cuectl: Cuectl) -> None:
    cuectl.home.mkdir()
    cuectl.home.chmod(0o777)

    answer = cuectl.run("create", "--name", "x", "--", "true")

    assert (answer.status, "others may write" in answer.stderr) == (8, True)
    assert list(cuectl.home.iterdir()) == []
    cuectl.checked = False


def test_a_home_of_a_newer_version_is_left_alone(cuectl: Cuectl) -> None:
    cuectl.home.mkdir(mode=0o700)
    (cuectl.home / "FORMAT").write_text("99\n")

    answer = cuectl.run("create", "--name", "x", "--", "true")

    assert (answer.status, "has format 99" in answer.stderr) == (9, True)
    assert [path.name for path in cuectl.home.iterdir()] == ["FORMAT"]
    cuectl.checked = False


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (
            ("--backoff", "1m"),
            "'--backoff' has no effect without retries",
            "say how many: --retries N",
        ),
        (
            ("--retries", "0", "--retry-on", "failed"),
            "'--retry-on' has no effect without retries",
            "say how many: --retries N",
        ),
        (
            ("--jitter", "5m"),
            "'--jitter' has no effect without a schedule",
            "say when it fires: --cron, --at, --every or --in",
        ),
        (
            ("--catch-up", "all"),
            "'--catch-up' has no effect without a schedule",
            "say when it fires: --cron, --at, --every or --in",
        ),
        (
            ("--deadline", "5m"),
            "'--deadline' has no effect without a schedule",
            "say when it fires: --cron, --at, --every or --in",
        ),
        (
            ("--alert", "ops"),
            "no alert sink is defined with the name 'ops' yet",
            "define it under 'alerts' in ~/.cue/cue.yaml; until then its alerts are not delivered",
        ),
        (
            ("--cwd", "/nowhere/at/all"),
            "there is no directory '/nowhere/at/all' yet",
            "runs fail until it is there",
        ),
    ],
)
def test_what_has_no_effect_is_said(
    cuectl: Cuectl, words: tuple[str, ...], message: str, hint: str
) -> None:
    """Regression: `create --alert UNKNOWN`, `--backoff` without retries and others were silent."""
    warning = f"cuectl: warning: {message}\nhint: {hint}\n"
    made = cuectl.run("create", "--name", "a", *words, "--", "true")
    assert (made.stderr, made.status) == (warning, 0)
    changed = cuectl.run("create", "--name", "b", "--", "true")
    assert changed.stderr == ""
    without_command = words if words[0] != "--cwd" else (*words, "--", "true")
    changed = cuectl.run("update", "b", *without_command)
    assert (changed.stderr, changed.status) == (warning, 0)


def test_what_has_an_effect_is_not_warned_of(cuectl: Cuectl) -> None:
    (cuectl.home).mkdir(mode=0o700)
    (cuectl.home / "cue.yaml").write_text("alerts:\n  ops:\n    command: [cat]\n")
    made = cuectl.run(
        *("create", "--name", "a", "--every", "5m", "--retries", "1", "--backoff", "1m"),
        *("--jitter", "1m", "--catch-up", "none", "--deadline", "1h", "--cwd", "."),
        *("--alert", "ops", "--alert", "stderr", "--", "true"),
    )
    assert (made.stderr, made.status) == ("", 0)
    assert cuectl.run("update", "a", "--backoff", "2m", "--jitter", "2m").stderr == ""


def test_tags_are_kept_changed_and_dropped(cuectl: Cuectl) -> None:
    cuectl.run("create", "--name", "a", "--tag", "prod", "--tag", "db", "--", "true")
    assert cuectl.json("get", "a")["policy"]["tags"] == ["prod", "db"]
    assert cuectl.run("update", "a", "--tag", "web").status == 0
    assert cuectl.json("get", "a")["policy"]["tags"] == ["web"]
    assert cuectl.run("update", "a", "--no-tag").status == 0
    assert cuectl.json("get", "a")["policy"]["tags"] == []
    hint = "write one word, such as prod"
    cuectl.run("create", "--name", "b", "--tag", "a b", "--", "true").fails(
        2, "option '--tag': 'a b' is no tag", hint
    )
