"""Which items of GitHub are news."""

from __future__ import annotations

from typing import Any

import pytest

from cuectl.events.rules import github_items
from cuectl.events.rules.event import News
from cuectl.events.rules.github_items import (
    LIMITS,
    ItemQuery,
    ask_of,
    back_off_ms,
    is_rate_limit,
    item_data,
    lacks_comments,
)
from cuectl.values.times import DAY, from_text

NOW = from_text("2026-11-21T12:00:00Z")
COMMON = "number,title,author,url,body,state,labels,createdAt,updatedAt"
PR = ItemQuery(event="github.pull_request", repo="acme/shop")


def item(number: int, updated: str = "2026-11-21T10:00:00Z", **more: Any) -> dict[str, Any]:
    url = f"https://github.com/acme/shop/pull/{number}"
    return {"number": number, "title": f"no {number}", "updatedAt": updated, "url": url, **more}


def look(
    items: list[dict[str, Any]],
    memory: Any,
    ask: ItemQuery = PR,
    now: int = NOW,
    taken: bool = True,
    room: int = 1_000,
) -> tuple[list[dict[str, Any]], Any]:
    news = News(accepts=lambda _: taken, room=room)
    after = github_items.look(ask, items, memory, now, news)
    return [one.data for one in news.told], after


def test_the_first_look_only_remembers_even_nothing() -> None:
    told, memory = look([item(1)], None)
    assert (told, set(memory["items"])) == ([], {"pull_request:acme/shop:1"})
    told, memory = look([], None)
    assert told == []
    told, memory = look([item(1)], memory)
    assert [one["number"] for one in told] == [1]
    assert look([item(1)], memory) == ([], None)


def test_news_come_oldest_first() -> None:
    told, _ = look([item(9), item(7), item(8)], look([], None)[1])
    assert [one["number"] for one in told] == [7, 8, 9]


def test_a_payload_of_a_pull_request() -> None:
    whole = item(
        7,
        author={"login": "ann"},
        body="b" * 6_000,
        state="OPEN",
        isDraft=True,
        labels=[{"name": "bug"}, {"name": "p1"}],
        headRefName="fix",
        baseRefName="main",
        createdAt="2026-11-20T10:00:00Z",
        mergedAt=None,
    )
    assert item_data(PR, whole) == {
        "type": "pull_request",
        "number": 7,
        "title": "no 7",
        "author": "ann",
        "url": "https://github.com/acme/shop/pull/7",
        "body": "b" * 5_000,
        "state": "open",
        "labels": "bug,p1",
        "repo": "acme/shop",
        "created_at": "2026-11-20T10:00:00Z",
        "updated_at": "2026-11-21T10:00:00Z",
        "is_retrigger": False,
        "retrigger_count": 0,
        "new_comments": [],
        "draft": True,
        "head_branch": "fix",
        "base_branch": "main",
        "merged_at": "",
    }


def test_a_payload_of_an_issue_without_its_repository_named() -> None:
    ask = ItemQuery(event="github.issue")
    url = "https://github.com/acme/shop/issues/3"
    data = item_data(ask, {"number": 3, "url": url, "assignees": [{"login": "a"}, {"login": "b"}]})
    assert (data["repo"], data["assignees"], data["author"]) == ("acme/shop", "a,b", "unknown")
    assert "draft" not in data


def test_an_item_that_was_refused_is_looked_at_again_when_it_changes() -> None:
    told, memory = look([item(1, isDraft=True)], look([], None)[1], taken=False)
    assert len(told) == 1
    assert look([item(1, isDraft=True)], memory) == ([], None)
    told, memory = look([item(1, "2026-11-21T11:00:00Z")], memory)
    assert [(one["number"], one["is_retrigger"]) for one in told] == [(1, False)]
    assert look([item(1, "2026-11-21T11:30:00Z")], memory) == ([], None)


def test_comments_tell_an_item_again_up_to_the_limit() -> None:
    ask = ask_of(
        {"event": "github.pull_request", "retrigger_on_comments": True, "max_notifications": 2}
    )
    memory = look([item(1)], None, ask)[1]
    counts = []
    for hour in (11, 12, 13, 14):
        when = f"2026-11-21T{hour}:00:00Z"
        comment = {"author": {"login": "bob"}, "body": "hm", "createdAt": when, "url": "u"}
        old = {"body": "old", "createdAt": "2026-11-21T09:00:00Z"}
        told, after = look([item(1, when, comments=[old, comment])], memory, ask)
        memory = after or memory
        counts += [(one["retrigger_count"], one["new_comments"]) for one in told]
    fresh = [
        [{"author": "bob", "body": "hm", "createdAt": f"2026-11-21T{hour}:00:00Z", "url": "u"}]
        for hour in (11, 12)
    ]
    assert counts == [(1, fresh[0]), (2, fresh[1])]


