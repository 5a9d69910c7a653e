"""The description of the interface, held against the running interface."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from cuectl.http.routes import ROUTES
from cuectl.http.routing import describe

if TYPE_CHECKING:
    from pathlib import Path

    from tests.http.client import Client, Serve

# More look longer: CUECTL_FUZZ_EXAMPLES=100.
EXAMPLES = int(os.environ.get("CUECTL_FUZZ_EXAMPLES", "15"))
FUZZ = """\
import sys
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.checks import CHECKS, load_all_checks

load_all_checks()
# A schema can't say that a cron expression must be one, or that one of two members is needed.
beyond = [check for check in CHECKS.get_all() if check.__name__ == "positive_data_acceptance"]
schema = schemathesis.openapi.from_url(sys.argv[1] + "/openapi.json")
# As with the peer, what a query holds besides its parameters is left alone.
schema.config.generation.update(allow_extra_parameters=False)
# The token itself is not to be exchanged under the test.
schema = schema.exclude(operation_id="renew_key")


@schema.parametrize()
@settings(
    max_examples=int(sys.argv[3]),
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def test_it_answers_as_described(case: Case) -> None:
    headers = {"Authorization": "Bearer " + sys.argv[2]}
    response = case.call(headers=headers)
    # The fuzzer does not know that headers and target together can be too large.
    if response.status_code != 431:
        case.validate_response(response, excluded_checks=beyond, headers=headers)
"""


def test_the_description_is_served_without_a_token(client: Client) -> None:
    client.token = None
    assert client.get("/openapi.json").gives() == json.loads(json.dumps(describe(ROUTES)))


def test_every_operation_is_described_once() -> None:
    names = [route.name for route in ROUTES]
    assert len(set(names)) == len(names)
    described = describe(ROUTES)["paths"]
    for route in ROUTES:
        operation = described[route.path][route.method.lower()]
        assert operation["summary"] == route.summary
        assert str(route.status) in operation["responses"]


def test_every_reference_leads_somewhere() -> None:
    text = json.dumps(describe(ROUTES))
    named = describe(ROUTES)["components"]["schemas"]
    references = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert references == set(named)


@pytest.mark.timeout(120 + 6 * EXAMPLES)
@pytest.mark.skipif(find_spec("schemathesis") is None, reason="schemathesis is not installed")
def test_a_fuzzer_finds_nothing_that_is_not_described(served: Serve, tmp_path: Path) -> None:
    """Requests made from the description, good and bad ones, are answered as described."""
    url, token = served.told["url"], served.client.token or ""
    script = tmp_path / "test_fuzz.py"
    script.write_text(
        FUZZ.replace("sys.argv[1]", repr(url))
        .replace("sys.argv[2]", repr(token))
        .replace("sys.argv[3]", repr(str(EXAMPLES)))
    )
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--no-header"]
    words += ["-c", os.devnull, "--rootdir", str(tmp_path), str(script)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout[-8_000:]
