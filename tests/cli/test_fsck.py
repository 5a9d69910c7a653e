"""`fsck` and `gc` as commands; what they do is tested in tests/store."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tests.cli.past import make_past
from tests.cli.schema_check import assert_fits

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.builder import Cuectl


def a_view(cuectl: Cuectl) -> Path:
    return next(cuectl.home.glob("cues/cue_*[0-9a-z].json"))


def flip(path: Path) -> int:
    """Change a byte of the third line of a file; return its number."""
    raw = path.read_bytes()
    place = len(b"".join(raw.splitlines(keepends=True)[:2])) + 30
    path.write_bytes(raw[:place] + b"~" + raw[place + 1 :])
    return 3


def test_a_whole_store_is_ok(cuectl: Cuectl) -> None:
    make_past(cuectl)

    answer = cuectl.run("fsck")

    assert answer.status == 0
    assert answer.stdout.startswith("ok: ")
    assert answer.stderr == ""
    assert_fits(cuectl.json("fsck"), "fsck")


def test_a_home_that_is_not_there_is_not_made(cuectl: Cuectl) -> None:
    cuectl.run("fsck").gives(f"nothing to check: no '{cuectl.home}'\n")
    cuectl.run("gc").gives("nothing to collect\n")
    assert not cuectl.home.exists()


def test_a_difference_is_named_and_mended_by_a_rebuild(cuectl: Cuectl) -> None:
    make_past(cuectl)
    view = a_view(cuectl)
    view.write_text("{}")
    name = view.relative_to(cuectl.home)

    answer = cuectl.run("fsck")
    assert answer.status == 4
    assert answer.stdout.startswith(f"error  damaged  {name}  it lacks its sum\n")
    assert answer.stderr == "hint: rewrite the views: cuectl fsck --rebuild\n"

    answer = cuectl.run("--json", "fsck", "--rebuild")
    assert answer.status == 0
    assert_fits(answer.json, "fsck")
    assert answer.json["rebuilt"]["views"] == answer.json["views"]


def test_damage_of_the_journal_is_named_and_refused(cuectl: Cuectl) -> None:
    make_past(cuectl)
    (segment,) = cuectl.home.glob("journal/0*.jsonl")
    number = flip(segment)

    answer = cuectl.run("--json", "fsck")
    assert answer.status == 9
    assert_fits(answer.json, "fsck")
    assert answer.json["findings"][0]["subject"] == f"journal/{segment.name}"
    assert answer.json["findings"][0]["line"] == number

    refused = cuectl.run("fsck", "--rebuild")
    assert refused.status == 9
    assert f"'journal/{segment.name}:{number}'" in refused.stderr

    accepted = cuectl.run("fsck", "--rebuild", "--accept-loss")
    assert accepted.status == 0, accepted
    assert "set aside  quarantine/" in accepted.stdout
    assert cuectl.json("list") != []
    assert cuectl.run("create", "--name", "after", "--", "true").status == 0


def test_the_log_goes_on_after_a_loss(cuectl: Cuectl) -> None:
    make_past(cuectl)
    (segment,) = cuectl.home.glob("journal/0*.jsonl")
    flip(segment)
    cuectl.run("fsck", "--rebuild", "--accept-loss")

    assert "journal.salvaged" in cuectl.run("log").stdout
    assert len(cuectl.json("executions", "list")) >= 4


def test_a_loss_is_accepted_only_by_a_rebuild(cuectl: Cuectl) -> None:
    cuectl.run("fsck", "--accept-loss").fails(2, "--accept-loss goes with --rebuild")


def test_a_note_leaves_the_store_ok(cuectl: Cuectl) -> None:
    make_past(cuectl)
    (cuectl.home / "cues" / "cue_x.json~").touch()

    answer = cuectl.run("fsck")

    assert answer.status == 0
    assert answer.stdout.startswith("note  leftover  cues/cue_x.json~  ")


def test_gc_says_what_it_did_and_what_it_would_do(cuectl: Cuectl) -> None:
    make_past(cuectl)
    for path in cuectl.home.glob("runs/*/*"):
        os.utime(path, (0, 0))
    outputs = len(list(cuectl.home.glob("runs/*/*.out")))
    cuectl.at("2027-11-21T02:00:00Z")

    would = cuectl.run("gc", "--dry-run", "-v")
    assert would.stdout.count("would have removed  runs/") >= outputs
    assert list(cuectl.home.glob("runs/*/*.out"))

    done = cuectl.json("gc")
    assert_fits(done, "gc")
    assert len([one for one in done["removed"] if one.endswith(".out")]) == outputs
    assert not list(cuectl.home.glob("runs/*/*.out"))
    assert len(cuectl.json("executions", "list")) == 5


def test_gc_keeps_what_the_settings_say(cuectl: Cuectl) -> None:
    make_past(cuectl)
    (cuectl.home / "cue.yaml").write_text("settings: {retention: {output: 1000d}}\n")
    for path in cuectl.home.glob("runs/*/*"):
        os.utime(path, (0, 0))
    cuectl.at("2027-11-21T02:00:00Z")

    assert cuectl.json("gc")["removed"] == []
    assert cuectl.json("gc", "--output", "30d")["removed"] != []