def test_a_retrigger_that_the_filter_refuses_uses_up_nothing() -> None:
    ask = ask_of(
        {"event": "github.pull_request", "retrigger_on_comments": True, "max_notifications": 1}
    )
    memory = look([item(1)], None, ask)[1]
    comments: list[dict[str, str]] = []
    counts: list[tuple[int, list[str]]] = []
    for hour, taken in ((11, False), (12, False), (13, True), (14, True)):
        when = f"2026-11-21T{hour}:00:00Z"
        comments.append({"body": str(hour), "createdAt": when})
        told, after = look([item(1, when, comments=comments)], memory, ask, taken=taken)
        memory = after or memory
        bodies = [[said["body"] for said in one["new_comments"]] for one in told]
        counts += [(one["retrigger_count"], *bodies) for one in told]
    assert counts == [(1, ["11"]), (1, ["11", "12"]), (1, ["11", "12", "13"])]


def test_what_finds_no_place_is_not_seen_and_comes_again() -> None:
    memory = look([], None)[1]
    items = [item(number) for number in (1, 2, 3)]
    told, memory = look(items, memory, room=2)
    assert [one["number"] for one in told] == [1, 2]
    assert look(items, memory, room=0) == ([], None)
    told, memory = look(items, memory)
    assert [one["number"] for one in told] == [3]
    assert look(items, memory) == ([], None)


def test_what_the_filter_refuses_needs_no_place() -> None:
    told, memory = look([item(1)], look([], None)[1], taken=False, room=0)
    assert [one["number"] for one in told] == [1]
    assert memory["items"]["pull_request:acme/shop:1"]["refused"] is True


def test_new_comments_that_find_no_place_come_again() -> None:
    ask = ask_of({"event": "github.pull_request", "retrigger_on_comments": True})
    memory = look([item(1)], None, ask)[1]
    said = [{"body": "hm", "createdAt": "2026-11-21T11:00:00Z"}]
    later = [item(1, "2026-11-21T11:00:00Z", comments=said)]
    assert look(later, memory, ask, room=0) == ([], None)
    assert [one["retrigger_count"] for one in look(later, memory, ask)[0]] == [1]


def test_all_comments_are_asked_for_where_a_listing_may_lack_the_newest() -> None:
    memory = look([item(1), item(2)], None)[1]
    hundred = [{"body": "x", "createdAt": "2026-11-20T10:00:00Z"}] * 100
    later = "2026-11-21T11:00:00Z"
    assert lacks_comments(PR, item(1, later, comments=hundred), memory)
    assert not lacks_comments(PR, item(1, later, comments=hundred[:99]), memory)
    assert not lacks_comments(PR, item(1, comments=hundred), memory)
    assert not lacks_comments(PR, item(3, later, comments=hundred), memory)
    assert not lacks_comments(PR, item(1, later, comments=hundred), None)


def test_what_was_beyond_the_end_of_the_first_listing_is_not_new() -> None:
    full = [item(number) for number in range(9_000, 9_000 - LIMITS[-1], -1)]
    memory = look(full, None)[1]
    told, memory = look([*full[1:], item(50)], memory)
    assert told == []
    assert "pull_request:acme/shop:50" in memory["items"]
    assert [one["number"] for one in look([item(9_001)], memory)[0]] == [9_001]


def test_items_are_forgotten_after_thirty_days_unless_they_are_still_there() -> None:
    memory = look([item(1), item(2)], None)[1]
    later = NOW + 31 * DAY
    _, memory = look([item(2), item(3)], memory, now=later)
    assert set(memory["items"]) == {"pull_request:acme/shop:2", "pull_request:acme/shop:3"}
    assert look([item(2), item(3)], memory, now=later) == ([], None)


@pytest.mark.parametrize("bad", [{}, {"number": "x"}, {"number": 1, "labels": [{}]}, 5])
def test_what_is_no_item_is_refused(bad: Any) -> None:
    with pytest.raises((KeyError, TypeError, ValueError, AttributeError)):
        look([bad], None)


def test_asking_too_often_waits_twice_as_long_each_time() -> None:
    assert is_rate_limit("API rate limit exceeded for user")
    assert is_rate_limit("gh: HTTP 429")
    assert not is_rate_limit("could not resolve host")
    waits = [back_off_ms(None, 300_000)]
    for _ in range(5):
        waits.append(back_off_ms(waits[-1], 300_000))
    assert waits == [600_000, 1_200_000, 2_400_000, 3_600_000, 3_600_000, 3_600_000]


def test_the_arguments_of_gh() -> None:
    assert PR.arguments(50) == [
        *("pr", "list", "--repo", "acme/shop", "--state", "open", "--limit", "50", "--json"),
        f"{COMMON},isDraft,headRefName,baseRefName,mergedAt",
    ]
    assert ItemQuery(event="github.issue").arguments(50)[:4] == ["issue", "list", "--state", "open"]
    words = ["pr", "view", "7", "--repo", "acme/shop", "--json", "comments"]
    assert PR.comments_arguments(item(7)) == words
