"""What has changed between two looks at a tree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuectl.events.rules.file_changes import (
    ChangeKind,
    FileChange,
    changes_between,
    entries_of,
    file_data,
    is_changed,
    merged,
    text_of,
)

FACTS = "1000/5/2000/100644.1.0.0"


def tree(**files: str) -> dict[str, str]:
    """Return a look; `src__a` is the file `a` in `src`."""
    found: dict[str, dict[str, str]] = {}
    for path, facts in files.items():
        directory, _, name = path.rpartition("__")
        found.setdefault(directory, {})[name] = facts
    return {directory: text_of(entries) for directory, entries in found.items()}


def test_files_come_change_and_go() -> None:
    before = tree(a=FACTS, src__b=FACTS, src__c=FACTS, old__d=FACTS)
    after = tree(a=FACTS, src__b="1001/5/2001/100644.1.0.0", src__e=FACTS)
    assert changes_between(before, after) == [
        FileChange("old", "d", ChangeKind.UNLINK),
        FileChange("src", "b", ChangeKind.CHANGE),
        FileChange("src", "c", ChangeKind.UNLINK),
        FileChange("src", "e", ChangeKind.ADD),
    ]


@pytest.mark.parametrize(
    ("facts", "changed"),
    [
        ("1001/5/2001/100644.1.0.0", True),  # written
        ("1000/6/2001/100644.1.0.0", True),  # grown, its time set back
        ("1000/5/2001/100644.1.0.0", True),  # rewritten in the same size, its time set back
        ("1000/5/2001/100755.1.0.0", False),  # chmod
        ("1000/5/2001/100644.2.0.0", False),  # a hard link more
        ("1000/5/2001/100644.1.7.7", False),  # chown
        (FACTS, False),
    ],
)
def test_what_a_change_of_a_file_is(facts: str, changed: bool) -> None:
    assert is_changed(FACTS, facts) is changed


def test_what_can_not_be_read_has_not_gone() -> None:
    before = tree(a=FACTS, src__b=FACTS, src__lib__c=FACTS)
    before["src/lib"] = before.pop("src__lib")
    after = tree(a=FACTS)
    assert changes_between(before, after, ["src"]) == []
    assert merged(before, after, [], ["src"]) == before


def test_changes_that_are_told_later_are_remembered_as_they_were() -> None:
    before = tree(a=FACTS, b=FACTS)
    after = tree(b="9/9/9/100644.1.0.0", c=FACTS)
    changes = changes_between(before, after)
    assert len(changes) == 3
    assert entries_of(merged(before, after, changes)[""]) == entries_of(before[""])
    assert merged(before, after, []) == after
    for one in changes:
        rest = merged(before, after, [one])
        assert changes_between(rest, after) == [one]


NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=[]), min_size=1)


@given(entries=st.dictionaries(NAMES, st.just(FACTS)))
def test_any_name_survives(entries: dict[str, str]) -> None:
    assert entries_of(text_of(entries)) == entries


@pytest.mark.parametrize(
    ("name", "extension"),
    [
        ("a.ts", ".ts"),
        ("a.tar.gz", ".gz"),
        (".env", ""),
        (".env.local", ".local"),
        ("a", ""),
        ("a.", "."),
        ("..x", ""),
    ],
)
def test_what_a_payload_says_of_a_file(name: str, extension: str) -> None:
    assert file_data(f"/p/src/{name}") == {
        "path": f"/p/src/{name}",
        "filename": name,
        "directory": "/p/src",
        "extension": extension,
    }
