from __future__ import annotations

import pytest

from cuectl.values.glob import glob_test


@pytest.mark.parametrize(
    ("pattern", "text", "matched"),
    [
        ("*.ts", "a.ts", True),
        ("*.ts", ".ts", False),
        ("*.ts", "src/a.ts", False),
        ("*", "", False),
        ("*", "anything", True),
        ("*", ".hidden", False),
        ("*", "\nline", False),
        ("*", "two\nlines", True),
        ("*bug*", "a bug here", True),
        ("*bug*", "area/ui,bug", False),
        ("WIP*", "WIP: a/b", False),
        ("**/src/**", "/repo/src/x", True),
        ("**/src/**", "src/x/y.ts", True),
        ("**/src/**", "/repo/src", True),
        ("**/src/**", "/repo/srcs/x", False),
        ("**/src/**", "/repo/.git/src/x", False),
        ("**/src/**", "/repo/src/.hidden", False),
        ("**/.git/**", "/repo/.git/x", True),
        ("src/**", "src", True),
        ("src/**", "/repo/src/x", False),
        ("feature/*", "feature/a", True),
        ("feature/*", "feature/a/b", False),
        ("**/*.ts", "/a/b/c.ts", True),
        ("**/*.ts", "c.ts", True),
        ("a**b", "axxb", True),
        ("a**b", "a/b", False),
        ("*.?s", "a.ts", True),
        ("*.[jt]s", "a.js", True),
        ("*.[jt]s", "a.cs", False),
        ("*.[^jt]s", "a.cs", True),
        ("*[!a]", "x!", True),
        ("*.{ts,tsx}", "a.tsx", True),
        ("*.{ts,tsx}", "a.t", False),
        ("v{1..3}*", "v2.0", True),
        ("v{1..3}*", "v4.0", False),
        ("*(docs)*", "docsdocs", True),
        ("*(docs)*", "my docs", True),
        ("+(a|b)*", "abx", True),
        ("!(*.md)*", "a.ts", True),
        ("*.!(md)", "a.md", False),
        ("*.!(md)", "a.ts", True),
        (r"\*x*", "*xy", True),
        (r"\*x*", "axy", False),
        ("deploy-*", "deploy-staging", True),
        ("deploy-*", "Deploy-staging", False),
        ("*[", "a[", True),
        ("*{a", "x{a", True),
    ],
)
def test_globs_mean_what_the_table_says(pattern: str, text: str, matched: bool) -> None:
    assert glob_test(pattern)(text) is matched
