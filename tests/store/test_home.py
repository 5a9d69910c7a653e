"""Where the state directory is, and whether it is safe to use."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from cuectl.store import home
from cuectl.values.errors import Refused, StateError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("option", "environment", "expected"),
    [
        ("/a", {"CUECTL_HOME": "/b", "HOME": "/c"}, "/a"),
        (None, {"CUECTL_HOME": "/b", "HOME": "/c"}, "/b"),
        (None, {"HOME": "/c"}, "/c/.cue"),
        (None, {"CUECTL_HOME": "", "HOME": "/c"}, "/c/.cue"),
        ("/a/../b/", {"HOME": "/c"}, "/b"),
    ],
)
def test_where_it_is(option: str | None, environment: dict[str, str], expected: str) -> None:
    assert home.locate(option, environment) == expected


def test_without_home_the_user_database_says(monkeypatch: pytest.MonkeyPatch) -> None:
    import pwd

    assert home.locate(None, {}) == f"{pwd.getpwuid(os.geteuid()).pw_dir}/.cue"


def test_a_relative_path_is_that_of_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert home.locate("here", {}) == f"{tmp_path}/here"


def test_it_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "cue"
    assert home.check(str(path)) is False
    home.make(str(path))
    home.make(str(path))

    assert home.check(str(path)) is True
    assert (path / "FORMAT").read_text() == "1\n"
    names = {one.name for one in path.iterdir()}
    assert names >= {"journal", "cues", "open", "waiting", "due", "runs", "passes", "keys"}
    for one in [path, *path.rglob("*")]:
        assert stat.S_IMODE(one.stat().st_mode) == (0o700 if one.is_dir() else 0o600)


def test_a_directory_that_the_user_has_begun_is_completed(tmp_path: Path) -> None:
    path = tmp_path / "cue"
    path.mkdir(mode=0o700)
    (path / "cue.yaml").write_text("handlers: {}\n")
    home.make(str(path))

    assert home.check(str(path))
    assert (path / "cue.yaml").read_text() == "handlers: {}\n"


def test_one_that_was_killed_half_way_is_completed(tmp_path: Path) -> None:
    """FORMAT comes last, so that a home which has it has everything."""
    path = tmp_path / "cue"
    home.make(str(path))
    (path / "FORMAT").unlink()
    os.rmdir(path / "passes")
    home.make(str(path))

    assert (path / "passes").is_dir()


@pytest.mark.parametrize("names", [["notes.txt"], [".bashrc"], ["journal", "README"]])
def test_a_directory_with_the_files_of_others_is_not_taken(
    tmp_path: Path, names: list[str]
) -> None:
    """A wrong CUECTL_HOME must not strew folders among the files of a project."""
    path = tmp_path / "project"
    path.mkdir(mode=0o700)
    for name in names:
        (path / name).touch()

    with pytest.raises(Refused, match="is no state directory: it holds") as error:
        home.make(str(path))
    with pytest.raises(Refused):
        home.check(str(path))

    assert error.value.hint is not None
    assert sorted(one.name for one in path.iterdir()) == sorted(names)


@pytest.mark.parametrize("names", [["cue.yaml", "prompts"], ["env", "notes"], ["lost+found"]])
def test_a_directory_that_is_meant_as_a_home_is_taken(tmp_path: Path, names: list[str]) -> None:
    path = tmp_path / "cue"
    path.mkdir(mode=0o700)
    for name in names:
        (path / name).touch()
    home.make(str(path))

    assert home.check(str(path))


def test_a_home_that_has_lost_its_format_is_still_one(tmp_path: Path) -> None:
    path = tmp_path / "cue"
    home.make(str(path))
    (path / "lock").touch()
    (path / "FORMAT").unlink()

    assert home.check(str(path)) is False
    home.make(str(path))
    assert home.check(str(path))


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
def test_others_may_not_write(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "cue"
    home.make(str(path))
    path.chmod(mode)
    with pytest.raises(Refused, match="others may write"):
        home.check(str(path))


@pytest.mark.parametrize("is_there", [True, False])
def test_nobody_may_put_another_home_in_its_place(tmp_path: Path, is_there: bool) -> None:
    """Regression: below a directory of all, another user could exchange it under a pass."""
    above = tmp_path / "open" / "deep"
    above.mkdir(parents=True)
    path = above / "cue"
    if is_there:
        home.make(str(path))
    above.parent.chmod(0o777)
    (tmp_path / "link").symlink_to(above)
    for name in (path, tmp_path / "link" / "cue"):
        with pytest.raises(Refused, match=r"anyone can replace .* is world-writable") as error:
            home.make(str(name))
        assert error.value.hint is not None
        assert error.value.hint.startswith(f"chmod o-w '{above.parent}'")
    assert path.exists() == is_there
    # With the sticky bit, only its owner may move a thing away.
    above.parent.chmod(0o1777)
    home.make(str(path))
    assert home.check(str(path))


@pytest.mark.parametrize("mode", [0o700, 0o750, 0o755])
def test_others_may_read(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "cue"
    home.make(str(path))
    path.chmod(mode)
    assert home.check(str(path))


def test_a_link_and_a_file_are_refused(tmp_path: Path) -> None:
    home.make(f"{tmp_path}/cue")
    (tmp_path / "link").symlink_to(tmp_path / "cue")
    (tmp_path / "file").touch()

    with pytest.raises(Refused, match="symbolic link"):
        home.check(f"{tmp_path}/link")
    with pytest.raises(Refused, match="not a directory"):
        home.check(f"{tmp_path}/file")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a directory away")
def test_a_foreign_one_is_refused(tmp_path: Path) -> None:
    home.make(f"{tmp_path}/cue")
    os.chown(tmp_path / "cue", 12_345, -1)
    with pytest.raises(Refused, match="another user"):
        home.check(f"{tmp_path}/cue")


@pytest.mark.parametrize(
    ("text", "message"),
    [("3\n", "has format 3"), ("", "damaged"), ("x", "damaged"), ("1.5", "damaged")],
)
def test_a_format_that_is_not_ours(tmp_path: Path, text: str, message: str) -> None:
    home.make(f"{tmp_path}/cue")
    (tmp_path / "cue" / "FORMAT").write_text(text)
    with pytest.raises(StateError, match=message):
        home.check(f"{tmp_path}/cue")


def test_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home, "file_system", lambda _: "nfs4")
    with pytest.raises(Refused, match="network file system"):
        home.make(f"{tmp_path}/cue")
    assert home.check(f"{tmp_path}/cue") is False


def test_the_file_system_is_that_of_the_longest_mount_point(tmp_path: Path) -> None:
    assert home.file_system("/proc/self") == "proc"
    assert home.file_system(str(tmp_path)) not in ("", "proc")
