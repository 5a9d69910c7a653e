from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from cuectl.applying.apply import AppliedFile, apply_file, forget_file, preview
from cuectl.definitions.in_force import definitions, definitions_now, load_worker_file
from cuectl.definitions.source_files import drifted, home_path
from cuectl.passes.run_due import definitions_for_pass
from cuectl.process.runtime import Runtime
from cuectl.store.store import Store
from cuectl.values.errors import Conflict, InvalidFile, NotFound
from tests.fixtures.cue_making import assert_views_hold, change, found, last_lines, make, markers

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import ManualClock

WORKER = """
handlers:
  audit: {cmd: python3 audit.py, timeout: 3600, env: {TOKEN: "${TOKEN}"}}
  tidy: sh tidy.sh
"""
CUES = """
cues:
  nightly: {cron: "0 2 * * *", timezone: America/New_York, task: audit}
  beat: {every: 15m, command: [./ping.sh]}
"""


def write(folder: Path, text: str, name: str = "cue.yaml") -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def apply(runtime: Runtime, folder: Path, text: str, name: str = "cue.yaml") -> AppliedFile:
    return apply_file(runtime, write(folder, text, name))


def test_an_applied_file_brings_handlers_and_cues_in_one_group(
    runtime: Runtime, tmp_path: Path
) -> None:
    applied = apply(runtime, tmp_path, WORKER + CUES)

    assert applied.cues.created == ["nightly", "beat"]
    lines = last_lines(runtime, 3)
    assert [(line["type"], line["left"]) for line in lines] == [
        ("cue.created", 2),
        ("cue.created", 1),
        ("definitions.applied", 0),
    ]
    handler = definitions(runtime.store).handler("audit")
    assert handler is not None
    assert (handler.shell, handler.timeout_s, handler.cwd) == (
        "python3 audit.py",
        3600.0,
        str(tmp_path),
    )
    cue, _ = found(runtime, "nightly")
    assert (cue.origin.kind, cue.origin.path) == ("file", f"{tmp_path}/cue.yaml")
    assert found(runtime, "beat")[0].target["cwd"] == str(tmp_path)
    assert_views_hold(runtime)


def test_applying_the_same_file_again_changes_nothing(runtime: Runtime, tmp_path: Path) -> None:
    apply(runtime, tmp_path, WORKER + CUES)
    before = last_lines(runtime, 99)

    again = apply_file(runtime, str(tmp_path / "cue.yaml"))

    assert again.is_empty
    assert last_lines(runtime, 99) == before


def test_what_is_removed_from_the_file_is_deleted(runtime: Runtime, tmp_path: Path) -> None:
    apply(runtime, tmp_path, WORKER + CUES)

    applied = apply(runtime, tmp_path, "cues: {beat: {every: 15m, command: [./ping.sh]}}")

    assert applied.cues.deleted == ["nightly"]
    assert (applied.cues.created, applied.cues.updated) == ([], [])
    with pytest.raises(NotFound):
        found(runtime, "nightly")
    assert definitions(runtime.store).handler("audit") is None
    assert len(markers(runtime)) == 1
    assert_views_hold(runtime)


def test_a_changed_cue_keeps_its_id_and_its_pause(runtime: Runtime, tmp_path: Path) -> None:
    from cuectl.cues.change import stage_pause

    apply(runtime, tmp_path, CUES)
    before, state = found(runtime, "beat")
    with change(runtime) as tx:
        stage_pause(tx, before, state)

    applied = apply(runtime, tmp_path, CUES.replace("15m", "20m"))

    after, state = found(runtime, "beat")
    assert applied.cues.updated == ["beat"]
    assert (after.id, after.trigger["every_s"], state.status) == (before.id, 1200, "paused")


def test_a_heartbeat_is_not_moved_by_another_change(
    runtime: Runtime, tmp_path: Path, clock: ManualClock
) -> None:
    apply(runtime, tmp_path, CUES)
    before, _ = found(runtime, "beat")
    clock.advance(100)

    apply(runtime, tmp_path, CUES.replace("./ping.sh", "./pong.sh"))

    assert found(runtime, "beat")[0].trigger == before.trigger


