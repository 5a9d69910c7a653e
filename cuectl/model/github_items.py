"""Pull requests and issues as `gh` lists them, and which of them are news; pure.

An item is told when it is seen for the first time; what is there at the first look is only
remembered. One that the filter has refused is looked at again when it has changed. Source:
reference/maestro-cue.md 2.2 and 17.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.model.event_types import BODY_LETTERS, ISSUE
from cuectl.model.instants import DAY
from cuectl.model.source_look import Happening
from cuectl.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

Record = dict[str, Any]

LIMIT = 50
LIMIT_BEHIND = 1_000
RETRIGGERS = 10
REMEMBERED_MS = 30 * DAY
_COMMENTS = 50
_COMMON = "number,title,author,url,body,state,labels,createdAt,updatedAt"
_OF_PULL_REQUESTS = "isDraft,headRefName,baseRefName,mergedAt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a subscription wants to know of a repository.

    Attributes:
        event: `github.pull_request` or `github.issue`.
        repo: `owner/name`; None for that of the directory.
        state: `open`, `closed`, `merged` or `all`.
        comments: items whose time has moved are told again, with the new comments.
        most: how often one item is told again; 0 for no limit.
    """

    event: str
    repo: str | None = None
    state: str = "open"
    comments: bool = False
    most: int = RETRIGGERS

    @property
    def word(self) -> str:
        """What an item is in payloads: `pull_request` or `issue`."""
        return self.event.partition(".")[2]

    def arguments(self, limit: int) -> list[str]:
        """Return the arguments of `gh`."""
        issue = self.event == ISSUE
        fields = f"{_COMMON},{'assignees' if issue else _OF_PULL_REQUESTS}"
        words = ["issue" if issue else "pr", "list"]
        if self.repo is not None:
            words += ["--repo", self.repo]
        words += ["--state", self.state, "--limit", str(limit)]
        return [*words, "--json", f"{fields},comments" if self.comments else fields]


def ask_of(trigger: Record) -> Ask:
    """Return what a subscription asks."""
    most = trigger.get("max_notifications")
    return Ask(
        event=trigger["event"],
        repo=trigger.get("repo"),
        state=trigger.get("gh_state") or "open",
        comments=bool(trigger.get("retrigger_on_comments")),
        most=RETRIGGERS if most is None else most,
    )


def item_data(ask: Ask, item: Record) -> Record:
    """Return the payload of an item.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: it is none.
    """
    url = item.get("url") or ""
    data: Record = {
        "type": ask.word,
        "number": int(item["number"]),
        "title": item.get("title") or "",
        "author": (item.get("author") or {}).get("login") or "unknown",
        "url": url,
        "body": (item.get("body") or "")[:BODY_LETTERS],
        "state": (item.get("state") or "open").lower(),
        "labels": ",".join(one["name"] for one in item.get("labels") or ()),
        "repo": ask.repo or _repo_in(url),
        "created_at": item.get("createdAt") or "",
        "updated_at": item.get("updatedAt") or "",
        "is_retrigger": False,
        "retrigger_count": 0,
        "new_comments": [],
    }
    if ask.event == ISSUE:
        assignees = ",".join(one["login"] for one in item.get("assignees") or ())
        return data | {"assignees": assignees}
    return data | {
        "draft": bool(item.get("isDraft")),
        "head_branch": item.get("headRefName") or "",
        "base_branch": item.get("baseRefName") or "",
        "merged_at": item.get("mergedAt") or "",
    }


def _repo_in(url: str) -> str:
    parts = url.partition("://")[2].split("/")
    return "/".join(parts[1:3]) if len(parts) > 2 else ""


def is_behind(ask: Ask, items: list[Record], memory: Record | None) -> bool:
    """Tell whether there may be news beyond the end of a full listing."""
    if memory is None or len(items) < LIMIT:
        return False
    known, floor = memory["items"], memory.get("floor") or 0
    last = item_data(ask, items[-1])
    return _key(last) not in known and last["number"] >= floor


