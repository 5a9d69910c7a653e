"""The door of the page: links, sessions, addresses, forms, headers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, unquote

from cuectl.executions.lookup import chunks, find_record
from cuectl.http.messages import HttpProblem, Response, problem_of
from cuectl.http.page import cues, places, render, runs
from cuectl.http.page.actions import act
from cuectl.http.page.live import Streams
from cuectl.http.page.look import Lately, PageLook, number_in
from cuectl.http.page.sessions import PageSession, Sessions, new_word
from cuectl.process.runtime import monotonic_s, since_boot_ns
from cuectl.store import page_files, paths
from cuectl.values.errors import CuectlError, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cuectl.http.messages import Request
    from cuectl.process.runtime import Runtime

    Query = Mapping[str, str]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types cuectl"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_HTML = "text/html; charset=utf-8"
_FORM = "application/x-www-form-urlencoded"
_ASSETS = {"app.css": "text/css; charset=utf-8", "app.js": "text/javascript; charset=utf-8"}
_PLACE = re.compile(r"[\w./~:%-]{0,600}", re.ASCII)
_SAID_401 = "This address has expired, or was never yours."


class PageSite:
    """The pages of one server; with `acts` they have buttons."""

    def __init__(self, runtime: Runtime, *, acts: bool) -> None:
        self._runtime = runtime
        self._acts = acts
        self._sessions = Sessions(runtime.random)
        self._lately = Lately()
        self._streams = Streams(runtime, self._lately)

    def new_link(self) -> str:
        """Return the path of a link that opens one session."""
        word = new_word(self._runtime.random)
        page_files.leave_link(self._runtime.home, word, since_boot_ns() // 1_000_000)
        return f"/open/{word}"

    @staticmethod
    def has(path: str) -> bool:
        """Tell whether a path is one of the page, and none of the interface."""
        return path == "/" or path.startswith(("/s/", "/open/"))

    def knows(self, target: str) -> bool:
        """Tell whether a request is in the path of a session."""
        return target.startswith("/s/") and self._session(target) is not None

    def _session(self, path: str) -> PageSession | None:
        return self._sessions.find(path.split("/", 3)[2], monotonic_s())

    def answer(self, request: Request) -> Response:
        """Answer a request for a page; what goes wrong is a page too."""
        session = self._session(request.path) if request.path.startswith("/s/") else None
        place = request.path.split("/", 3)[3] if request.path.count("/") > 2 else ""
        up = "../" * place.count("/")
        try:
            if request.path.startswith("/open/"):
                return self._opened(request)
            if session is None:
                return self._told(401, _SAID_401, "", signed_in=False)
            if request.path.count("/") == 2:
                return _redirect(f"/s/{session.word}/")
            return self._inside(session, place, up, request)
        except HttpProblem as problem:
            response = problem.response
            message = str(problem)
        except CuectlError as error:
            response = problem_of(error).response
            message = error.message + (f" ({error.hint})" if error.hint else "")
        return self._told(response.status, message, up, signed_in=session is not None)

    def _opened(self, request: Request) -> Response:
        """Start a session by a link, which counts once."""
        purpose = request.headers.get("sec-purpose", request.headers.get("purpose", ""))
        if request.method != "GET" or "prefetch" in purpose:
            raise HttpProblem(405, "http_error", "open the link in a browser")
        word = request.path.removeprefix("/open/")
        now_ms = since_boot_ns() // 1_000_000
        if not page_files.take_link(self._runtime.home, word, now_ms):
            return self._told(401, "This link was used, or is too old.", "", signed_in=False)
        session = self._sessions.begin(monotonic_s())
        place = _inside_only(dict(request.query).get("to", ""))
        return _redirect(f"/s/{session.word}/{place}")

    def _inside(self, session: PageSession, place: str, up: str, request: Request) -> Response:
        words = [unquote(word) for word in place.split("/")]
        if words[0] == "do" and len(words) == 3:
            return self._done(session, words[1], words[2], request)
        if request.method not in ("GET", "HEAD"):
            raise HttpProblem(405, "http_error", "this page can only be looked at")
        _check_origin(request, form=False)
        if place in _ASSETS:
            return _response(200, render.asset(place), _ASSETS[place])
        query = dict(request.query)
        if place == "live" and request.method == "GET":
            last_id = request.headers.get("last-event-id", "")
            return self._streams.open(query, last_id, lambda: self._buttons(session))
        if words[0] == "executions" and words[-1] == "raw" and len(words) == 3:
            return self._raw(words[1], query)
        return self._page(session, words, up, query)

    def _page(self, session: PageSession, words: list[str], up: str, query: Query) -> Response:
        look = PageLook(self._runtime, lately=self._lately)
        template, title, values = _values(look, words, query)
        base = look.values(title, up, values.get("next_at"))
        told = {"notice": session.take_notice(), **self._buttons(session)}
        text = render.render(template, {**base, **values, **told})
        return _response(200, text, _HTML)

    def _buttons(self, session: PageSession) -> dict[str, Any]:
        once = new_word(self._runtime.random)
        return {
            "acts": self._acts,
            "once": once,
            "token": lambda action, subject: session.token(action, subject, once),
        }

    def _done(self, session: PageSession, action: str, subject: str, request: Request) -> Response:
        """Do what a form says, once, and lead to the page that shows it."""
        if not self._acts:
            raise Refused("this page only shows", hint="buttons: cuectl serve --actions")
        if request.method != "POST":
            raise HttpProblem(405, "http_error", "a button sends a form")
        _check_origin(request, form=True)
        form = dict(parse_qsl(request.body.decode("utf-8", "replace")))
        token = form.get("token", "")
        if not session.owns(action, subject, form.get("once", ""), token):
            raise Refused("this form is not of this page", hint="load the page again")
        back = _inside_only(form.get("back", ""))
        if not session.use(token):
            session.notice = session.notice or "that was done already"
            return _redirect(f"/s/{session.word}/{back}")
        try:
            session.notice, after = act(self._runtime, action, subject, form)
        except CuectlError as error:
            session.notice, after = error.message, back
        return _redirect(f"/s/{session.word}/{after or back}")

    def _raw(self, execution_id: str, query: Query) -> Response:
        look = PageLook(self._runtime)
        record = find_record(look.reader, execution_id)
        number = number_in(query, "attempt", record.get("attempt", 1))
        suffix = query.get("file", "out")
        if suffix not in runs.OUTPUTS:
            raise HttpProblem(404, "http_error", "there is no such output")
        path = paths.run_file(look.reader.home, record["id"], number, suffix)
        try:
            data = b"".join(chunks(path, look.mask, None))
        except FileNotFoundError:
            raise HttpProblem(404, "http_error", "there is no output") from None
        return Response(status=200, body=data, headers={**HEADERS, "Content-Type": "text/plain"})

    def _told(self, status: int, message: str, up: str, *, signed_in: bool) -> Response:
        values = {"status": status, "message": message, "up": up, "signed_in": signed_in}
        return _response(status, render.render("told.html", values), _HTML)


def _values(look: PageLook, words: list[str], query: Query) -> tuple[str, str, dict[str, Any]]:
    """Return the template of a page, its title, and what it shows."""
    match words:
        case [""] | ["cues"]:
            return "cues.html", "Cues", cues.table_of(look, query)
        case ["cues", name]:
            return "cue.html", name, cues.cue_page(look, name)
        case ["executions", one]:
            return "run.html", one, runs.run_page(look, one, query)
        case ["executions", one, "chain"]:
            return "chain.html", "Chain", runs.chain_page(look, one)
        case ["executions", one, "cancel"]:
            return "cancel.html", "Cancel", {"run": runs.run_page(look, one, {})["run"]}
        case ["workflows", one]:
            return "workflow.html", "Workflow run", places.workflow_page(look, one)
        case [name] if name in _PLACES:
            title, made = _PLACES[name]
            return f"{name}.html", title, made(look, query)
        case _:
            raise HttpProblem(404, "http_error", "There is nothing at this address.")


_PLACES: dict[str, tuple[str, Callable[[PageLook, Query], dict[str, Any]]]] = {
    "executions": ("Runs", runs.runs_page),
    "workflows": ("Workflows", lambda look, _: places.workflows_page(look)),
    "agents": ("Agents", lambda look, _: places.agents_page(look)),
    "alerts": ("Alerts", lambda look, _: places.alerts_page(look)),
    "journal": ("Search", runs.journal_page),
}


def _inside_only(place: str) -> str:
    """Return a place of the page, '' for one that could be elsewhere."""
    return place if _PLACE.fullmatch(place) and not place.startswith("/") else ""


def _check_origin(request: Request, *, form: bool) -> None:
    """Refuse what another page has sent here; a form proves that it is of our own origin.

    A browser sends `null` with a form of a page that tells no referrer; that it comes from here
    is then said by Sec-Fetch-Site, which no page can set.
    """
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    own = f"http://{request.headers.get('host', '')}"
    is_own = origin == own or (origin == "null" and site == "same-origin")
    foreign = site not in (None, "same-origin", "none") if form else False
    if foreign or (form and not is_own) or (origin is not None and not is_own):
        raise HttpProblem(403, "http_error", "This was sent by another page.")
    if form and request.headers.get("content-type", "").partition(";")[0].strip() != _FORM:
        raise HttpProblem(415, "http_error", "a button sends a form")


def _response(status: int, text: str, kind: str) -> Response:
    data = text.encode("utf-8", "replace")
    return Response(status=status, body=data, headers={**HEADERS, "Content-Type": kind})


def _redirect(path: str) -> Response:
    headers = {**HEADERS, "Location": quote(path, safe="/%:~?=&"), "Content-Type": _HTML}
    return Response(status=303, body=b"", headers=headers)
