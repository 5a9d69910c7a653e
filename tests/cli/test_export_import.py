from __future__ import annotations

import gzip
import io
import os
import signal
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.schema_check import assert_fits
from tests.fixtures.observing import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.builder import Cuectl

EVENING, NIGHT = "2026-11-21T01:00:00Z", "2026-11-21T02:00:30Z"


@pytest.fixture
def lived(cuectl: Cuectl) -> Cuectl:
    """A home with definitions, a cue, and a night behind it."""
    cuectl.at(EVENING)
    assert cuectl.run("init").status == 0
    own = 'handlers:\n  audit: {cmd: ["echo", "audited"]}\n'
    (cuectl.home / "cue.yaml").write_text(own + "cues:\n  mine: {cron: '0 5 * * *', task: audit}\n")
    (cuectl.home / "env").write_text("TOKEN=x\n")
    (cuectl.home / "env").chmod(0o600)
    assert cuectl.run("create", "--name", "a", "--cron", "0 2 * * *", "--task", "audit").status == 0
    assert cuectl.run("run-due").status == 0
    cuectl.at(NIGHT)
    assert cuectl.run("run-due").status == 0
    return cuectl


def state(cuectl: Cuectl, *home: str) -> list[Any]:
    asked = (("list",), ("executions", "list"), ("log",))
    cues, executions, _ = (cuectl.run(*home, "--json", *words).stdout for words in asked)
    return [cues, executions.replace(str(cuectl.home), "HOME")]


def test_what_was_exported_is_there_again(lived: Cuectl, tmp_path: Path) -> None:
    done = lived.json("export", "cue.tar.gz")
    assert_fits(done, "export")
    file = lived.work / "cue.tar.gz"
    assert done["bytes"] == file.stat().st_size
    assert file.stat().st_mode & 0o777 == 0o600
    before = state(lived)
    lived.home.rename(tmp_path / "aside")
    again = lived.json("import", "cue.tar.gz")
    assert_fits(again, "export")
    assert again["files"] == done["files"]
    assert state(lived) == before
    assert (lived.home / "env").stat().st_mode & 0o777 == 0o600
    assert lived.run("executions", "output", lived.json("executions", "list")[0]["id"]).stdout == (
        "audited\n"
    )


def test_a_home_at_another_place_goes_on(lived: Cuectl, tmp_path: Path) -> None:
    assert lived.run("export", "cue.tar.gz", "-q").gives().status == 0
    other = tmp_path / "other"
    flag = ("--home", str(other))
    assert lived.run(*flag, "import", "cue.tar.gz", "-q").gives().status == 0
    text = (other / "cue.yaml").read_text()
    (other / "cue.yaml").write_text(text.replace("0 5 * * *", "0 6 * * *"))
    lived.at("2026-11-22T02:00:30Z")
    answer = lived.run(*flag, "run-due")
    assert (answer.status, answer.stderr) == (0, "")
    assert len(lived.run(*flag, "--json", "executions", "list", "--cue", "a").json) == 2
    mine = lived.run(*flag, "--json", "get", "mine").json
    assert mine["trigger"]["expression"] == "0 6 * * *"
    assert lived.run(*flag, "fsck").status == 0
    assert lived.run(*flag, "status").stdout.count("problem") == 0


def test_nothing_is_overwritten(lived: Cuectl) -> None:
    lived.files({"cue.tar.gz": "mine"})
    path = lived.work / "cue.tar.gz"
    lived.run("export", "cue.tar.gz").fails(
        6, f"'{path}' exists", "choose another name, or move it away"
    )
    assert path.read_text() == "mine"
    assert lived.run("export", "new.tar.gz").status == 0
    lived.run("import", "new.tar.gz").fails(
        6, f"'{lived.home}' exists", "choose another place: cuectl --home DIR import"
    )


def test_what_is_not_there_is_told(cuectl: Cuectl) -> None:
    cuectl.run("export", "x").fails(5, f"there is no state directory '{cuectl.home}'")
    cuectl.run("import", "x").fails(5, f"there is no file '{cuectl.work}/x'")
    assert cuectl.run("export").status == 2
    assert cuectl.run("import", "a", "b").status == 2
    assert not cuectl.home.exists()