def test_changes_by_hand_are_set_back_and_named(runtime: Runtime, tmp_path: Path) -> None:
    from cuectl.cues.change import update_cue
    from cuectl.cues.rules.draft import CueDraft

    apply(runtime, tmp_path, CUES)
    update_cue(runtime, "beat", CueDraft(description="mine", name="mine"))

    assert preview(runtime, str(tmp_path / "cue.yaml")).reset_by_hand() == ["beat"]
    assert found(runtime, "mine")[0].description == "mine"

    apply_file(runtime, str(tmp_path / "cue.yaml"))

    assert found(runtime, "beat")[0].description is None


def test_a_one_shot_of_a_file_stays_when_its_time_is_over(
    runtime: Runtime, tmp_path: Path, clock: ManualClock
) -> None:
    once = "cues: {once: {at: '2026-11-21T03:00:00Z', command: ['true']}}\n"
    apply(runtime, tmp_path, once)
    clock.advance(86_400)

    assert apply(runtime, tmp_path, once + WORKER).cues.updated == []
    with pytest.raises(InvalidFile, match=r"cue\.yaml: cue 'once': .* is in the past"):
        apply(runtime, tmp_path, once.replace("03:00", "04:00"))


def test_a_relative_time_of_a_file_does_not_move_on(
    runtime: Runtime, tmp_path: Path, clock: ManualClock
) -> None:
    once = "cues: {once: {at: tomorrow 09:00, command: ['true']}}\n"
    apply(runtime, tmp_path, once)
    before = found(runtime, "once")[0].trigger
    clock.advance(60)

    apply(runtime, tmp_path, once + WORKER)

    assert found(runtime, "once")[0].trigger == before


def test_the_same_handler_in_two_files_is_refused_naming_both(
    runtime: Runtime, tmp_path: Path
) -> None:
    apply(runtime, tmp_path / "a", WORKER)

    with pytest.raises(Conflict) as caught:
        apply(runtime, tmp_path / "b", WORKER)

    assert f"{tmp_path}/a/cue.yaml" in caught.value.message
    assert f"{tmp_path}/b/cue.yaml" in caught.value.message


def test_the_name_of_a_cue_from_elsewhere_is_refused(runtime: Runtime, tmp_path: Path) -> None:
    make(runtime, name="nightly", cron="@daily")

    with pytest.raises(Conflict, match="has the name of a cue that was made by hand"):
        apply(runtime, tmp_path, CUES)

    with pytest.raises(NotFound):
        found(runtime, "beat")


def test_a_cue_can_move_from_one_file_to_another(runtime: Runtime, tmp_path: Path) -> None:
    apply(runtime, tmp_path / "a", CUES)
    with pytest.raises(Conflict):
        apply(runtime, tmp_path / "b", CUES)

    apply(runtime, tmp_path / "a", "secrets: [TOKEN]\n")
    apply(runtime, tmp_path / "b", CUES)

    assert found(runtime, "beat")[0].origin.path == f"{tmp_path}/b/cue.yaml"


def test_a_changed_file_has_drifted_until_it_is_applied(runtime: Runtime, tmp_path: Path) -> None:
    path = write(tmp_path, WORKER)
    apply_file(runtime, path)
    assert drifted(runtime.store) == []

    os.utime(path, (1, 1))
    assert drifted(runtime.store) == []
    write(tmp_path, WORKER + CUES)
    assert drifted(runtime.store) == [path]
    apply_file(runtime, path)
    assert drifted(runtime.store) == []
    os.unlink(path)
    assert drifted(runtime.store) == [path]


def test_an_invalid_file_makes_no_home(tmp_path: Path, clock: ManualClock) -> None:
    runtime = Runtime(home=str(tmp_path / "nothing"), environment={}, clock=clock)
    path = write(tmp_path, "cues: {a: {cron: '0 25 * * *', command: ['true']}}")

    for call in (apply_file, preview):
        with pytest.raises(InvalidFile):
            call(runtime, path)

    assert not (tmp_path / "nothing").exists()


def test_a_preview_changes_nothing(runtime: Runtime, tmp_path: Path) -> None:
    path = write(tmp_path, CUES + f"  big: {{task: a, payload: {{text: {'x' * 70_000}}}}}\n")

    assert preview(runtime, path).cues.created == ["nightly", "beat", "big"]

    assert last_lines(runtime, 9) == []
    assert not os.path.exists(f"{runtime.home}/payloads")


