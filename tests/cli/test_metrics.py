"""`metrics`: the text format, hostile names, the textfile."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families
from prometheus_client.parser import text_string_to_metric_families as families

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl

START = "2026-11-21T02:00:00Z"


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return what a reader of Prometheus' own sees."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families(text)
        for sample in family.samples
    }


def scene(cuectl: Cuectl) -> None:
    cuectl.at(START)
    cuectl.run("create", "--name", "good", "--cron", "0 3 * * *", "--", "true")
    mode = ["--verification-mode", "require_external_id"]
    cuectl.run("create", "--name", "doubted", *mode, "--", "true")
    cuectl.run("create", "--name", "bad", "--", "false")
    for name in ("good", "good", "doubted", "bad"):
        cuectl.run("fire", name, "--wait")


def test_a_home_that_is_not_there_has_metrics_too(cuectl: Cuectl) -> None:
    found = samples(cuectl.run("metrics").stdout)

    assert found["cuectl_cues", (("status", "active"),)] == 0
    assert not cuectl.home.exists()


def test_what_happened_is_counted_by_cue_and_result(cuectl: Cuectl) -> None:
    scene(cuectl)
    cuectl.run("run-due")

    found = samples(cuectl.run("metrics").stdout)

    def count(cue: str, result: str) -> float:
        return found["cuectl_executions_total", (("cue", cue), ("result", result))]

    assert count("good", "passed") == 2
    assert count("doubted", "unproven") == 1
    assert count("bad", "failed") == 1
    assert found["cuectl_verification_failures_total", (("cue", "doubted"),)] == 1
    assert found["cuectl_cues", (("status", "active"),)] == 3
    at_three = 1_795_230_000
    assert found["cuectl_next_fire_timestamp_seconds", (("cue", "good"),)] == at_three
    assert abs(found["cuectl_last_pass_timestamp_seconds", ()] - (at_three - 3600)) < 600
    assert abs(found["cuectl_last_success_timestamp_seconds", (("cue", "good"),)] - at_three) < 4200
    assert ("cuectl_last_success_timestamp_seconds", (("cue", "bad"),)) not in found
    assert found["cuectl_failures_in_a_row", (("cue", "bad"),)] == 1
    assert found["cuectl_open_alerts", (("type", "verification_failed"),)] == 1


def test_openmetrics_is_read_by_a_strict_reader(cuectl: Cuectl) -> None:
    scene(cuectl)
    text = cuectl.run("metrics", "--openmetrics").stdout

    assert text.endswith("# EOF\n")
    names = {family.name for family in open_families(text)}  # type: ignore[no-untyped-call]
    assert "cuectl_executions" in names


def test_a_textfile_appears_whole_and_anybody_may_read_it(cuectl: Cuectl) -> None:
    scene(cuectl)
    target = cuectl.work / "cuectl.prom"
    target.write_text("old")

    cuectl.run("metrics", "--textfile", "cuectl.prom").gives("")

    assert samples(target.read_text()) == samples(cuectl.run("metrics").stdout)
    assert stat.S_IMODE(target.stat().st_mode) == 0o644
    assert os.listdir(cuectl.work) == ["cuectl.prom"]


def test_a_textfile_that_cannot_be_written_leaves_nothing_behind(cuectl: Cuectl) -> None:
    (cuectl.work / "dir").mkdir()

    answer = cuectl.run("metrics", "--textfile", "dir")

    assert answer.status == 1
    assert answer.stderr.startswith("cuectl: error: 'dir'")
    assert os.listdir(cuectl.work) == ["dir"]