def news(
    ask: Ask,
    items: list[Record],
    memory: Record | None,
    now: int,
    accepts: Callable[[Record], bool],
) -> tuple[list[Happening], Record | None]:
    """Return what is to be told, and what to remember; None when that has not changed.

    Args:
        ask: what the subscription wants.
        items: as `gh` has listed them.
        memory: what it remembers; None at the first look.
        now: of this look.
        accepts: whether the filter takes a payload.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: the items are none.
    """
    listed = sorted((item_data(ask, one) | _comments(one) for one in items), key=_number)
    if memory is None:
        numbers = [one["number"] for one in listed]
        floor = numbers[0] if len(numbers) >= LIMIT else None
        seeded = {_key(one): _entry(one, now) for one in listed}
        return [], {"seeded_at": now, "floor": floor, "items": seeded}
    told: list[Happening] = []
    known: dict[str, Record] = dict(memory["items"])
    for one in listed:
        entry = _after(ask, one, known.get(_key(one)), memory.get("floor"), now, accepts, told)
        if entry is not None:
            known[_key(one)] = entry
    if known == memory["items"]:
        return [], None
    current = {_key(one) for one in listed}
    kept = {
        key: entry
        for key, entry in known.items()
        if key in current or now - entry["at"] < REMEMBERED_MS
    }
    return told, memory | {"items": kept}


def _number(data: Record) -> int:
    number: int = data["number"]
    return number


def _key(data: Record) -> str:
    return f"{data['type']}:{data['repo']}:{data['number']}"


def _comments(item: Record) -> Record:
    """Return the comments of an item, under a name that no payload keeps."""
    found = [
        {
            "author": (one.get("author") or {}).get("login") or "unknown",
            "body": (one.get("body") or "")[:BODY_LETTERS],
            "createdAt": one.get("createdAt") or "",
            "url": one.get("url") or "",
        }
        for one in item.get("comments") or ()
    ]
    return {"_comments": found}


def _entry(data: Record, now: int, *, count: int = 0, taken: bool = True) -> Record:
    entry: Record = {"at": now, "updated": data["updated_at"]}
    if count:
        entry["count"] = count
    return entry if taken else entry | {"refused": True}


def _after(
    ask: Ask,
    data: Record,
    entry: Record | None,
    floor: int | None,
    now: int,
    accepts: Callable[[Record], bool],
    told: list[Happening],
) -> Record | None:
    """Return what to remember of an item; None when that stays. What is news is told."""
    public = {key: value for key, value in data.items() if key != "_comments"}
    if entry is None:
        if floor is not None and data["number"] < floor:
            # It was there at the first look, beyond the end of the listing.
            return _entry(data, now)
    elif entry["updated"] == data["updated_at"]:
        return None
    elif not entry.get("refused"):
        return _again(ask, data, public, entry, now, told)
    told.append(Happening(data=public, subject=data["url"] or None))
    return _entry(data, now, taken=accepts(public))


def _again(
    ask: Ask, data: Record, public: Record, entry: Record, now: int, told: list[Happening]
) -> Record | None:
    count = entry.get("count", 0)
    if not ask.comments or (ask.most and count >= ask.most):
        return None
    fresh = [one for one in data["_comments"] if one["createdAt"] > entry["updated"]]
    more = {"is_retrigger": True, "retrigger_count": count + 1, "new_comments": fresh[-_COMMENTS:]}
    told.append(Happening(data=public | more, subject=data["url"] or None))
    return _entry(data, now, count=count + 1)


def is_rate_limit(text: str) -> bool:
    """Tell whether an error of `gh` says that it was asked too often."""
    low = text.lower()
    return "rate limit" in low or "http 403" in low or "http 429" in low


def back_off_ms(before: int | None, poll_ms: int) -> int:
    """Return how long to wait after another answer that it was too often: up to an hour."""
    return min(max((before or poll_ms) * 2, poll_ms), 3_600_000)
