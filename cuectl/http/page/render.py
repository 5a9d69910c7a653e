"""From values to HTML: the templates, and what they say times, verdicts and links with.

Whatever a template prints is escaped, and what would act or hide is shown by its number; a variable
that is not there is an error. Only what is made here is markup.
"""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from importlib.resources import files
from itertools import groupby
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jinja2 import Environment, FunctionLoader, StrictUndefined, TemplateError
from markupsafe import Markup

from cuectl.cues.words import schedule_words, work_words
from cuectl.executions.rules.verdict import BAD, GOOD, UNDER_WAY, VerdictWord
from cuectl.http.page.printed import plain
from cuectl.values.safe_text import visible
from cuectl.values.times import span_in_words, to_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cuectl.cues.rules.recent import RecentEnd

_PLACE = files("cuectl.http.page")
_STEP, _GROUND = 4, 14
_LONGEST = 2_000
_OTHERS = {VerdictWord.UNPROVEN: "u", VerdictWord.TO_VERIFY: "w", VerdictWord.MISSED: "m"}


@cache
def asset(name: str) -> str:
    """Return the style sheet or the script."""
    return (_PLACE / name).read_text(encoding="utf-8")


def render(name: str, values: Mapping[str, Any], macro: str = "", *given: object) -> str:
    """Return a page; with `macro` what that part of a template makes, as the page has it.

    Raises ValueError: the template lacks something.
    """
    template = _environment().get_template(name)
    try:
        if not macro:
            return template.render(values)
        return str(getattr(template.make_module(dict(values)), macro)(*given))
    except TemplateError as error:
        raise ValueError(f"'{name}' can't be made: {error}") from error


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FunctionLoader(_source),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"took": took, "look_of": look_of, "bars": bars}
    made.filters |= {"path": path_word, "text": text_of}
    made.filters |= {"schedule": schedule_words, "work": work_words}
    return made


def _source(name: str) -> str:
    return (_PLACE / "templates" / name).read_text(encoding="utf-8")


def _shown(value: object) -> object:
    if isinstance(value, Markup) or not isinstance(value, str):
        return "" if value is None else value
    return visible(value)


def path_word(name: str) -> str:
    """Return a name as one word of a path."""
    return quote(name, safe="")


def text_of(value: object) -> str:
    """Return a value as people read it, without colours, and not all of it."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return plain(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")


def took(seconds: float | None) -> str:
    """Return how long something took, '' where that is not known."""
    return "" if seconds is None else span_in_words(seconds)


def iso(ms: int) -> str:
    """Return an instant for programs, to the second."""
    return f"{to_text(ms)[:19]}Z"


def look_of(word: VerdictWord | None) -> str:
    """Return the class of a verdict: good, bad, run, wait or none."""
    if word in UNDER_WAY or word is VerdictWord.TO_VERIFY:
        return "run" if word is VerdictWord.RUNNING else "wait"
    return "good" if word in GOOD else "bad" if word in BAD else "none"


def bars(ends: Iterable[RecentEnd]) -> Markup:
    """Return runs as bars, the oldest first: the height is the time taken, failures are tallest.

    All bars of a kind are one path, in steps from bar to bar: thirty runs cost some 200 bytes. The
    gaps between the bars are cut out by the style.
    """
    known = list(ends)
    if not known:
        return Markup()
    longest = max((one.took_s or 0 for one in known), default=0) or 1
    tops = [(_kind(one.word), 11 - 4 * round(2 * (one.took_s or 0) / longest)) for one in known]
    made = Markup("<path class={} d={} />")
    paths = (made.format(kind, _outline(kind, tops)) for kind in dict.fromkeys(k for k, _ in tops))
    shape = Markup('<svg role=img aria-label="{}">{}</svg>')
    return shape.format(_sentence(known), Markup().join(paths))


def _outline(kind: str, tops: list[tuple[str, int]]) -> str:
    """Return the outline of all bars of a kind, along the ground where bars of another stand."""
    steps = [_TOPS.get(kind, top) if one == kind else _GROUND for one, top in tops]
    own = [place for place, (one, _) in enumerate(tops) if one == kind]
    runs = ((top, len(list(same))) for top, same in groupby(steps[own[0] : own[-1] + 1]))
    drawn = "".join(f"V{top}h{_STEP * count}" for top, count in runs)
    return f"M{_STEP * own[0]},{_GROUND}{drawn}V{_GROUND}"


# The upper ends of bars that do not tell a time.
_TOPS = {"f": 0, "u": 0, "m": 0, "w": 6, "n": 12}


def _kind(word: VerdictWord) -> str:
    return "g" if word in GOOD else _OTHERS.get(word) or ("f" if word in BAD else "n")


def _sentence(known: list[RecentEnd]) -> str:
    words = ("passed" if one.word in GOOD else one.word.words for one in known)
    counts = ", ".join(f"{count} {word}" for word, count in Counter(words).items())
    return f"last {len(known)}: {counts}"
