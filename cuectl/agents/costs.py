"""What a turn has cost, from what its program prints: each counts tokens in its own way."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cuectl.values.records import Record

REPORTED = "reported"
PRICED = "priced"
UNKNOWN = "unknown"
TOKENS = ("input_tokens", "output_tokens", "cached_input_tokens")
# What the programs call them: claude and codex, opencode, gemini's object.
_INPUT = ("input_tokens", "input", "prompt")
_OUTPUT = ("output_tokens", "output", "candidates")
# claude and opencode count what came from a cache beside the input, the others within it.
_BESIDE = ("cache_read_input_tokens", "read")
_WRITTEN = ("cache_creation_input_tokens", "write")
_WITHIN = ("cached_input_tokens", "cached")
_THOUGHTS = ("reasoning", "thoughts")


def tokens_in(usage: Record) -> dict[str, int]:
    """Return the tokens that a program's own counts come to; empty when it counts none."""
    if isinstance(models := usage.get("models"), dict):
        parts = [each.get("tokens") for each in models.values() if isinstance(each, dict)]
        found = [counts for each in parts if isinstance(each, dict) and (counts := tokens_in(each))]
        return {name: sum(each[name] for each in found) for name in TOKENS if found}
    if _number(usage, *_INPUT) is None and _number(usage, *_OUTPUT) is None:
        return {}
    cache = usage.get("cache")
    counts = {**usage, **cache} if isinstance(cache, dict) else usage
    given, beside, written, within, made, thoughts = (
        _number(counts, *names) or 0
        for names in (_INPUT, _BESIDE, _WRITTEN, _WITHIN, _OUTPUT, _THOUGHTS)
    )
    sums = (given + beside + written, made + thoughts, beside or within)
    return dict(zip(TOKENS, sums, strict=True))


def _number(usage: Any, *names: str) -> int | None:
    found = (usage.get(name) for name in names)
    return next((int(each) for each in found if isinstance(each, int | float)), None)


def usage_of(
    *,
    agent: str,
    cost_usd: object,
    usage: object,
    before: Record | None = None,
    price: dict[str, float] | None = None,
    **facts: Any,
) -> Record:
    """Return what a turn has used, what is not known left out; 0 is known.

    `before` are the counts of the conversation's earlier turns, where `usage` has these too; empty
    when they are not known, which leaves the turn's own unknown.
    """
    tokens = tokens_in(usage) if isinstance(usage, dict) else {}
    if before is not None:
        known = tokens_in(before)
        tokens = {name: max(0, tokens[name] - known[name]) for name in tokens if known}
    cost = float(cost_usd) if isinstance(cost_usd, int | float) else None
    source = UNKNOWN if cost is None else REPORTED
    if cost is None and price is not None and tokens:
        cost, source = _priced(tokens, price), PRICED
    record = {"agent": agent, "cost_usd": cost, "source": source, **tokens, **facts}
    return {name: value for name, value in record.items() if value is not None}


def _priced(tokens: dict[str, int], price: dict[str, float]) -> float:
    cached = min(tokens["cached_input_tokens"], tokens["input_tokens"])
    fresh, made = tokens["input_tokens"] - cached, tokens["output_tokens"]
    given, rate = price["input"], price.get("cached", price["input"])
    return (fresh * given + cached * rate + made * price["output"]) / 1e6
