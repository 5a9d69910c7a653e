"""Event sources: what happens outside becomes events, once, whatever happens in between."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import TYPE_CHECKING, Any

from tests.fixtures.observing import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.background import Passes
    from tests.fixtures.builder import Cuectl
    from tests.fixtures.observing import StoreState

LONG_AGO_S = 3_600


def define(cuectl: Cuectl, *subscriptions: str, settings: str = "") -> None:
    """Apply subscriptions whose one agent repeats its prompt."""
    lines = "".join(f"  - {{agent: echo, {one}}}\n" for one in subscriptions)
    agents = "agents:\n  echo: {driver: command, cmd: [cat], max_concurrent: 4}\n"
    cuectl.files({"cue.yaml": f"{settings}{agents}subscriptions:\n{lines}"})
    cuectl.environment.setdefault("CUECTL_NOW", "2026-11-21T01:59:00Z")
    assert cuectl.run("apply", "cue.yaml").status == 0


def tick(cuectl: Cuectl, now: str) -> str:
    """Run a pass at a time; return what it said."""
    answer = cuectl.at(now).run("run-due")
    assert (answer.status, answer.stdout) == (0, "")
    return answer.stderr


def told(state: StoreState) -> list[tuple[str, dict[str, Any]]]:
    """Return the events of sources: for whom, and with which payload."""
    events = [line["detail"]["cloudevent"] for line in state.of_type("event.recorded")]
    return [(one["cueonly"], one["data"]) for one in events if "cueonly" in one]


def prompts(state: StoreState) -> list[str]:
    """Return what agents were told, sorted."""
    return sorted(line["record"]["result"] for line in state.of_type("execution.settled"))


def settle(*paths: Path) -> None:
    """Make files look as if nobody had touched them for a while."""
    then = time.time() - LONG_AGO_S
    for path in paths:
        os.utime(path, (then, then))


def lines_of(cuectl: Cuectl) -> int:
    """Return how many lines the journal has."""
    files = (cuectl.home / "journal").glob("*.jsonl")
    return sum(len(one.read_bytes().splitlines()) for one in files)


def test_a_heartbeat_and_a_schedule_catch_up_with_one_event(
    cuectl: Cuectl, state: StoreState
) -> None:
    cuectl.at("2026-11-21T01:59:00Z")
    define(
        cuectl,
        "name: beat, event: time.heartbeat, interval_minutes: 5,"
        ' prompt: "beat {{payload.missedCount}}"',
        "name: slot, event: time.scheduled, schedule_times: ['02:30', '03:00'],"
        ' prompt: "slot {{payload.matched_time}} {{payload.matched_day}} {{payload.missedCount}}"',
    )
    tick(cuectl, "2026-11-21T02:00:00Z")
    tick(cuectl, "2026-11-21T02:04:00Z")
    assert "next       beat, in " in cuectl.run("status").stdout
    tick(cuectl, "2026-11-21T02:05:00Z")
    tick(cuectl, "2026-11-21T03:16:00Z")
    tick(cuectl, "2026-11-21T03:17:00Z")
    assert prompts(state) == ["beat ", "beat ", "beat 14", "slot 03:00 sat 2"]
    data = dict(told(state))["slot"]
    assert data["reconciled"] is True
    assert data["sleepDurationMs"] // 60_000 == 70


def test_a_one_shot_fires_once_or_is_missed_after_its_grace(
    cuectl: Cuectl, state: StoreState
) -> None:
    cuectl.at("2026-11-21T01:00:00Z")
    define(
        cuectl,
        'name: soon, event: time.once, fire_at: "2026-11-21T02:00:00Z", prompt: soon',
        'name: gone, event: time.once, fire_at: "2026-11-20T02:00:00Z", prompt: gone',
    )
    said = tick(cuectl, "2026-11-21T01:01:00Z")
    assert said == "cuectl: alert: missed: 'gone' was to start once and is past its grace\n"
    assert tick(cuectl, "2026-11-21T02:00:10Z") == ""
    assert tick(cuectl, "2026-11-21T02:01:10Z") == ""
    rows = cuectl.json("executions", "list")
    assert sorted((row["cue_name"], row["status"], row["reason"]) for row in rows) == [
        ("gone", "missed", "expired"),
        ("soon", "succeeded", None),
    ]


def test_the_first_pass_after_a_boot_is_told_once(cuectl: Cuectl, state: StoreState) -> None:
    define(cuectl, "name: up, event: app.startup, prompt: hello")
    tick(cuectl, "2026-11-21T02:00:00Z")
    tick(cuectl, "2026-11-21T02:01:00Z")
    cuectl.run("subscriptions", "pause", "up")
    tick(cuectl, "2026-11-21T02:02:00Z")
    cuectl.run("subscriptions", "resume", "up")
    tick(cuectl, "2026-11-21T02:03:00Z")
    assert told(state) == [("up", {"reason": "system_startup"})]


def test_a_pause_makes_a_heartbeat_begin_anew(cuectl: Cuectl, state: StoreState) -> None:
    define(cuectl, "name: beat, event: time.heartbeat, interval_minutes: 5, prompt: x")
    tick(cuectl, "2026-11-21T02:00:00Z")
    cuectl.run("subscriptions", "pause", "beat")
    tick(cuectl, "2026-11-21T02:30:00Z")
    cuectl.run("subscriptions", "resume", "beat")
    tick(cuectl, "2026-11-21T03:00:00Z")
    assert [data for _, data in told(state)] == [{"interval_minutes": 5}] * 2


def test_files_that_come_change_and_go(cuectl: Cuectl, state: StoreState) -> None:
    cuectl.files({"src/old.ts": "1", "src/lib/gone.ts": "1", "other/a.ts": "1"})
    define(
        cuectl,
        "name: all, event: file.changed, watch: 'src/**/*.ts', prompt: x",
        "name: new, event: file.changed, watch: 'src/**', filter: {changeType: add,"
        " path: '!**/lib/**'}, prompt: '{{CUE_FILE_NAME}}'",
    )
    tick(cuectl, "2026-11-21T02:00:00Z")
    assert told(state) == []
    cuectl.files({"src/old.ts": "22", "src/.new.ts": "1", "src/lib/b.ts": "1", "src/n.md": ""})
    (cuectl.work / "src/lib/gone.ts").unlink()
    settle(*(cuectl.work / "src").glob("**/*"), cuectl.work / "src/lib", cuectl.work / "src")
    tick(cuectl, "2026-11-21T02:01:00Z")
    src = cuectl.work / "src"
    found = [data for name, data in told(state) if name == "all"]
    assert [(data["changeType"], data["path"]) for data in found] == [
        ("add", f"{src}/.new.ts"),
        ("change", f"{src}/old.ts"),
        ("add", f"{src}/lib/b.ts"),
        ("unlink", f"{src}/lib/gone.ts"),
    ]
    assert found[2] == {
        "path": f"{src}/lib/b.ts",
        "filename": "b.ts",
        "directory": f"{src}/lib",
        "extension": ".ts",
        "changeType": "add",
    }
    assert [one for one in prompts(state) if one != "x"] == [".new.ts", "n.md"]


def test_a_file_that_is_being_written_is_told_when_it_rests(
    cuectl: Cuectl, state: StoreState
) -> None:
    define(cuectl, "name: all, event: file.changed, watch: '*.log', prompt: x")
    tick(cuectl, "2026-11-21T02:00:00Z")
    cuectl.files({"a.log": "1"})
    began = time.monotonic()
    tick(cuectl, "2026-11-21T02:01:00Z")
    assert time.monotonic() - began > 4
    assert [data["changeType"] for _, data in told(state)] == ["add"]


def test_a_rewrite_of_the_same_size_and_time_is_seen(cuectl: Cuectl, state: StoreState) -> None:
    cuectl.files({"a.ts": "aaaa", "b.ts": "b"})
    settle(cuectl.work / "a.ts", cuectl.work / "b.ts")
    before = os.stat(cuectl.work / "a.ts")
    define(cuectl, "name: all, event: file.changed, watch: '*.ts', prompt: x")
    tick(cuectl, "2026-11-21T02:00:00Z")
    cuectl.files({"a.ts": "bbbb"})
    os.utime(cuectl.work / "a.ts", ns=(before.st_atime_ns, before.st_mtime_ns))
    (cuectl.work / "b.ts").chmod(0o755)
    tick(cuectl, "2026-11-21T02:01:00Z")
    assert [(data["filename"], data["changeType"]) for _, data in told(state)] == [
        ("a.ts", "change")
    ]


def test_a_rewrite_right_behind_the_first_look_is_seen(cuectl: Cuectl, state: StoreState) -> None:
    define(cuectl, "name: all, event: file.changed, watch: '*.ts', prompt: x")
    cuectl.files({"a.ts": "aaaa"})
    tick(cuectl, "2026-11-21T02:00:00Z")
    cuectl.files({"a.ts": "bbbb"})
    tick(cuectl, "2026-11-21T02:01:00Z")
    assert [data["changeType"] for _, data in told(state)] == ["change"]


def test_odd_names_links_and_loops(cuectl: Cuectl, state: StoreState) -> None:
    work = cuectl.work
    (work / "src").mkdir()
    define(cuectl, "name: all, event: file.changed, watch: '**/*.ts', prompt: '{{CUE_FILE_PATH}}'")
    tick(cuectl, "2026-11-21T02:00:00Z")
    names = ["with space.ts", "new\nline.ts", "$(touch x).ts", "{{CUE_RUN_ID}}.ts", "ü.ts", "-.ts"]
    for name in names:
        (work / "src" / name).touch()
    raw = os.fsencode(work / "src") + b"/bad\xff.ts"
    os.close(os.open(raw, os.O_CREAT | os.O_WRONLY))
    os.mkfifo(work / "src/pipe.ts")
    (work / "src/loop").symlink_to(work)
    (work / "src/self.ts").symlink_to("self.ts")
    (work / "src/out.ts").symlink_to("/etc/passwd")
    (work / "src/in.ts").symlink_to("ü.ts")
    then = time.time() - LONG_AGO_S
    for entry in os.scandir(os.fsencode(work / "src")):
        if entry.is_file(follow_symlinks=False):
            os.utime(entry.path, (then, then))
    tick(cuectl, "2026-11-21T02:01:00Z")
    paths = [data["path"] for _, data in told(state)]
    direct = sorted(one for one in paths if "/loop/" not in one)
    wanted = [os.fsdecode(raw), *(f"{work}/src/{name}" for name in [*names, "in.ts"])]
    assert direct == sorted(wanted)
    assert f"{work}/src/bad\\udcff.ts".encode() in b"\n".join(
        json.dumps(one).encode() for one in paths
    ).replace(b"\\\\", b"\\")
    rows = cuectl.json("executions", "list", "--limit", "100")
    assert {row["status"] for row in rows} == {"succeeded"}
    assert not (work / "x").exists()
    tick(cuectl, "2026-11-21T02:02:00Z")
    assert len(told(state)) == len(paths)


def quiet_home(cuectl: Cuectl) -> None:
    """Make a store whose passes have nothing to do but to look at a file."""
    cuectl.files({"src/a.ts": "1", "TODO.md": "- [ ] one\n"})
    then = time.time() - LONG_AGO_S
    cuectl.home.mkdir(mode=0o700)
    define(
        cuectl,
        "name: files, event: file.changed, watch: 'src/*.ts', prompt: x",
        "name: tasks, event: task.pending, watch: '*.md', prompt: y",
    )
    # By the machine's clock, as only that has short ways; and the file of definitions is old.
    del cuectl.environment["CUECTL_NOW"]
    os.utime(cuectl.work / "cue.yaml", (then, then))
    for _ in range(2):
        assert cuectl.run("run-due").status == 0
    assert (cuectl.home / "next").exists()


def test_a_pass_with_nothing_new_writes_nothing_but_its_heartbeat(
    cuectl: Cuectl, state: StoreState
) -> None:
    quiet_home(cuectl)
    before = {path: path.stat().st_mtime_ns for path in cuectl.home.rglob("*") if path.is_file()}
    cuectl.run("run-due").gives()
    after = {path: path.stat().st_mtime_ns for path in cuectl.home.rglob("*") if path.is_file()}
    assert [path.name for path in before if before[path] != after.get(path)] == ["last-pass"]
    assert before.keys() == after.keys()


def test_a_short_pass_sees_what_is_new(cuectl: Cuectl, state: StoreState) -> None:
    quiet_home(cuectl)
    cuectl.run("run-due").gives()
    cuectl.files({"src/b.ts": "1"})
    settle(cuectl.work / "src/b.ts")
    cuectl.run("run-due").gives()
    cuectl.files({"TODO.md": "- [ ] one\n- [ ] two\n"})
    cuectl.run("run-due").gives()
    assert [(name, data["filename"]) for name, data in told(state)] == [
        ("files", "b.ts"),
        ("tasks", "TODO.md"),
    ]
    # What was lost or damaged is noticed by the full pass that follows.
    for memory in (cuectl.home / "memory").glob("*.json"):
        memory.write_text("{}")
    assert "what an event source has seen can't be read" in cuectl.run("fsck").stdout
    assert "source_failed" in cuectl.run("run-due").stderr
    # What was read again is a source that works again.
    assert "recovered" in cuectl.run("run-due").stderr
    cuectl.run("run-due").gives()


def test_a_pass_that_is_told_to_look_at_one_cue_polls_no_other(
    cuectl: Cuectl, state: StoreState
) -> None:
    define(
        cuectl,
        "name: one, event: file.changed, watch: 'a*', prompt: x",
        "name: two, event: file.changed, watch: 'b*', prompt: x",
    )
    tick(cuectl, "2026-11-21T02:00:00Z")
    cuectl.files({"a1": "", "b1": ""})
    settle(cuectl.work / "a1", cuectl.work / "b1")
    assert cuectl.at("2026-11-21T02:01:00Z").run("run-due", "--only", "one").status == 0
    assert [name for name, _ in told(state)] == ["one"]
    tick(cuectl, "2026-11-21T02:02:00Z")
    assert [name for name, _ in told(state)] == ["one", "two"]


def test_another_pattern_or_a_pause_begins_anew(cuectl: Cuectl, state: StoreState) -> None:
    define(cuectl, "name: one, event: file.changed, watch: 'a*', prompt: x")
    tick(cuectl, "2026-11-21T02:00:00Z")
    cuectl.files({"b1": ""})
    define(cuectl, "name: one, event: file.changed, watch: '[ab]*', prompt: x")
    tick(cuectl, "2026-11-21T02:01:00Z")
    cuectl.run("subscriptions", "pause", "one")
    tick(cuectl, "2026-11-21T02:02:00Z")
    cuectl.files({"b2": ""})
    cuectl.run("subscriptions", "resume", "one")
    tick(cuectl, "2026-11-21T02:03:00Z")
    assert told(state) == []
    # A subscription that is gone leaves nothing behind.
    cuectl.files({"cue.yaml": "settings: {max_parallel: 2}\n"})
    cuectl.run("apply", "cue.yaml")
    tick(cuectl, "2026-11-21T02:04:00Z")
    assert list((cuectl.home / "sources").iterdir()) == []
    assert list((cuectl.home / "memory").glob("*.json")) == []


def test_a_directory_that_is_gone_is_told_once_and_nothing_is_lost(
    cuectl: Cuectl, state: StoreState
) -> None:
    cuectl.files({"project/src/x.ts": "1"})
    settle(cuectl.work / "project/src/x.ts")
    agents = "agents:\n  echo: {driver: command, cmd: [cat], cwd: project}\n"
    cuectl.files(
        {
            "cue.yaml": f"{agents}subscriptions:\n"
            "  - {name: all, event: file.changed, watch: '**/*.ts', prompt: x}\n"
            "  - {name: beat, event: time.heartbeat, interval_minutes: 1, prompt: beat}\n"
        }
    )
    cuectl.at("2026-11-21T01:59:00Z").run("apply", "cue.yaml")
    tick(cuectl, "2026-11-21T02:00:00Z")
    (cuectl.work / "project").rename(cuectl.work / "away")
    (cuectl.work / "project").write_text("a file")
    said = tick(cuectl, "2026-11-21T02:01:00Z")
    where = cuectl.work / "project"
    why = f"can't look into '{where}': not a directory"
    message = f"source_failed: 'all' can't look at its source (file.changed): {why}"
    assert message in said
    assert "source_failed" not in tick(cuectl, "2026-11-21T02:02:00Z")
    (cuectl.work / "project").unlink()
    (cuectl.work / "away").rename(where)
    cuectl.files({"project/src/y.ts": "1"})
    settle(where / "src/y.ts")
    tick(cuectl, "2026-11-21T02:03:00Z")
    assert [(name, data["filename"]) for name, data in told(state) if name == "all"] == [
        ("all", "y.ts")
    ]


def test_many_changes_are_all_told(cuectl: Cuectl, state: StoreState) -> None:
    define(
        cuectl, "name: one, event: file.changed, watch: '*.ts', prompt: x, filter: {filename: nope}"
    )
    tick(cuectl, "2026-11-21T02:00:00Z")
    for number in range(2_500):
        (cuectl.work / f"f{number:04}.ts").touch()
        settle(cuectl.work / f"f{number:04}.ts")
    tick(cuectl, "2026-11-21T02:01:00Z")
    names = [data["filename"] for _, data in told(state)]
    assert names == sorted({f"f{number:04}.ts" for number in range(2_500)})


def test_a_worker_polls_by_itself(cuectl: Cuectl, state: StoreState, passes: Passes) -> None:
    define(cuectl, "name: one, event: file.changed, watch: '*.ts', prompt: '{{CUE_FILE_NAME}}'")
    del cuectl.environment["CUECTL_NOW"]
    worker = passes.run("worker")
    until(lambda: list((cuectl.home / "memory").glob("*.json")), "the first look")
    cuectl.files({"a.ts": "1"})
    settle(cuectl.work / "a.ts")
    until(lambda: prompts(state) == ["a.ts"], "the run", limit_s=90)
    # The journal comes first: a worker that is killed now may leave its views behind that.
    assert worker.end(signal.SIGTERM) == 143


def test_the_state_directory_is_never_watched(cuectl: Cuectl, state: StoreState) -> None:
    other = cuectl.work.parent / "other"
    other.symlink_to(cuectl.user)
    agents = "agents:\n  echo: {driver: command, cmd: [cat]}\n"
    away = f"agents:\n  away: {{driver: command, cmd: [cat], cwd: {other}}}\n"
    one = "event: file.changed, watch: '**', filter: {filename: '!a.txt'}, prompt: x"
    # The user's own file begins where the state directory lies.
    cuectl.home.mkdir(mode=0o700)
    own = cuectl.home / "cue.yaml"
    own.write_text(f"{agents}subscriptions:\n  - {{name: own, agent: echo, {one}}}\n")
    settle(own)
    cuectl.files({"cue.yaml": f"{away}subscriptions:\n  - {{name: away, agent: away, {one}}}\n"})
    cuectl.at("2026-11-21T01:59:00Z").run("apply", "cue.yaml")
    for minute in range(3):
        tick(cuectl, f"2026-11-21T02:0{minute}:00Z")
    (cuectl.user / "a.txt").touch()
    settle(cuectl.user / "a.txt")
    tick(cuectl, "2026-11-21T02:03:00Z")
    assert sorted((name, data["filename"]) for name, data in told(state)) == [
        ("away", "a.txt"),
        ("own", "a.txt"),
    ]


def test_a_relative_path_of_a_filter_begins_at_the_root_of_the_watch(
    cuectl: Cuectl, state: StoreState
) -> None:
    """Not in any directory of that name, nor where the definition file of another agent lies."""
    (cuectl.work / "shop/src").mkdir(parents=True)
    cuectl.files(
        {
            "cue.yaml": "agents:\n  echo: {cmd: [cat]}\n  shop: {cmd: [cat], cwd: shop}\n"
            "subscriptions:\n"
            "- {name: here, event: file.changed, watch: '**', filter: {path: 'src/**'},"
            " agent: echo, prompt: a}\n"
            "- {name: not, event: file.changed, watch: '**/*.ts', filter: {path: '!shop/**'},"
            " agent: echo, prompt: b}\n"
            "- {name: shop, event: file.changed, watch: '**', filter: {path: src/a.ts},"
            " agent: shop, prompt: c}\n"
        }
    )
    cuectl.environment["CUECTL_NOW"] = "2026-11-21T01:59:00Z"
    assert cuectl.run("apply", "cue.yaml").status == 0
    tick(cuectl, "2026-11-21T02:00:00Z")
    cuectl.files({"src/a.ts": "1", "shop/src/a.ts": "1"})
    settle(cuectl.work / "src/a.ts", cuectl.work / "shop/src/a.ts")
    tick(cuectl, "2026-11-21T02:01:00Z")
    tick(cuectl, "2026-11-21T02:02:00Z")
    started = [line["record"]["cue_name"] for line in state.of_type("execution.settled")]
    assert sorted(started) == ["here", "not", "shop"]


def test_tasks_that_are_there_count_at_once_when_initial(cuectl: Cuectl, state: StoreState) -> None:
    cuectl.files({"old.md": "- [ ] old\n"})
    define(
        cuectl,
        "name: at-once, event: task.pending, watch: '*.md', initial: true, prompt: x",
        "name: later, event: task.pending, watch: '*.md', prompt: x",
    )
    tick(cuectl, "2026-11-21T02:00:00Z")
    assert [(name, data["filename"]) for name, data in told(state)] == [("at-once", "old.md")]
    cuectl.files({"new.md": "- [ ]tight\n", "none.md": "```\n- [ ] a\n```\n"})
    tick(cuectl, "2026-11-21T02:01:00Z")
    tick(cuectl, "2026-11-21T02:02:00Z")
    found = [(name, data["filename"]) for name, data in told(state)]
    assert found == [("at-once", "old.md"), ("at-once", "new.md")]
    cuectl.files({"new.md": "- [ ]tight\n- [ ] more\n"})
    tick(cuectl, "2026-11-21T02:03:00Z")
    # The two sources are polled at once; whichever ends first is told first.
    assert sorted((name, data["filename"]) for name, data in told(state)[2:]) == [
        ("at-once", "new.md"),
        ("later", "new.md"),
    ]


def test_another_pattern_does_not_tell_the_same_tasks_again(
    cuectl: Cuectl, state: StoreState
) -> None:
    cuectl.files({"a.md": "- [ ] a\n", "b.txt": "- [ ] b\n"})
    define(cuectl, "name: t, event: task.pending, watch: '*.md', initial: true, prompt: x")
    tick(cuectl, "2026-11-21T02:00:00Z")
    define(cuectl, "name: t, event: task.pending, watch: '*', initial: true, prompt: x")
    tick(cuectl, "2026-11-21T02:01:00Z")
    assert [data["filename"] for _, data in told(state)] == ["a.md", "b.txt"]
