"""State directories that are read-only, full, foreign, tampered with, or damaged."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

from cuectl.store.home import FORMAT
from tests.fixtures.background import WAITS
from tests.fixtures.observing import StoreState, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.background import Passes
    from tests.fixtures.builder import Answer, Cuectl

EFFECT = "echo $CUE_CUE_NAME >> effects"


def effects(cuectl: Cuectl) -> list[str]:
    path = cuectl.work / "effects"
    return path.read_text().split() if path.exists() else []


def fired(cuectl: Cuectl, name: str = "job") -> None:
    """Make a cue that is to be run by the next pass."""
    assert cuectl.run("create", "--name", name, "--shell", EFFECT).status == 0
    assert cuectl.run("fire", name).status == 0


def contents(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder, the lock aside."""
    found = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {str(path): path.read_bytes() for path in found if path.name != "lock"}


def one_line(answer: Answer, status: int, *words: str) -> None:
    """Check that a command said in one line, and perhaps a hint, why it failed."""
    lines = answer.stderr.splitlines()
    assert answer.status == status, answer
    assert answer.stdout == ""
    assert lines[0].startswith("cuectl: error: ")
    assert [line.startswith("hint: ") for line in lines[1:]] in ([], [True])
    for word in words:
        assert word in answer.stderr


# --- read-only and full -----------------------------------------------------------------------