def test_a_file_that_is_gone_can_be_forgotten(runtime: Runtime, tmp_path: Path) -> None:
    path = write(tmp_path, WORKER + CUES)
    apply_file(runtime, path)
    os.unlink(path)

    assert forget_file(runtime, path).cues.deleted == ["nightly", "beat"]

    assert definitions(runtime.store).handler("tidy") is None
    assert_views_hold(runtime)
    with pytest.raises(NotFound):
        forget_file(runtime, path)


@pytest.mark.parametrize(
    ("mode", "message"), [(0o666, "everybody may write"), (0o000, "can't be read")]
)
def test_a_file_that_is_not_ours_to_trust_is_refused(
    runtime: Runtime, tmp_path: Path, mode: int, message: str
) -> None:
    if mode == 0 and os.geteuid() == 0:
        pytest.skip("root reads everything")
    path = write(tmp_path, WORKER)
    os.chmod(path, mode)

    with pytest.raises(InvalidFile, match=message):
        apply_file(runtime, path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_of_another_user_is_refused_until_it_is_ours(
    runtime: Runtime, tmp_path: Path
) -> None:
    path, own = write(tmp_path, WORKER), home_path(runtime.home)
    runtime.store.flush()
    with open(own, "w", encoding="utf-8") as file:
        file.write("handlers: {ours: echo}\n")
    for one in (path, own):
        os.chown(one, 4242, -1)
    with pytest.raises(InvalidFile, match="belongs to another user") as error:
        apply_file(runtime, path)
    _, problem = definitions_for_pass(runtime)

    assert error.value.hint == f"read it, then make it yours: sudo chown 0 {path}"
    assert problem is not None
    assert "belongs to another user" in problem
    assert definitions(runtime.store).handler("ours") is None
    for one in (path, own):
        os.chown(one, 0, -1)
    apply_file(runtime, path)
    in_force, problem = definitions_for_pass(runtime)
    assert problem is None
    assert in_force.handler("ours") is not None
    assert in_force.handler("tidy") is not None


def test_a_mode_that_is_put_right_counts_at_the_next_pass(runtime: Runtime) -> None:
    """Regression: it was known by inode, size and time, which a mode does not change."""
    path = home_path(runtime.home)
    runtime.store.flush()
    with open(path, "w", encoding="utf-8") as file:
        file.write(WORKER)
    os.chmod(path, 0o666)
    _, problem = definitions_for_pass(runtime)
    assert problem is not None
    assert "everybody may write" in problem
    os.chmod(path, 0o600)
    in_force, problem = definitions_for_pass(runtime)
    assert problem is None
    assert in_force.handler("tidy") is not None
    # Closed again, what was read while it could be trusted stays in force.
    os.chmod(path, 0o666)
    in_force, problem = definitions_for_pass(runtime)
    assert problem is not None
    assert in_force.handler("tidy") is not None


def test_a_directory_and_a_missing_file_are_no_definitions(
    runtime: Runtime, tmp_path: Path
) -> None:
    with pytest.raises(InvalidFile, match="not a plain file"):
        apply_file(runtime, str(tmp_path))
    with pytest.raises(NotFound):
        apply_file(runtime, str(tmp_path / "none.yaml"))


def test_the_handlers_of_a_worker_file_win(runtime: Runtime, tmp_path: Path) -> None:
    apply(runtime, tmp_path / "a", WORKER + "settings: {max_parallel: 3}\n")
    own = write(tmp_path / "b", "handlers: {audit: own.sh}\nsecrets: [X]\n", "worker.yaml")

    in_force = load_worker_file(own, definitions(runtime.store))

    audit, tidy = in_force.handler("audit"), in_force.handler("tidy")
    assert audit is not None
    assert tidy is not None
    assert (audit.shell, tidy.shell) == ("own.sh", "sh tidy.sh")
    assert in_force.settings.max_parallel == 3
    assert in_force.secrets == ("X",)


def test_reading_finds_the_definitions_without_the_lock(runtime: Runtime, tmp_path: Path) -> None:
    apply(runtime, tmp_path, WORKER)
    reader = Store(runtime.home)

    assert definitions_now(reader, runtime.home).handler("audit") is not None
