from __future__ import annotations

import os
import time

import pytest

from cuectl.definitions.checks import check_definitions, load_definitions
from cuectl.definitions.fields import MOST_ERRORS, ProblemLevel
from cuectl.definitions.rules.definitions import Definitions, Settings
from cuectl.values.errors import InvalidFile
from tests.definitions.definition_texts import PATH, errors, findings, hint_of, load

# The worker file of the first page, byte for byte; the line between the two has one blank.
SEED = b"""\
handlers:
  audit:
    cmd: "python3 audit.py"
    timeout: 3600
    env:
      ANTHROPIC_API_KEY: "${ANTHROPIC_API_KEY}"
      GITHUB_TOKEN: "${GITHUB_TOKEN}"
BLANK
  check-followup:
    cmd: "python3 check_followup.py"
    timeout: 600
    env:
      GITHUB_TOKEN: "${GITHUB_TOKEN}"
""".replace(b"BLANK", b" ")

WORKER_FILE = """\
api_key: cue_sk_x
api_base: https://api.cueapi.ai
worker_id: laptop
email: a@example.org
poll_interval: 5
heartbeat_interval: 30
max_concurrent: 4
handler_timeout: 300
handlers:
  audit: python3 audit.py
  slow: {cmd: sleep 400, timeout: 900}
"""


def test_the_worker_file_of_the_page_loads_without_a_word() -> None:
    definitions, problems = check_definitions(SEED, PATH)

    assert problems == []
    assert definitions is not None
    audit = definitions.handlers["audit"]
    assert (audit.shell, audit.argv, audit.timeout_s, audit.cwd) == (
        "python3 audit.py",
        (),
        3600,
        "/srv/shop",
    )
    assert audit.env == {
        "ANTHROPIC_API_KEY": "${ANTHROPIC_API_KEY}",
        "GITHUB_TOKEN": "${GITHUB_TOKEN}",
    }
    assert definitions.handlers["check-followup"].timeout_s == 600


@pytest.mark.parametrize("data", [b"\xef\xbb\xbf" + SEED, SEED.replace(b"\n", b"\r\n")])
def test_the_worker_file_loads_however_an_editor_saved_it(data: bytes) -> None:
    assert load_definitions(data, PATH) == load_definitions(SEED, PATH)


def test_keys_of_a_cueapi_worker_file_are_accepted_and_named() -> None:
    notes = findings(WORKER_FILE)

    assert [note.partition(" ")[2] for note in notes[:7]] == [
        f"note: '{key}' in the file belongs to another system: ignored"
        for key in (
            *("api_key", "api_base", "worker_id", "email"),
            *("poll_interval", "heartbeat_interval", "max_concurrent"),
        )
    ]
    assert notes[0].startswith("cue.yaml:1:1: ")
    assert notes[7:] == [
        "cue.yaml:8:1: note: 'handler_timeout' is the default of the handlers here, never a cap"
    ]


def test_handler_timeout_of_a_worker_file_is_a_default_and_no_cap() -> None:
    handlers = load(WORKER_FILE).handlers

    assert handlers["audit"].timeout_s == 300
    assert handlers["slow"].timeout_s == 900


def test_the_settings_win_over_the_worker_files_own_timeout() -> None:
    text = "handler_timeout: 300\nsettings: {handler_timeout: 2h}\nhandlers: {a: x}\n"

    assert load(text).handlers["a"].timeout_s == 7200


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "{}\n"])
def test_an_empty_file_defines_nothing(text: str) -> None:
    definitions, _ = check_definitions(text, PATH)

    assert definitions == Definitions()


def test_an_empty_file_is_named() -> None:
    assert findings("") == ["cue.yaml:1:1: note: the file defines nothing"]


