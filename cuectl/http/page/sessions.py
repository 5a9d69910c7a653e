"""Who may look at the page: sessions that stand in a path, and forms of theirs.

A session is in the path and not in a cookie, because cookies ignore ports: another user of the
machine may serve a page on one. Nothing here is ever written to a file.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING

from cuectl.values.records import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Callable

SESSION_S = 12 * 3600.0
MOST_SESSIONS = 32
_MOST_ONCE = 1_000


def new_word(random: Callable[[int], bytes]) -> str:
    """Return a word that can't be guessed, for a link or a session."""
    return urlsafe_b64encode(random(24)).decode("ascii")


@dataclass(slots=True, kw_only=True)
class PageSession:
    """One browser: `word` is in its path, `notice` is what the next page tells it once."""

    word: str
    secret: bytes
    ends_s: float
    notice: str = ""
    _used: dict[str, None] = field(default_factory=dict)

    def token(self, action: str, subject: str, once: str) -> str:
        """Return what a form of this session proves itself with, for this very button."""
        text = f"{action}\n{subject}\n{once}".encode("utf-8", "replace")
        return hmac.new(self.secret, text, hashlib.sha256).hexdigest()

    def owns(self, action: str, subject: str, once: str, token: str) -> bool:
        """Tell whether a form is one that this session was given."""
        mine = self.token(action, subject, once)
        return bool(once) and hmac.compare_digest(mine.encode(), token.encode("utf-8", "replace"))

    def use(self, token: str) -> bool:
        """Tell whether a form comes for the first time: a double click acts once."""
        if token in self._used:
            return False
        self._used[token] = None
        if len(self._used) > _MOST_ONCE:
            del self._used[next(iter(self._used))]
        return True

    def take_notice(self) -> str:
        """Return what is to be told, once."""
        said, self.notice = self.notice, ""
        return said


class Sessions:
    """The sessions of one server; times are monotonic seconds."""

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._random = random
        self._sessions: dict[str, PageSession] = {}

    def begin(self, now_s: float) -> PageSession:
        """Start a session; the oldest of too many ends."""
        word = new_word(self._random)
        session = PageSession(word=word, secret=self._random(32), ends_s=now_s + SESSION_S)
        self._sessions[word] = session
        if len(self._sessions) > MOST_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        return session

    def find(self, word: str, now_s: float) -> PageSession | None:
        """Return the session of a path, None when there is none or it has ended."""
        session = self._sessions.get(word)
        return session if session is not None and now_s < session.ends_s else None
