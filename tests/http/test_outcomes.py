"""Outcomes over HTTP: all of them kept, the first one counts, what is not taken is said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.fixtures.observing import until
from tests.http.client import cue_body

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl
    from tests.http.client import Client

EVERYTHING: dict[str, Any] = {
    "success": False,
    "result": "r",
    "error": "e",
    "external_id": "x",
    "result_url": "https://x.example/",
    "result_ref": "ref",
    "result_type": "t",
    "summary": "s",
    "artifacts": ["/there/a", {"path": "b"}],
    "metadata": {"a": [1, {"b": None}]},
}


def claimed(client: Client, **more: Any) -> str:
    made = client.post("/v1/cues", cue_body(**more)).gives(201)
    identity = client.post(f"/v1/cues/{made['id']}/fire").gives()["id"]
    client.post(f"/v1/executions/{identity}/claim", {"worker_id": "w"}).gives()
    return f"/v1/executions/{identity}"


def shown(cuectl: Cuectl) -> Any:
    (one,) = cuectl.json("executions", "list")
    return one


def test_an_outcome_before_a_retry_is_recorded_field_by_field(
    client: Client, cuectl: Cuectl
) -> None:
    path = claimed(client, retry={"max_attempts": 2, "backoff_minutes": [0]})
    told = client.post(f"{path}/outcome", EVERYTHING).gives()
    assert (told["outcome_recorded"], told["dropped"]) == (True, [])
    assert told["outcome_state"] == "reported_failure"
    (attempt,) = shown(cuectl)["attempts"]
    assert {name: attempt[name] for name in EVERYTHING} == EVERYTHING
    (same,) = client.get(path).gives()["attempt_outcomes"]
    assert {name: same[name] for name in EVERYTHING} == EVERYTHING


def test_an_error_beside_a_success_is_kept(client: Client, cuectl: Cuectl) -> None:
    path = claimed(client)
    client.post(f"{path}/outcome", {**EVERYTHING, "success": True}).gives()
    assert {name: shown(cuectl)[name] for name in EVERYTHING} == {**EVERYTHING, "success": True}


def test_a_later_outcome_is_refused_and_kept(client: Client, cuectl: Cuectl) -> None:
    path = claimed(client)
    client.post(f"{path}/outcome", {"success": True, "external_id": "x"}).gives()
    again = {"success": True, "external_id": "x"}
    client.post(f"{path}/outcome", again).refuses(409, "outcome_already_recorded")
    assert shown(cuectl)["later_reports"] == []
    other = {"success": False, "error": "no"}
    client.post(f"{path}/outcome", other).refuses(409, "outcome_already_recorded")
    one = shown(cuectl)
    assert (one["status"], one["external_id"]) == ("succeeded", "x")
    later = [{"attempt": 1, "via": "http", "said": other}]
    assert one["later_reports"] == later
    assert client.get(path).gives()["later_reports"] == later


def test_one_wrong_field_costs_only_itself_and_is_named(client: Client, cuectl: Cuectl) -> None:
    path = claimed(client)
    body = {
        "success": True,
        "external_id": 5,
        "result_url": "javascript:x",
        "metadata": {"a": "x" * 11_000},
        "artifacts": "out.txt",
        "result": "y" * 2_001,
        "summary": "kept",
    }
    told = client.post(f"{path}/outcome", body).gives()
    assert told["outcome_recorded"] is True
    dropped = [
        "result: longer than 2000 characters (2001); its end is kept",
        "external_id: not a string",
        "result_url: does not start with http:// or https://",
        "metadata: longer than 10240 bytes as JSON (11009)",
        "artifacts: not a list",
    ]
    assert sorted(told["dropped"]) == sorted(dropped)
    one = shown(cuectl)
    assert (one["summary"], one["result"]) == ("kept", "…" + "y" * 1_999)
    assert sorted(one["outcome_dropped"]) == sorted(dropped)


def test_letters_count_as_they_are_stored(client: Client, cuectl: Cuectl) -> None:
    path = claimed(client)
    metadata = {"a": "é" * 5_000}
    artifacts = ["ü" * 20_000]
    body = {"success": True, "metadata": metadata, "artifacts": artifacts}
    assert client.post(f"{path}/outcome", body).gives()["dropped"] == []
    assert (shown(cuectl)["metadata"], shown(cuectl)["artifacts"]) == (metadata, artifacts)


def test_late_evidence_with_a_wrong_field_keeps_the_others(client: Client, cuectl: Cuectl) -> None:
    path = claimed(client)
    client.post(f"{path}/outcome", {"success": False, "external_id": "x"}).gives()
    body = {"external_id": 7, "summary": "late", "result_url": "nowhere"}
    answer = client.patch(f"{path}/evidence", body).gives()
    assert (answer["external_id"], answer["summary"]) == ("x", "late")
    assert len(answer["outcome_dropped"]) == 2
    client.patch(f"{path}/evidence", {"summary": 5}).refuses(422, "validation_error")
    # Evidence alone is no other end.
    assert shown(cuectl)["rev"] == 1
    (cue,) = cuectl.json("list")
    assert cue["run_count"] == 1


def test_made_is_when_it_was_made(client: Client) -> None:
    made = client.post("/v1/cues", cue_body()).gives(201)
    fired = client.post(f"/v1/cues/{made['id']}/fire", {"send_at": "2999-01-01T00:00:00Z"}).gives()
    one = client.get(f"/v1/executions/{fired['id']}").gives()
    assert one["scheduled_for"] == "2999-01-01T00:00:00Z"
    assert one["created_at"] < "2999"


HANDLER = """\
env > {work}/env.$CUE_ATTEMPT~ && mv {work}/env.$CUE_ATTEMPT~ {work}/env.$CUE_ATTEMPT
until [ -e {work}/go.$CUE_ATTEMPT ]; do sleep 0.02; done
{last}
exit $((2 - CUE_ATTEMPT))
"""


class Attempts:
    """A handler with two attempts, each of which waits until it is told to go."""

    def __init__(self, cuectl: Cuectl, last: str = "") -> None:
        self.cuectl = cuectl
        shell = HANDLER.format(work=cuectl.work, last=last)
        retry = ("--retries", "1", "--backoff", "0s")
        assert cuectl.run("create", "--name", "job", *retry, "--shell", shell).status == 0
        cuectl.run("fire", "job")
        self.process = cuectl.start("run-due")

    def client(self, attempt: int) -> tuple[Client, str]:
        from tests.http.client import Client

        path = self.cuectl.work / f"env.{attempt}"
        until(path.exists, f"attempt {attempt} has started")
        env = dict(x.split("=", 1) for x in path.read_text().splitlines() if "=" in x)
        port = int(env["CUEAPI_BASE_URL"].rpartition(":")[2])
        return Client(env["CUEAPI_API_KEY"], port=port), f"/v1/executions/{env['CUE_EXECUTION_ID']}"

    def go(self, attempt: int) -> None:
        (self.cuectl.work / f"go.{attempt}").touch()

    def end(self) -> str:
        _, err = self.process.communicate(timeout=60)
        return err.decode()


def test_the_token_of_the_first_attempt_is_worth_nothing_in_the_second(cuectl: Cuectl) -> None:
    attempts = Attempts(cuectl)
    first, path = attempts.client(1)
    first.post(f"{path}/outcome", {"success": False, "external_id": "one"}).gives()
    attempts.go(1)
    second, _ = attempts.client(2)
    body = {"success": True, "external_id": "leftover"}
    first.post(f"{path}/outcome", body).refuses(401, "invalid_api_key")
    second.post(f"{path}/outcome", {"success": True, "external_id": "two"}).gives()
    attempts.go(2)
    attempts.end()

    one = shown(cuectl)
    assert [each["external_id"] for each in one["attempts"]] == ["one", "two"]
    assert one["later_reports"] == []


def test_an_outcome_over_http_counts_before_a_file_that_comes_later(cuectl: Cuectl) -> None:
    last = """echo '{"success": false, "summary": "file"}' > "$CUE_OUTCOME_FILE"; exit 0"""
    attempts = Attempts(cuectl, last)
    client, path = attempts.client(1)
    client.post(f"{path}/outcome", {"success": True, "external_id": "http", "result": 5}).gives()
    attempts.go(1)
    said = attempts.end()

    one = shown(cuectl)
    assert (one["status"], one["external_id"], one["summary"]) == ("succeeded", "http", None)
    (later,) = one["later_reports"]
    assert (later["via"], later["said"]) == ("file", {"success": False, "summary": "file"})
    assert one["outcome_dropped"] == ["result: not a string"]
    assert "not taken: result: not a string" in said


def test_an_outcome_over_http_after_a_file_is_kept_beside_it(cuectl: Cuectl) -> None:
    attempts = Attempts(cuectl)
    client, path = attempts.client(1)
    env = (cuectl.work / "env.1").read_text().splitlines()
    (file,) = (x.partition("=")[2] for x in env if x.startswith("CUE_OUTCOME_FILE="))
    with open(file, "w") as outcome:
        outcome.write('{"success": true, "external_id": "file"}')
    client.post(f"{path}/outcome", {"success": False}).refuses(409, "outcome_already_recorded")
    attempts.go(1)
    attempts.go(2)
    attempts.end()

    one = shown(cuectl)
    assert one["attempts"][0]["external_id"] == "file"
    later = {"attempt": 1, "via": "http", "said": {"success": False}}
    assert one["attempts"][0]["later_reports"] == [later]


def test_a_replaced_token_file_counts_from_the_next_request(client: Client, cuectl: Cuectl) -> None:
    client.get("/v1/cues").gives()
    path = cuectl.home / "http-token"
    old = path.read_text()
    fresh = cuectl.home / "http-token.new"
    fresh.write_text("cue_sk_" + "0" * 64 + "\n")
    fresh.chmod(0o600)
    fresh.rename(path)
    client.get("/v1/cues").refuses(401, "invalid_api_key")
    client.token = path.read_text().strip()
    assert client.token != old.strip()
    client.get("/v1/cues").gives()