def test_sections_with_nothing_in_them_are_as_if_they_were_not_there() -> None:
    sections = ("settings", "secrets", "handlers", "agents", "queues", "workflows")
    more = ("cues", "subscriptions", "alerts")
    text = "".join(f"{section}:\n" for section in (*sections, *more))

    assert load(text) == Definitions()
    assert findings(text) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n", "1:1: the file must be a mapping, not a list"),
        ("handlers\n", "1:1: the file must be a mapping, not 'handlers'"),
        ("handlrs: {}\n", "1:1: unknown key 'handlrs' in the file"),
        ("handlers: []\n", "1:11: 'handlers' must be a mapping of names, not a list"),
        ("cues: 5\n", "1:7: 'cues' must be a mapping of names, not 5"),
        ("cues:\n  a: 5\n", "2:6: cue 'a' must be a mapping, not 5"),
        ("agents:\n  a:\n", "2:5: agent 'a' must be a mapping, not nothing"),
        ("subscriptions: 5\n", "1:16: 'subscriptions' must be a list or a mapping of names, not 5"),
        ("subscriptions: {a: 5}\n", "1:20: a subscription must be a mapping, not 5"),
        (
            "subscriptions: {a: {name: b, event: x.y, shell: x}}\n",
            "1:27: subscription 'a' has another 'name': 'b'",
        ),
        (
            "cues: {a: {shell: x}}\nsubscriptions: {a: {event: x.y, shell: x}}\n",
            "2:17: subscription 'a' has the name of a cue",
        ),
        (
            "agents: {a: {cmd: x, id: b}, b: {cmd: x}}\n",
            "1:26: the id of agent 'a' means agent 'b' as well",
        ),
        ("subscriptions: [5]\n", "1:17: a subscription must be a mapping, not 5"),
        ("agents: {a/b: {cmd: x}}\n", "1:10: agent name 'a/b' contains '/'"),
        ('handlers: {"a\\tb": x}\n', "1:12: handler name 'a\\tb' contains the character U+0009"),
        ("agents: {..: {cmd: x}}\n", "1:10: agent name '..' is a path"),
        ('queues: {"a\\nb": {agent: x}}\n', "1:10: queue name 'a\\nb' contains a line break"),
        ("cues: {'': {shell: x}}\n", "1:8: cue has an empty name"),
        (
            "alerts: {-x: {stderr: true}}\n",
            "1:10: alert sink name '-x' begins with '-' like an option",
        ),
        ("a: [\n", "1:5: a value is missing here"),
    ],
)
def test_what_is_wrong_at_the_top_is_said_at_its_place(text: str, message: str) -> None:
    assert errors(text) == [message]


def test_an_unknown_section_comes_with_a_suggestion() -> None:
    assert hint_of("subscription: []\n") == (
        "did you mean 'subscriptions'? keys: agents alerts calendars cues environments executors "
        "handler_timeout handlers queues secrets settings subscriptions workflows"
    )


def test_all_problems_are_found_in_one_reading_and_in_the_order_of_the_file() -> None:
    text = """\
alerts: {a: {}}
handlers: {b: {timeout: x}}
cues: {c: {}}
"""
    assert errors(text) == [
        "1:13: alert sink 'a' says nothing to do",
        "2:15: handler 'b' has no 'cmd'",
        "2:25: 'timeout' in handler 'b': 'x' is not a span of time",
        "3:11: cue 'c' has nothing to run",
    ]


def test_loading_raises_the_first_error() -> None:
    text = "handlers:\n  a: {cmd: x, tmieout: 5}\n  b: {}\n"

    with pytest.raises(InvalidFile) as caught:
        load_definitions(text, "cue.yaml")

    assert caught.value.message == "cue.yaml:2:15: unknown key 'tmieout' in handler 'a'"
    assert caught.value.hint == (
        "did you mean 'timeout'? keys: cmd cwd env executor never_retry_on_exit output "
        "payload_file retry_on_exit shell timeout"
    )
    assert (caught.value.line, caught.value.column) == (2, 15)


def test_a_problem_reads_as_editors_want_it() -> None:
    _, problems = check_definitions("a: *b", "cue.yaml")

    assert [problem.text for problem in problems] == [
        "cue.yaml:1:4: error: alias '*b' has no anchor '&b' before it"
    ]
    assert problems[0].level is ProblemLevel.ERROR
    assert problems[0].as_error().message == (
        "cue.yaml:1:4: alias '*b' has no anchor '&b' before it"
    )


def test_relative_paths_begin_at_the_directory_of_the_file(tmp_path: os.PathLike[str]) -> None:
    before = os.getcwd()
    os.chdir(tmp_path)
    try:
        definitions = load_definitions("handlers: {a: x}\nworkflows: [flows.py]\n", "p/cue.yaml")
    finally:
        os.chdir(before)

    assert definitions.handlers["a"].cwd == os.path.join(os.path.realpath(tmp_path), "p")
    assert definitions.workflows == (os.path.join(os.path.realpath(tmp_path), "p/flows.py"),)


def test_words_that_other_readers_take_for_values_are_named() -> None:
    text = "cues: {a: {shell: x, payload: {on: yes, mode: 0644, q: 'no', at: 9:30}}}\n"

    assert findings(text) == [
        "cue.yaml:1:36: note: 'yes' is text here; other YAML readers take it for a value",
        "cue.yaml:1:47: note: '0644' is text here; other YAML readers take it for a value",
        "cue.yaml:1:66: note: '9:30' is text here; other YAML readers take it for a value",
    ]
    assert load(text).cues["a"].payload == {"on": "yes", "mode": "0644", "q": "no", "at": "9:30"}


