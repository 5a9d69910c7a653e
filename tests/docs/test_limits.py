"""The numbers that the manual tells users are those of the code."""

from __future__ import annotations

import re
from functools import cache

import pytest

from cuectl.alerts.rules import alert
from cuectl.cli.manual.markup import as_text
from cuectl.cli.manual.pages import all_pages
from cuectl.events import events
from cuectl.events.rules import event, github_items, time_sources
from cuectl.events.sources import file_changed
from cuectl.events.sources import round as source_round
from cuectl.executions import settle, supervise, targets
from cuectl.executions.rules import outcome, webhook
from cuectl.passes import pass_end, remote_claims
from cuectl.process import web_request
from cuectl.store import handler_files, output
from cuectl.values.times import DAY, HOUR, MINUTE

HANDLERS, SOURCES = "cuectl-handlers.7", "cuectl-sources.7"
TEXT = outcome.TEXT_LIMITS

# The page, its words, and what the code has.
LIMITS = [
    (HANDLERS, "above 100,000 bytes", targets.LARGE_PAYLOAD_BYTES, 100_000),
    (HANDLERS, "SIGTERM, ten seconds later SIGKILL", supervise.GRACE_S, 10),
    (HANDLERS, "Above 10 MiB of output", output.LIMIT_BYTES, 10 * 1024**2),
    (HANDLERS, "keeps the first mebibyte and the end", output.HEAD_BYTES, 1024**2),
    (HANDLERS, "A JSON object of at most 65,536 bytes", outcome.FILE_BYTES, 65_536),
    (HANDLERS, "An object; at most 10,240 bytes", outcome.METADATA_BYTES, 10_240),
    (HANDLERS, "in another system; at most 500 characters", TEXT["external_id"], 500),
    (HANDLERS, "sentence for people; at most 500 characters", TEXT["summary"], 500),
    (HANDLERS, "its type (100)", TEXT["result_type"], 100),
    (HANDLERS, "Its address (at most 2,000 characters)", TEXT["result_url"], 2_000),
    ("cuectl-create.1", "One above 64 KiB is kept", handler_files.LARGEST_IN_LINE, 65_536),
    ("cuectl-deliver.1", "has ten seconds for an answer of 2xx", web_request.LIMIT_S, 10),
    (
        "cuectl-deliver.1",
        "after 1, 5 and 15 minutes, an hour",
        alert.RETRY_WAITS_S,
        (60, 300, 900, 3600),
    ),
    ("cuectl-deliver.1", "then every six hours", alert.LATER_WAIT_S, 6 * 3600),
    ("cuectl-deliver.1", "for three days", alert.GIVE_UP_AFTER_MS, 3 * DAY),
    (
        "cuectl-serve.1",
        "A claim holds an execution for 15 minutes",
        remote_claims.LEASE_MS,
        15 * MINUTE,
    ),
    ("cuectl-serve.1", "pending again, at most three times", settle.RERUNS_MOST, 3),
    ("cuectl-state.7", "more than three hours ahead", pass_end.CLOCK_LIMIT_MS, 3 * HOUR),
    ("cue.yaml.5", "at least every five minutes", pass_end.PING_EVERY, 5 * MINUTE),
    (
        "cuectl-emit.1",
        "only once in 30 days for the same source and key",
        events.KEYS_KEPT_MS,
        30 * DAY,
    ),
    (SOURCES, "remembered for 30 days", github_items.REMEMBERED_MS, 30 * DAY),
    (SOURCES, "slots that are at least two minutes late", time_sources.GAP_MS, 2 * MINUTE),
    (
        SOURCES,
        "once the file has been stable for five seconds",
        file_changed.REST_NS,
        5_000_000_000,
    ),
    (SOURCES, "a pass waits for that for at most ten seconds", source_round.LONGEST_REST_S, 10),
    (SOURCES, "content (10,000 letters)", event.CONTENT_LETTERS, 10_000),
    (SOURCES, "body (5,000 letters)", event.BODY_LETTERS, 5_000),
    ("cuectl-webhook-call.1", "waits five minutes for the report", webhook.REPORT_WITHIN_S, 300),
    ("cuectl-events.7", "the first 5,000 letters of the answer", event.OUTPUT_LETTERS, 5_000),
]


@cache
def words_of(file: str) -> str:
    (page,) = (page for page in all_pages() if page.file == file)
    return re.sub(r"\s+", " ", as_text(page))


@pytest.mark.parametrize(("page", "words", "found", "said"), LIMITS, ids=[one[1] for one in LIMITS])
def test_a_limit_is_what_its_page_says(page: str, words: str, found: object, said: object) -> None:
    assert words in words_of(page)
    assert found == said
