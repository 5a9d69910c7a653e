"""Pull requests and issues as `gh` lists them, and which of them are news; pure.

An item is reported when it is seen for the first time; what is there at the first look is only
remembered. One that the filter has refused is looked at again when it has changed. Source:
reference/maestro-cue.md 2.2 and 17.
"""

from __future__ import annotations

from cuectl.events.rules.event import BODY_LETTERS, ISSUE, Happening
from cuectl.values.records import dataclass
from cuectl.values.times import DAY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.events.rules.event import News
    from cuectl.values.records import Record

# `gh` asks for as many pages as there are, up to the limit; few repositories have more.
LIMITS = (1_000, 5_000)
RETRIGGERS = 10
REMEMBERED_MS = 30 * DAY
_COMMENTS = 50
_COMMENTS_LISTED = 100
_COMMON = "number,title,author,url,body,state,labels,createdAt,updatedAt"
_OF_PULL_REQUESTS = "isDraft,headRefName,baseRefName,mergedAt"


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemQuery:
    """What a subscription wants to know of a repository."""

    event: str
    repo: str | None = None  # `owner/name`; None for that of the directory
    state: str = "open"
    comments: bool = False  # items whose time has moved are reported again, with the new comments
    most: int = RETRIGGERS  # how often one item is reported again; 0 for no limit

    @property
    def word(self) -> str:
        """What an item is in payloads: `pull_request` or `issue`."""
        return self.event.partition(".")[2]

    def arguments(self, limit: int) -> list[str]:
        """Return the arguments of `gh`."""
        fields = f"{_COMMON},{'assignees' if self.event == ISSUE else _OF_PULL_REQUESTS}"
        words = [*self._words("list"), "--state", self.state, "--limit", str(limit)]
        return [*words, "--json", f"{fields},comments" if self.comments else fields]

    def comments_arguments(self, item: Record) -> list[str]:
        """Return the arguments of `gh` for all comments of an item."""
        return [*self._words("view", str(item["number"])), "--json", "comments"]

    def _words(self, *verb: str) -> list[str]:
        kind = "issue" if self.event == ISSUE else "pr"
        return [kind, *verb, *(("--repo", self.repo) if self.repo is not None else ())]


def ask_of(trigger: Record) -> ItemQuery:
    """Return what a subscription asks."""
    most = trigger.get("max_notifications")
    return ItemQuery(
        event=trigger["event"],
        repo=trigger.get("repo"),
        state=trigger.get("gh_state") or "open",
        comments=bool(trigger.get("retrigger_on_comments")),
        most=RETRIGGERS if most is None else most,
    )


def item_data(ask: ItemQuery, item: Record) -> Record:
    """Return an item's payload. Raises KeyError, TypeError, ValueError, AttributeError."""
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
        return data | {"assignees": ",".join(one["login"] for one in item.get("assignees") or ())}
    return data | {
        "draft": bool(item.get("isDraft")),
        "head_branch": item.get("headRefName") or "",
        "base_branch": item.get("baseRefName") or "",
        "merged_at": item.get("mergedAt") or "",
    }


def _repo_in(url: str) -> str:
    parts = url.partition("://")[2].split("/")
    return "/".join(parts[1:3]) if len(parts) > 2 else ""


def lacks_comments(ask: ItemQuery, item: Record, memory: Record | None) -> bool:
    """Tell whether a listing may leave out the newest comments of an item that has changed."""
    entry = (memory or {"items": {}})["items"].get(_key(item_data(ask, item)))
    is_changed = entry is not None and entry["updated"] != item.get("updatedAt")
    return is_changed and len(item.get("comments") or ()) >= _COMMENTS_LISTED


def look(
    ask: ItemQuery, items: list[Record], memory: Record | None, now: int, news: News
) -> Record | None:
    """Tell the news, and return what to remember; None: no change. Raises as `item_data` does."""
    listed = [item_data(ask, one) | {"_comments": _comments(one)} for one in items]
    listed.sort(key=lambda one: int(one["number"]))
    if memory is None:
        floor = listed[0]["number"] if len(listed) >= LIMITS[-1] else None
        seeded = {_key(one): _entry(one, now) for one in listed}
        return {"seeded_at": now, "floor": floor, "items": seeded}
    known: dict[str, Record] = dict(memory["items"])
    current = {_key(one): one for one in listed}
    for key, one in current.items():
        entry = _after(ask, one, known.get(key), memory.get("floor"), now, news)
        if entry is not None:
            known[key] = entry
    if known == memory["items"]:
        return None
    old = [key for key, entry in known.items() if now - entry["at"] >= REMEMBERED_MS]
    for key in set(old) - current.keys():
        del known[key]
    return memory | {"items": known}


def _key(data: Record) -> str:
    return f"{data['type']}:{data['repo']}:{data['number']}"


def _comments(item: Record) -> list[Record]:
    return [
        {
            "author": (one.get("author") or {}).get("login") or "unknown",
            "body": (one.get("body") or "")[:BODY_LETTERS],
            "createdAt": one.get("createdAt") or "",
            "url": one.get("url") or "",
        }
        for one in item.get("comments") or ()
    ]


def _entry(data: Record, now: int, *, count: int = 0, taken: bool = True) -> Record:
    entry: Record = {"at": now, "updated": data["updated_at"]}
    entry |= {"count": count} if count else {}
    return entry if taken else entry | {"refused": True}


def _after(
    ask: ItemQuery, data: Record, entry: Record | None, floor: int | None, now: int, news: News
) -> Record | None:
    """Return what to remember of an item; None when that stays. What is news is reported."""
    public = {key: value for key, value in data.items() if key != "_comments"}
    if entry is None:
        if floor is not None and data["number"] < floor:
            # It was there at the first look, beyond the end of the listing.
            return _entry(data, now)
    elif entry["updated"] == data["updated_at"]:
        return None
    elif not entry.get("refused"):
        return _again(ask, data, public, entry, now, news)
    if not news.tell(Happening(data=public, subject=data["url"] or None)):
        return None
    return _entry(data, now, taken=news.accepts(public))


def _again(
    ask: ItemQuery, data: Record, public: Record, entry: Record, now: int, news: News
) -> Record | None:
    count = entry.get("count", 0)
    if not ask.comments or (ask.most and count >= ask.most):
        return None
    since = entry.get("since", entry["updated"])
    fresh = [one for one in data["_comments"] if one["createdAt"] > since]
    more = {"is_retrigger": True, "retrigger_count": count + 1, "new_comments": fresh[-_COMMENTS:]}
    if not news.tell(Happening(data=public | more, subject=data["url"] or None)):
        return None
    if news.accepts(public | more):
        return _entry(data, now, count=count + 1)
    # The next one that the filter takes brings these comments too.
    return _entry(data, now, count=count) | {"since": since}


def is_rate_limit(text: str) -> bool:
    """Tell whether an error of `gh` says that it was asked too often."""
    low = text.lower()
    return "rate limit" in low or "http 403" in low or "http 429" in low


def back_off_ms(before: int | None, poll_ms: int) -> int:
    """Return how long to wait after another answer that it was too often: up to an hour."""
    return min(max((before or poll_ms) * 2, poll_ms), 3_600_000)