def packed(*members: tuple[str, bytes, bytes]) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        for name, content, kind in members:
            member = tarfile.TarInfo(name)
            member.type, member.size, member.linkname = kind, len(content), "/etc/passwd"
            tar.addfile(member, io.BytesIO(content))
    return raw.getvalue()


FILE = tarfile.REGTYPE
BAD = {
    "nothing": b"",
    "no gzip": b"hello",
    "no tar": gzip.compress(b"hello" * 1000),
    "a path above": packed(("cue/../x", b"1", FILE)),
    "an absolute path": packed(("/etc/x", b"1", FILE)),
    "another top": packed(("other/FORMAT", b"1\n", FILE)),
    "a link": packed(("cue/env", b"", tarfile.SYMTYPE)),
    "a hard link": packed(("cue/env", b"", tarfile.LNKTYPE)),
    "a device": packed(("cue/env", b"", tarfile.CHRTYPE)),
    "a lock": packed(("cue/lock", b"", FILE)),
    "a damaged view": packed(("cue/cues/cue_x.json", b"{}", FILE)),
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD.keys())
def test_a_file_that_is_no_export_is_refused(cuectl: Cuectl, content: bytes) -> None:
    (cuectl.work / "bad").write_bytes(content)
    answer = cuectl.run("import", "bad")
    assert answer.status == 7, answer
    assert answer.stderr.startswith(f"cuectl: error: {cuectl.work}/bad: ")
    assert list(cuectl.user.iterdir()) == []


def test_a_newer_format_is_refused(cuectl: Cuectl) -> None:
    (cuectl.work / "new").write_bytes(packed(("cue/FORMAT", b"99\n", FILE)))
    assert cuectl.run("import", "new").status == 9
    assert list(cuectl.user.iterdir()) == []


def test_an_export_that_is_cut_off_or_changed_anywhere_is_refused(
    lived: Cuectl, tmp_path: Path
) -> None:
    assert lived.run("export", "cue.tar.gz").status == 0
    whole = (lived.work / "cue.tar.gz").read_bytes()
    bad = [whole[: len(whole) * part // 7] for part in range(1, 7)] + [whole[:-1]]
    places = range(20, len(whole), len(whole) // 6)
    bad += [whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :] for at in places]
    other = tmp_path / "other" / "cue"
    for number, content in enumerate(bad):
        (lived.work / "bad").write_bytes(content)
        answer = lived.run("--home", str(other), "import", "bad")
        assert answer.status in (7, 9), (number, answer)
        assert list(other.parent.iterdir()) == []


@pytest.mark.parametrize("word", ["export", "import"])
def test_one_that_is_killed_leaves_nothing_under_the_name(
    lived: Cuectl, tmp_path: Path, word: str
) -> None:
    for number in range(60):
        large = lived.home / "runs" / "2026-11-21" / f"exec_{number:020}.out"
        large.write_bytes(os.urandom(1 << 19))
    target = tmp_path / "out.tar.gz"
    words = ["export", str(target)]
    if word == "import":
        assert lived.run(*words).status == 0
        words = ["--home", str(tmp_path / "other" / "cue"), "import", str(target)]
        target = tmp_path / "other" / "cue"
        target.parent.mkdir()
    running = lived.start(*words)
    until(lambda: any("~" in path.name for path in target.parent.iterdir()))
    os.kill(running.pid, signal.SIGKILL)
    running.communicate()
    assert not target.exists()
    assert lived.run(*words).status == 0
    assert target.exists()
    assert lived.run("run-due").status == 0


def test_an_export_while_passes_are_made_is_of_one_instant(lived: Cuectl, tmp_path: Path) -> None:
    words = ("--every", "1s", "--catch-up", "all", "--shell", "true")
    assert lived.run("create", "--name", "busy", *words).status == 0
    lived.at("2026-11-21T02:02:00Z")
    running = lived.start("run-due")
    for number in range(3):
        file = tmp_path / f"{number}.tar.gz"
        assert lived.run("export", str(file)).status == 0
        answer = lived.run("--home", str(tmp_path / f"home-{number}"), "import", str(file))
        assert answer.status == 0, answer
        assert lived.run("--home", str(tmp_path / f"home-{number}"), "fsck").status == 0
    running.communicate(timeout=60)
    assert running.returncode == 0
