"""The glob of `watch`: a walk sees exactly what the whole pattern matches."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuectl.events.rules.file_changes import Watch
from cuectl.values.glob import glob_test

TREE = (
    *("a.ts", "b.js", ".h.ts", "src/a.ts", "src/.h.ts", "src/lib/a.ts", "src/lib/deep/b.tsx"),
    *(".git/a.ts", "src/.cache/a.ts", "test/a.ts", "src/test/b.ts", "docs/read me.md", "x/y/z"),
)
PATTERNS = (
    *("*.ts", "**/*.ts", "src/**/*.ts", "src/**", "**", "**/*", "src/*.ts", "*/a.ts", "src/a.ts"),
    *("**/*.{ts,tsx}", "{src,test}/**/*.ts", "src/**/test/**", "**/lib/**/b.*", "./src/*.ts"),
    *("**/[ab].ts", "{src/lib,docs}/**", "**/?.ts", "src/**/**/a.ts", "x/*/z", "nope"),
)


def walked(pattern: str, *, hidden: bool) -> set[str]:
    """Return which files of the tree a walk counts, entering directories as it may."""
    watch, found = Watch(pattern=pattern, hidden=hidden), set()
    for path in TREE:
        *parts, name = path.split("/")
        states = watch.start()
        for part in parts:
            states = watch.enter(states, part)
            if states is not None and not states:
                break
        else:
            test = watch.file_test(states, "/".join(parts))
            if test is None or test(name):
                found.add(path)
    return found


@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_walk_finds_what_the_pattern_matches(pattern: str, hidden: bool) -> None:
    whole = glob_test(pattern, hidden=hidden)
    assert walked(pattern, hidden=hidden) == {path for path in TREE if whole(path)}


def test_a_negated_pattern_stands_for_all_others() -> None:
    assert walked("!**/*.ts", hidden=True) == {
        *("b.js", "src/lib/deep/b.tsx", "docs/read me.md", "x/y/z")
    }


def test_directories_that_hold_no_match_are_not_entered() -> None:
    watch = Watch(pattern="src/**/*.ts")
    assert watch.enter(watch.start(), "node_modules") == frozenset()
    assert watch.enter(watch.start(), "src")
    flat = Watch(pattern="*.ts")
    assert flat.enter(flat.start(), "src") == frozenset()


def test_an_extended_group_leaves_out_a_directory() -> None:
    found = walked("!(src|.git)/**/*.ts", hidden=True)
    assert found == {"test/a.ts"}


def test_hidden_names_count_only_where_they_are_asked_for() -> None:
    assert ".h.ts" not in walked("**/*.ts", hidden=False)
    assert ".git/a.ts" not in walked("**", hidden=False)
    assert {".h.ts", "src/.h.ts", ".git/a.ts"} <= walked("**", hidden=True)
    assert walked(".git/*.ts", hidden=False) == {".git/a.ts"}


SEGMENT = st.sampled_from(["*", "**", "src", "*.ts", "?.ts", "{a,b}*", "lib", ".*", "[a-c].ts"])


@given(pattern=st.lists(SEGMENT, min_size=1, max_size=4).map("/".join), hidden=st.booleans())
def test_walking_and_matching_agree(pattern: str, hidden: bool) -> None:
    # Two of them in a row say no more than one, and the whole pattern does not know that.
    while "**/**" in pattern:
        pattern = pattern.replace("**/**", "**")
    whole = glob_test(pattern, hidden=hidden)
    assert walked(pattern, hidden=hidden) == {path for path in TREE if whole(path)}
