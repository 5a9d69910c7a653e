"""A browser without scripts: opens a link, reads pages as HTML, sends their forms."""

from __future__ import annotations

import http.client
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urljoin

if TYPE_CHECKING:
    from tests.http.client import Serve

LIMIT_S = 60.0
Attributes = dict[str, str | None]


@dataclass
class Form:
    """A form of a page: where it leads, what it says."""

    place: str
    fields: dict[str, str] = field(default_factory=dict)
    label: str = ""


class Html(HTMLParser):
    """What a browser makes of a page: its tags, its text, its forms."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.tags: list[tuple[str, Attributes]] = []
        self.words: list[str] = []
        self.scripts: list[str] = []
        self.forms: list[Form] = []
        self._inside = ""
        self._in_form = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        self.tags.append((tag, known))
        self._inside = tag if tag in ("script", "style", "button") else ""
        if tag == "form":
            self._in_form = True
            self.forms.append(Form(known.get("action") or ""))
        elif tag == "input" and known.get("type") == "hidden":
            self.forms[-1].fields[known["name"] or ""] = known["value"] or ""

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""
        self._in_form = self._in_form and tag != "form"

    def handle_data(self, data: str) -> None:
        if self._inside in ("script", "style"):
            self.scripts.append(data)
            return
        if self._inside == "button" and self._in_form:
            self.forms[-1].label = data
        self.words.append(data)

    @property
    def said(self) -> str:
        """All text, with single blanks."""
        return " ".join(" ".join(self.words).split())

    def count(self, tag: str) -> int:
        """Return how many there are of a tag."""
        return sum(1 for name, _ in self.tags if name == tag)

    def form(self, label: str) -> Form:
        """Return the first form with a button of this label."""
        return next(one for one in self.forms if one.label == label)


@dataclass
class Page:
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def html(self) -> Html:
        """It as HTML."""
        return Html(self.body.decode())


class Visit:
    """One session of a running `cuectl serve`."""

    def __init__(self, serve: Serve, link: str | None = None) -> None:
        self.port = serve.port
        first = self.ask("GET", link or serve.told["page"])
        assert first.status == 303, (first.status, first.body)
        self.first = first.headers["location"]
        self.base = "/".join(self.first.split("/", 3)[:3]) + "/"

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Page:
        """Send one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            known = {name.lower(): value for name, value in answer.getheaders()}
            return Page(answer.status, known, answer.read())
        finally:
            connection.close()

    def page(self, place: str = "", status: int = 200) -> Html:
        """Return a page of the session."""
        answer = self.ask("GET", self.base + place)
        assert answer.status == status, (place, answer.status, answer.body)
        return answer.html

    def send(self, form: Form, place: str = "", **headers: str) -> Page:
        """Send a form of a page, as a browser does."""
        own = {"Origin": f"http://127.0.0.1:{self.port}", "Sec_Fetch_Site": "same-origin"}
        own |= {"Content_Type": "application/x-www-form-urlencoded", **headers}
        path = urljoin(self.base + place, form.place)
        sent = {name: value for name, value in own.items() if value}
        return self.ask("POST", path, urlencode(form.fields).encode(), **sent)