@pytest.mark.parametrize(
    "word", ["010", "0o17", "12_000", "1:30", "~", "off", "2026-11-23", ".5", "+5", "5.", "0x1f"]
)
def test_each_word_that_yaml_1_1_reads_as_a_value_is_named(word: str) -> None:
    text = f"cues: {{a: {{shell: x, payload: {{v: {word}}}}}}}\n"

    (found,) = findings(text)
    assert f"note: '{word}' is text here" in found
    assert load(text).cues["a"].payload == {"v": word}
    assert findings(text.replace(word, f"'{word}'")) == []


@pytest.mark.parametrize(
    ("word", "read"), [("3.10", "3.1"), ("1e3", "1000.0"), ("-0", "0"), ("1.50", "1.5")]
)
def test_a_number_that_does_not_come_out_as_written_is_told(word: str, read: str) -> None:
    text = f"cues: {{a: {{shell: x, env: {{A: {word}}}, payload: {{v: {word}, w: 1.0, n: 12}}}}}}\n"
    definitions, problems = check_definitions(text, "cue.yaml")

    (found,) = problems
    assert found.text.endswith(f"warning: '{word}' is read as the number {read}")
    assert found.hint == "put it in quotes"
    assert definitions is not None
    assert definitions.cues["a"].target["env"] == {"A": word}


@pytest.mark.parametrize(
    ("line", "cut"),
    [
        ("description: fix #12", "#12"),
        ("description: fix #{x} now", "#{x} now"),
        ("payload: {a: b, c: d #e\n  }", "#e"),
        ("payload:\n      colour: #fff", "#fff"),
        ("description: fix # of course", None),
        ("description: 'fix #12'", None),
        ("description: fix#12", None),
        ("timeout: 30 #seconds", None),
    ],
)
def test_a_text_that_a_comment_cuts_short_is_told(line: str, cut: str | None) -> None:
    told = f"warning: '{cut}' is a comment here, and no part of the text"
    found = findings(f"cues:\n  a:\n    shell: x\n    {line}\n")
    assert [one.partition(": ")[2] for one in found] == ([told] if cut else [])


def test_a_key_without_a_value_is_no_silent_default() -> None:
    assert errors("handlers: {a: {cmd: x, timeout: }}\n") == [
        "1:24: 'timeout' in handler 'a' has no value"
    ]
    assert load("handlers: {a: {cmd: x, timeout: null}}\n").handlers["a"].timeout_s is None


def test_anchors_and_merge_keys_serve_definitions() -> None:
    text = """\
handlers:
  one: &base {cmd: x, timeout: 60, env: &env {A: x}}
  two: {<<: *base, cmd: y}
  three: {cmd: z, env: *env}
"""
    handlers = load(text).handlers

    assert (handlers["two"].shell, handlers["two"].timeout_s) == ("y", 60)
    assert handlers["three"].env == {"A": "x"}


def test_a_long_name_is_kept_whole_and_shown_short() -> None:
    name = "a  " + "b" * 97

    assert load(f"handlers: {{'{name}': x}}\n").handlers[name].name == name
    assert errors(f"handlers: {{'{name}': ''}}\n") == [
        f"1:{len(name) + 16}: 'cmd' in handler 'a {'b' * 57}…' is empty"
    ]


def test_a_file_full_of_slips_is_answered_soon() -> None:
    text = "".join(f"handlrs{number}: x\n" for number in range(10_000))
    before = time.process_time()

    assert len(errors(text)) == MOST_ERRORS
    assert findings(text)[0] == ("cue.yaml:1:1: error: unknown key 'handlrs0' in the file")
    assert "cue.yaml:1:1: note: only the first 500 errors that were found are shown" in (
        findings(text)
    )
    assert time.process_time() - before < 5


def test_names_defined_elsewhere_are_known() -> None:
    elsewhere = load("agents: {builder: {driver: claude}}\nsettings: {owner_agent_id: builder}\n")
    text = "subscriptions: [{name: a, event: app.startup, prompt: x}]\n"

    assert findings(text, elsewhere=elsewhere) == []
    target = load(text, elsewhere=elsewhere).subscriptions["a"].target
    assert target == {"type": "agent", "agents": ["builder"]}
    assert load(text, elsewhere=elsewhere).settings == Settings()
