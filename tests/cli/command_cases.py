"""One call of every command that works, and one with bad input: add a line for a new command.

`{settled}`, `{open}`, ... are ids from the scene of `test_every_command.py`; `{out}` is a path
where nothing is.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Case:
    """How a command is tried.

    Attributes:
        good: the words of a call that works, as one would type them.
        bad: words of a call whose input is wrong, and that must change nothing.
        bad_status: its exit status.
        good_status: the exit status of the call that works.
        stdin: what the call that works reads.
        reason: why `good` is empty: the test that tries it instead.
        about_input: what is wrong with the input is the answer, so it is on standard output.
    """

    good: str
    bad: str
    bad_status: int
    good_status: int = 0
    stdin: str = ""
    reason: str = ""
    about_input: bool = False


_NONE = "no-such-thing"

CASES: dict[str, Case] = {
    "create": Case("--name new --cron '0 2 * * *' -- true", "--name x --cron '61 * * * *'", 2),
    "list": Case("", "--status flying", 2),
    "get": Case("nightly", _NONE, 5),
    "next": Case("nightly", "--cron '0 0 31 2 *'", 2),
    "update": Case("nightly --cron '5 2 * * *'", "nightly --cron '0 25 * * *'", 2),
    "edit": Case("", "nightly", 2, reason="tests/cli/test_edit.py"),
    "pause": Case("nightly", _NONE, 5),
    "resume": Case("nightly", _NONE, 5),
    "delete": Case("nightly --yes", "nightly", 8),
    "undelete": Case("gone", "nightly", 5),
    "run-due": Case("", "--max-parallel 0", 2),
    "worker": Case("--once", "--config missing.yaml", 5),
    "fire": Case("nightly", "nightly --payload '{'", 2),
    "wait": Case("{settled}", "{settled} --timeout soon", 2),
    "cancel": Case("{open}", "{settled}", 6),
    "retry": Case("{settled}", _NONE, 5),
    "verify": Case("{judged}", "{open}", 6),
    "chain": Case("", "--name x -- true", 2, reason="test_a_handler_gets_json_from_its_commands"),
    "report": Case("--execution {reporting} --success", "--success --failure", 2),
    "executions list": Case("--limit 2", "--since yesteryear", 2),
    "executions get": Case("{settled}", _NONE, 5),
    "executions output": Case("{settled}", _NONE, 5),
    "logs": Case("{settled}", _NONE, 5),
    "chain show": Case("{settled}", _NONE, 5),
    "log": Case("-n 3", "-n few", 2),
    "status": Case("", "--max-age never", 2),
    "top": Case("", "x", 2),
    "alerts list": Case("--all", "--type feeling", 2),
    "alerts ack": Case("--all", "", 2),
    "alerts test": Case("default", _NONE, 5),
    "emit": Case("deploy.done --key k", "'deploy done'", 2),
    "trigger": Case("on-deploy", _NONE, 5),
    "subscriptions list": Case("", "x", 2),
    "subscriptions get": Case("on-deploy", _NONE, 5),
    "subscriptions test": Case(
        "on-deploy --event -",
        "on-deploy",
        2,
        stdin='{"type": "deploy.done", "payload": {"stage": "live"}}',
    ),
    "subscriptions pause": Case("on-deploy", _NONE, 5),
    "subscriptions resume": Case("on-deploy", _NONE, 5),
    "events list": Case("--type deploy.done", "--limit few", 2),
    "events get": Case("{event}", _NONE, 5),
    "events replay": Case("{event}", _NONE, 5),
    "apply": Case("cue.yaml", "broken.yaml", 7),
    "validate": Case("cue.yaml", "broken.yaml", 7, about_input=True),
    "diff": Case("cue.yaml", "broken.yaml", 7, good_status=4),
    "agents list": Case("", "x", 2),
    "executors list": Case("", "x", 2),
    "executors ping": Case("", "nobody", 5),
    "executors reset": Case("", "nobody", 5, reason="tests/passes/test_away.py"),
    "agents test": Case("bot --prompt hi", _NONE, 5),
    "queue list": Case("", "x", 2),
    "queue clear": Case("bot --yes", f"{_NONE} --yes", 5),
    "queue add": Case("", "chores", 2, reason="tests/workflows/test_queues.py"),
    "queue tasks": Case("--all", "x y", 2),
    "queue cancel": Case("", _NONE, 5, reason="tests/workflows/test_queues.py"),
    "filters test": Case("", "x", 2, stdin='{"filter": {"a": "b"}, "payload": {"a": "c"}}\n'),
    "templates render": Case(
        "", "x", 2, stdin='{"template": "{{CUE_EVENT_TYPE}}", "event": {"type": "a.b"}}\n'
    ),
    "serve": Case("", "--port high", 2, reason="test_serve_says_where_it_serves"),
    "open": Case("", _NONE, 5, reason="tests/http/test_site.py"),
    "deliver": Case("", "now", 2),
    "config list": Case("", "x", 2),
    "gc": Case("--dry-run", "--output forever", 2),
    "fsck": Case("", "x", 2),
    "init": Case("", "--scheduler sundial", 2),
    "demo": Case("", "x", 2),
    "scheduler install": Case("--scheduler crontab --dry-run", "--scheduler sundial", 2),
    "scheduler remove": Case("--dry-run", "--scheduler sundial", 2),
    "scheduler watch": Case("", "x", 2),
    "scheduler status": Case("", "x", 2, good_status=4),
    "doctor": Case("", "x", 2, good_status=4),
    "import-crontab": Case("crontab.txt", "missing.txt", 5),
    "export": Case("{out}", "broken.yaml", 6),
    "import": Case("", "broken.yaml", 6, reason="tests/cli/test_export_import.py"),
    "dashboard": Case("page.html", "missing/x.html", 1),
    "graph": Case("--format svg", "--format png", 2),
    "metrics": Case("", "--textfile missing/x.prom", 1),
    "completion": Case("bash", "tcsh", 2),
    "help": Case("create", _NONE, 5),
    "version": Case("", "x", 2),
    "executors worker": Case(
        "", "farm --config worker.yaml", 2, reason="tests/fleet/test_worker_command.py"
    ),
    "mcp": Case("", "x", 2, reason="tests/mcp/test_mcp.py"),
    "workflow list": Case("", "x", 2),
    "workflow show": Case("done", _NONE, 5),
    "workflow check": Case("", "--module missing.py", 5),
    "workflow run": Case("done --who=me", "done --whom=me", 2),
    "workflow runs": Case("", "--limit few", 2),
    "workflow log": Case("{run}", _NONE, 5),
    "workflow resume": Case("{parked}", "{run}", 6, good_status=4),
    "workflow fork": Case("{parked} --from 1 --yes", _NONE, 5, good_status=4),
    "workflow replay": Case("{run}", "missing.jsonl", 5),
    "workflow history": Case("{run} --out {out}", "{run}", 2),
    "workflow answer": Case("{parked} yes", "{run} yes", 6),
    "workflow cancel": Case("{parked}", "{run}", 6),
    "sessions list": Case("--all", "x", 2),
    "sessions show": Case("{session}", _NONE, 5),
    "sessions close": Case("{session}", _NONE, 5),
}

# Passes start these by themselves and read what they say; nobody calls them for an answer.
MACHINERY = {"pass-api", "queue-worker", "webhook-call", "workflow-execution"}
# The editor has the terminal, where no JSON could be told from it; `update` is for scripts.
# What `mcp` says is the protocol's; clients read it whatever is asked for.
WITHOUT_JSON = {*MACHINERY, "edit", "mcp"}
