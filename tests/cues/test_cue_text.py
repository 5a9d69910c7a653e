from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cuectl.cues.create import Making, cue_from_definition
from cuectl.cues.rules.draft import cue_text
from cuectl.cues.rules.record import Cue, Origin
from cuectl.definitions.checks import load_definitions
from cuectl.executions.claim import would_keep
from cuectl.executions.effects import Reactions
from cuectl.executions.rules.record import CatchUp, OnInterrupted, Overlap, Policy
from cuectl.values.times import NO_LIMIT, from_text

NOW = from_text("2026-11-21T02:00:00Z")

words = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufeff"), max_size=30
)
lines = words.filter(lambda text: text.strip() != "")
spans = st.integers(1, 10**6).map(float) | st.integers(1, 10**6).map(lambda ms: ms / 1000)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | words | st.sampled_from([0.5, 1e9]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
targets = st.one_of(
    st.builds(
        lambda argv, env: {"type": "command", "argv": argv, "cwd": "/srv"} | env,
        st.lists(lines, min_size=1, max_size=3),
        st.dictionaries(st.sampled_from(["A", "B_1"]), words, min_size=1).map(lambda e: {"env": e})
        | st.sampled_from([{}, {"environment": "crontab"}]),
    ),
    st.builds(lambda line: {"type": "command", "shell": line, "cwd": "/a b"}, lines),
    st.just({"type": "task", "task": "audit"}),
    st.just({"type": "task", "task": "audit", "environment": "crontab"}),
)
triggers = st.one_of(
    st.just({"type": "manual"}),
    st.just({"type": "cron", "expression": "0 2 * * 1-5", "timezone": "Europe/Paris"}),
    st.just({"type": "at", "at": "2026-11-20T00:00:00Z"}),
    st.builds(
        lambda s: {"type": "every", "every_s": s, "anchor": "2020-01-01T00:00:00Z"},
        st.integers(1, 10**6),
    ),
)
policies = st.builds(
    Policy,
    verification=st.sampled_from(["none", "require_external_id", "manual"]),
    timeout_s=st.none() | st.just(NO_LIMIT) | spans,
    max_attempts=st.integers(1, 100),
    backoff_s=st.lists(spans, min_size=1, max_size=3).map(tuple),
    retry_on=st.sampled_from([("failed",), ("failed", "timed_out"), ("verification",)]),
    catch_up=st.sampled_from(CatchUp),
    overlap=st.sampled_from(Overlap),
    deadline_s=st.none() | spans,
    jitter_s=st.just(0.0) | spans,
    on_interrupted=st.sampled_from(OnInterrupted),
    outcome_deadline_s=st.none() | spans,
    alert=st.sampled_from([(), ("ops",), ("ops", "hook")]),
)
cues = st.builds(
    Cue,
    id=st.just("cue_aaaabbbbcccc"),
    name=st.sampled_from(["backup", "a b", "true", "12", "1e5", "ünï", "no"]),
    description=st.none() | words,
    trigger=triggers,
    target=targets,
    policy=policies | st.just(Policy(verification="command", check=("./c.sh", "a: b"))),
    payload=st.dictionaries(words.filter(lambda key: key != "task"), json_values, max_size=3),
    created_at=st.just(NOW),
    updated_at=st.just(NOW),
)


def read_again(cue: Cue, text: str) -> Cue:
    definitions = load_definitions(text, "/drafts/cue.yaml")
    definition = definitions.cues[cue.name]
    making = Making(
        path="/drafts/cue.yaml",
        shown="cue.yaml",
        zone="UTC",
        random=bytes,
        reactions=Reactions,
        keep=would_keep,
        before={cue.name: definition},
        ids={},
    )
    return replace(cue_from_definition(definition, making, cue, NOW), origin=Origin())


@settings(max_examples=300)
@given(cues)
def test_a_cue_that_is_read_again_is_the_same(cue: Cue) -> None:
    assert read_again(cue, cue_text(cue, cue.payload)) == cue


def test_plain_words_stand_without_quotes() -> None:
    cue = Cue(
        id="cue_1",
        name="night-audit",
        trigger={"type": "every", "every_s": 5400, "anchor": "2020-01-01T00:00:00Z"},
        target={"type": "task", "task": "audit"},
        created_at=NOW,
        updated_at=NOW,
    )

    assert cue_text(cue, {}) == 'cues:\n  night-audit:\n    every: "1h30m"\n    task: audit\n'