def in_namespace(cuectl: Cuectl, script: str) -> str:
    """Run a script with mounts of its own; `$H` is the home, `$C` the program."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount something")
    if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no mount namespaces here")
    environment = cuectl.environment | {"H": str(cuectl.home), "C": str(cuectl.programs / "cuectl")}
    done = subprocess.run(
        ["unshare", "-m", "sh", "-ec", script],
        cwd=cuectl.work,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def test_a_read_only_home_can_be_read_and_nothing_else(cuectl: Cuectl, state: StoreState) -> None:
    fired(cuectl)
    before = contents(cuectl.home)
    said = in_namespace(
        cuectl,
        'mount --bind "$H" "$H"; mount -o remount,ro,bind "$H"\n'
        '"$C" list; "$C" executions list; "$C" log; "$C" get job\n'
        'for words in "create --name x -- true" "fire job" run-due "pause job"; do\n'
        '  "$C" $words && exit 9; echo "status $?"\n'
        "done",
    )

    assert said.count("status 1\n") == 4
    assert said.count("cuectl: error: ") == 4
    assert said.count("ead-only file system") == 4
    assert contents(cuectl.home) == before
    assert effects(cuectl) == []


FULL = {
    "size=2m": 'head -c 1G /dev/zero > "$H/fill/1" 2>/dev/null || true',
    "nr_inodes=60": 'n=0; while touch "$H/fill/$n"; do n=$((n+1)); done 2>/dev/null',
}


def on_a_full_disk(cuectl: Cuectl, limit: str, script: str) -> tuple[str, StoreState]:
    """Run a script on a file system without space; return what it said, and the store then."""
    kept = cuectl.work / "kept"
    said = in_namespace(
        cuectl,
        f'mkdir -m 700 "$H"; mount -t tmpfs -o mode=700,{limit} none "$H"\n'
        f'"$C" create --name job --shell \'{EFFECT}\'; "$C" fire job\n'
        f'mkdir "$H/fill"; {FULL[limit]}\n'
        f'set +e; echo full\n{script}\ncp -a "$H" {kept}\n',
    )
    cuectl.checked = False
    return said.partition("full\n")[2], StoreState(kept)


@pytest.mark.parametrize("limit", FULL)
def test_a_full_disk_loses_nothing_and_heals(cuectl: Cuectl, limit: str) -> None:
    """What was acknowledged is there, what was not did not happen, and space is all it needs."""
    said, state = on_a_full_disk(
        cuectl,
        limit,
        '"$C" run-due; echo "run-due: $?"\n'
        '"$C" list; echo "list: $?"\n'
        'rm -r "$H/fill"\n'
        '"$C" run-due; echo "healed: $?"\n'
        '"$C" run-due; echo "again: $?"\n',
    )

    assert "list: 0\n" in said
    assert "healed: 0\nagain: 0\n" in said
    assert "no space left on device" in said.lower()
    assert state.differences() == []
    if state.ends() == ["succeeded"]:
        assert "run-due: 1\n" in said
        assert effects(cuectl) == ["job"]
    else:
        # The last block of the journal had room for the claim, and the spawn log found none.
        assert state.ends() == ["failed(No space left on device: 'the spawn log')"]
        assert effects(cuectl) == []


def test_what_finds_no_space_did_not_happen(cuectl: Cuectl) -> None:
    large = json.dumps({"text": "x" * 9000})
    said, state = on_a_full_disk(
        cuectl,
        "size=2m",
        f'"$C" create --name large --payload \'{large}\' -- true; echo "create: $?"\n'
        'rm -r "$H/fill"; "$C" create --name other -- true; "$C" run-due',
    )

    assert "create: 1\n" in said
    created = [line["set"] for line in state.of_type("cue.created")]
    assert "large" not in json.dumps(created)
    assert len(created) == 2
    assert state.differences() == []


def test_what_is_durable_is_acknowledged_though_the_views_stay_behind(cuectl: Cuectl) -> None:
    said, state = on_a_full_disk(
        cuectl,
        "nr_inodes=60",
        '"$C" create --name other -- true; echo "create: $?"\nrm -r "$H/fill"; "$C" run-due',
    )

    assert len(state.of_type("cue.created")) == 2
    assert "create: 0\n" in said
    assert state.differences() == []


def test_a_file_size_limit_is_like_a_full_disk(cuectl: Cuectl, state: StoreState) -> None:
    fired(cuectl)
    size = sum(path.stat().st_size for path in (cuectl.home / "journal").glob("*.jsonl"))
    blocks = size // 512
    script = f'ulimit -f {blocks}; exec "{cuectl.programs}/cuectl" create --name x -- true'
    done = subprocess.run(
        ["sh", "-c", script],
        cwd=cuectl.work,
        env=cuectl.environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1, done
    assert "cuectl: error:" in done.stderr
    assert "Traceback" not in done.stderr
    assert cuectl.run("run-due").status == 0
    assert effects(cuectl) == ["job"]


# --- whose, and of which version --------------------------------------------------------------


def test_a_foreign_home_is_refused(cuectl: Cuectl, state: StoreState) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may give a directory away")
    fired(cuectl)
    before = contents(cuectl.home)
    os.chown(cuectl.home, 65534, 65534)
    answers = [cuectl.run(*words) for words in (("run-due",), ("list",), ("fire", "job"))]
    os.chown(cuectl.home, 0, 0)

    for answer in answers:
        one_line(answer, 8, "belongs to another user", "CUECTL_HOME")
    assert contents(cuectl.home) == before


def test_a_home_that_others_may_write_to_is_refused(cuectl: Cuectl, state: StoreState) -> None:
    fired(cuectl)
    cuectl.home.chmod(0o722)
    answers = [cuectl.run(*words) for words in (("run-due",), ("list",), ("fire", "job"))]
    cuectl.home.chmod(0o700)

    for answer in answers:
        one_line(answer, 8, "others may write to", f"chmod 700 {cuectl.home}")
    assert effects(cuectl) == []


@pytest.mark.parametrize("text", [f"{FORMAT + 1}\n", "1000\n"])
def test_a_newer_home_is_left_alone(cuectl: Cuectl, state: StoreState, text: str) -> None:
    fired(cuectl)
    before = contents(cuectl.home)
    (cuectl.home / "FORMAT").write_text(text)
    for words in (("run-due",), ("fire", "job"), ("create", "--name", "x", "--", "true")):
        one_line(cuectl.run(*words), 9, f"has format {text.strip()}", "upgrade cuectl")
    (cuectl.home / "FORMAT").write_text("1\n")

    assert contents(cuectl.home) == before


@pytest.mark.parametrize("text", ["", "one\n", "\x00\x00"])
def test_a_format_that_says_nothing_is_an_error(
    cuectl: Cuectl, state: StoreState, text: str
) -> None:
    fired(cuectl)
    (cuectl.home / "FORMAT").write_text(text)
    answer = cuectl.run("run-due")
    (cuectl.home / "FORMAT").write_text("1\n")

    one_line(answer, 9, "FORMAT")
    assert effects(cuectl) == []


def test_a_symbolic_link_is_no_home(cuectl: Cuectl, state: StoreState, tmp_path: Path) -> None:
    fired(cuectl)
    link = tmp_path / "link"
    link.symlink_to(cuectl.home)
    cuectl.env(CUECTL_HOME=str(link))
    answer = cuectl.run("run-due")
    del cuectl.environment["CUECTL_HOME"]

    one_line(answer, 8, "is a symbolic link", str(cuectl.home))


def test_a_file_is_no_home(cuectl: Cuectl) -> None:
    cuectl.home.write_text("")
    one_line(cuectl.run("create", "--name", "x", "--", "true"), 8, "is not a directory")
    cuectl.home.unlink()


@pytest.mark.parametrize("name", ["a b", "ünïcödé", "new\nline", "-dash", "$(touch pwned)"])
def test_a_home_with_any_name(cuectl: Cuectl, name: str) -> None:
    home = cuectl.work / name
    cuectl.env(CUECTL_HOME=str(home))
    work = "cuectl report --success --external-id x && cuectl chain --name next -- true"
    assert cuectl.run("create", "--name", "job", "--shell", work).status == 0
    assert cuectl.run("fire", "job", "--wait").status == 0
    assert cuectl.run("run-due").status == 0
    assert cuectl.run("run-due").status == 0

    state = StoreState(home)
    assert state.ends() == ["succeeded"] * 2
    assert state.one("job")["external_id"] == "x"
    assert state.differences() == []
    assert not (cuectl.work / "pwned").exists()


# --- what stands in the place of our files ------------------------------------------------------


@pytest.mark.parametrize("kind", ["symlink", "hard link", "fifo", "directory"])
@pytest.mark.parametrize("name", ["lock", "journal/000000000001.jsonl"])
def test_what_is_no_plain_file_of_ours_is_refused(
    cuectl: Cuectl, tmp_path: Path, name: str, kind: str
) -> None:
    fired(cuectl)
    path = cuectl.home / name
    kept, other = tmp_path / "kept", tmp_path / "other"
    path.rename(kept)
    shutil.copy(kept, other)
    before = other.read_bytes()
    if kind == "symlink":
        path.symlink_to(other)
    elif kind == "hard link":
        path.hardlink_to(other)
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()

    answer = cuectl.run("run-due")

    assert answer.status in (1, 8, 9), answer
    assert answer.stderr.startswith("cuectl: error: ")
    assert other.read_bytes() == before
    assert effects(cuectl) == []
    cuectl.checked = False


@pytest.mark.parametrize("kind", ["symlink", "fifo", "not empty"])
def test_what_stands_in_the_place_of_an_output_is_left_alone(
    cuectl: Cuectl, state: StoreState, tmp_path: Path, kind: str
) -> None:
    fired(cuectl)
    identity = state.one()["id"]
    day = state.one()["scheduled_for"][:10]
    path = cuectl.home / "runs" / day / f"{identity}.out"
    path.parent.mkdir(mode=0o700)
    other = tmp_path / "other"
    other.write_text("precious")
    if kind == "symlink":
        path.symlink_to(other)
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.write_text("from before")

    assert cuectl.run("run-due").status == 0

    assert state.one()["status"] == "failed"
    assert path.name in state.one()["reason"]
    assert other.read_text() == "precious"
    assert effects(cuectl) == []


@pytest.mark.parametrize(
    "command",
    [
        'mkfifo "$CUE_OUTCOME_FILE"',
        'ln -s /etc/hostname "$CUE_OUTCOME_FILE"',
        'mkdir "$CUE_OUTCOME_FILE"',
        'ln -s /dev/zero "$CUE_OUTCOME_FILE"',
    ],
)
def test_an_outcome_that_is_no_file_is_a_problem_on_record(
    cuectl: Cuectl, state: StoreState, command: str
) -> None:
    cuectl.run("create", "--name", "job", "--shell", command)
    cuectl.run("fire", "job")
    assert cuectl.run("run-due").status == 0

    record = state.one()
    assert record["status"] == "succeeded"
    assert record["outcome_problem"].startswith("outcome_file_unreadable: ")


def test_a_huge_outcome_is_not_read(cuectl: Cuectl, state: StoreState) -> None:
    script = 'truncate -s 5G "$CUE_OUTCOME_FILE"'
    cuectl.run("create", "--name", "job", "--shell", script)
    cuectl.run("fire", "job")
    assert cuectl.run("run-due").status == 0

    assert state.one()["status"] == "succeeded"
    assert "outcome" in state.one()["outcome_problem"]


def test_a_payload_file_is_private(cuectl: Cuectl, state: StoreState) -> None:
    cuectl.home.mkdir(mode=0o700)
    handler = {"cmd": "stat -c %a $CUE_PAYLOAD_FILE", "payload_file": True}
    (cuectl.home / "cue.yaml").write_text(json.dumps({"handlers": {"job": handler}}))
    cuectl.run("create", "--name", "job", "--task", "job")
    cuectl.run("fire", "job")
    cuectl.run("run-due")

    assert state.output(state.one()) == b"600\n"


# --- modes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("umask", ["000", "022", "777"])
def test_modes_are_ours_whatever_the_umask(cuectl: Cuectl, state: StoreState, umask: str) -> None:
    script = (
        f"umask {umask}; c={cuectl.programs}/cuectl\n"
        "$c create --name job --shell 'umask; cuectl report --success; cuectl chain -- true'\n"
        "$c fire job; $c run-due; $c run-due\n"
    )
    subprocess.run(
        ["sh", "-ec", script],
        cwd=cuectl.work,
        env=cuectl.environment,
        check=True,
        capture_output=True,
    )

    for path in [cuectl.home, *cuectl.home.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), (path, oct(mode))
    # The handler has the umask of its caller, as far as one can live with it.
    found = state.output(state.one("job")).decode().split()[0]
    assert found == ("0077" if umask == "777" else f"0{umask}")
    assert state.ends() == ["succeeded"] * 2


# --- damage -----------------------------------------------------------------------------------


DAMAGES = {
    "empty": b"",
    "cut": b'{"id": "cue_',
    "not JSON": b"\xff\xfe nonsense",
    "an array": b"[]\n",
    "another thing": b'{"unexpected": 1}\n',
    "deep": b'{"a":' * 20_000,
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("suffix", [".json", ".s.json", ".n.json"])
def test_a_damaged_record_is_mended_and_stops_nothing(
    cuectl: Cuectl, state: StoreState, suffix: str, damage: str
) -> None:
    cuectl.at("2026-11-21T01:59:00Z")
    for name in ("good", "bad", "worse"):
        words = ("--cron", "* * * * *", "--shell", EFFECT)
        assert cuectl.run("create", "--name", name, *words).status == 0
    path = cuectl.home / "cues" / f"{state.cue('bad')['id']}{suffix}"
    path.write_bytes(DAMAGES[damage])

    answer = cuectl.at("2026-11-21T02:00:05Z").run("run-due")

    assert answer.status == 0, answer
    assert sorted(effects(cuectl)) == ["bad", "good", "worse"]
    assert state.alerts() == ["view_quarantined"]
    assert path.name in answer.stderr
    kept = [one for one in (cuectl.home / "quarantine").rglob("*") if one.is_file()]
    assert [one.read_bytes() for one in kept] == [DAMAGES[damage]]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_open_record_is_mended(
    cuectl: Cuectl, passes: Passes, state: StoreState, damage: str
) -> None:
    cuectl.run("create", "--name", "job", "--shell", WAITS + "cuectl report --success")
    cuectl.run("fire", "job")
    busy = passes.start("job")
    fired(cuectl, "other")
    cuectl.run("fire", "job")
    cuectl.run("run-due")  # makes the views of the first pass as well
    busy.kill()
    (path,) = [
        one
        for one in (cuectl.home / "open").iterdir()
        if json.loads(one.read_text())["status"] == "pending"
    ]
    path.write_bytes(DAMAGES[damage])
    (cuectl.work / "go").touch()

    def is_over() -> bool:
        assert cuectl.run("run-due").status == 0
        return not list((cuectl.home / "open").iterdir())

    until(is_over)
    assert state.ends("job") == ["succeeded"] * 2
    assert effects(cuectl) == ["other"]
    assert "view_quarantined" in state.alerts()


@pytest.mark.parametrize("lost", [1, 7, 40, 200])
def test_a_torn_end_of_the_journal_is_cut_and_kept_aside(
    cuectl: Cuectl, state: StoreState, tmp_path: Path, lost: int
) -> None:
    fired(cuectl, "first")
    path = cuectl.home / "journal" / "000000000001.jsonl"
    whole = path.read_bytes()
    shutil.copytree(cuectl.home, tmp_path / "before")
    cuectl.run("create", "--name", "second", "--", "true")
    torn = path.read_bytes()[len(whole) : -lost]
    shutil.rmtree(cuectl.home)
    (tmp_path / "before").rename(cuectl.home)
    with path.open("ab") as file:
        file.write(torn)

    assert cuectl.run("run-due").status == 0

    assert path.read_bytes().startswith(whole)
    assert effects(cuectl) == ["first"]
    aside = [one for one in cuectl.home.rglob("*") if one.is_file() and one != path]
    assert torn in [one.read_bytes() for one in aside]


def test_damage_in_the_middle_of_the_journal_changes_nothing(cuectl: Cuectl) -> None:
    fired(cuectl)
    path = cuectl.home / "journal" / "000000000001.jsonl"
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(bytes(data))
    (cuectl.home / "journal" / "applied").unlink()
    before = contents(cuectl.home)

    one_line(cuectl.run("run-due"), 9, "000000000001.jsonl", "line 1 is damaged", "cuectl fsck")

    assert contents(cuectl.home) == before
    assert effects(cuectl) == []
    cuectl.checked = False


def test_a_journal_that_went_back_is_noticed(cuectl: Cuectl) -> None:
    fired(cuectl)
    path = cuectl.home / "journal" / "000000000001.jsonl"
    old = path.read_bytes()
    cuectl.run("run-due")
    path.write_bytes(old)

    one_line(cuectl.run("run-due"), 9, "went back", "cuectl fsck --rebuild")
    assert path.read_bytes() == old
    assert effects(cuectl) == ["job"]
    cuectl.checked = False


def test_a_home_that_vanishes_ends_a_worker(cuectl: Cuectl, passes: Passes) -> None:
    fired(cuectl)
    worker = passes.run("worker", "--poll", "0.05s")
    until(lambda: effects(cuectl) == ["job"])
    until((cuectl.home / "last-pass").exists)
    # At once: while files are removed one by one, the worker may make new ones.
    cuectl.home.rename(cuectl.work / "away")

    assert worker.end() != 0
    assert worker.stderr.count("cuectl: error: ") == 1
    assert "Traceback" not in worker.stderr
