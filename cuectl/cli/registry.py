"""The commands: where each lives and its one line of help.

`cuectl --help` prints these lines without importing a single command; a test holds them
against the commands' own.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.cli.options import Command

SCHEDULE = "Schedule"
RUN = "Run"
INSIDE = "Inside a handler"
LOOK = "Look at what happened"
EVENTS = "Events and agents"
DEFINE = "Definitions"
WORKFLOWS = "Workflows"
CARE = "Set up and care"

SECTIONS = (SCHEDULE, RUN, INSIDE, LOOK, EVENTS, DEFINE, WORKFLOWS, CARE)

# name as typed: (module under cuectl.cli.commands, section, summary); without a section it is
# nothing that people call, and not listed.
COMMANDS: dict[str, tuple[str, str, str]] = {
    "create": ("create", SCHEDULE, "Create a cue from --cron, --at, --every or --in"),
    "list": ("list", SCHEDULE, "List cues with their next fire and last result"),
    "get": ("get", SCHEDULE, "Show one cue: schedule, handler, policies, recent executions"),
    "next": ("next", SCHEDULE, "Show the coming fires, of all cues or of any expression"),
    "update": ("update", SCHEDULE, "Change a cue's schedule, handler or policies"),
    "edit": ("edit", SCHEDULE, "Edit a cue in $EDITOR"),
    "pause": ("pause", SCHEDULE, "Stop firing a cue, keeping it"),
    "resume": ("resume", SCHEDULE, "Let a paused cue fire again"),
    "delete": ("delete", SCHEDULE, "Delete a cue; its executions stay"),
    "run-due": ("run_due", RUN, "Run everything that is due, once; what cron calls"),
    "worker": ("worker", RUN, "Run what is due, and stay for what comes next"),
    "fire": ("fire", SCHEDULE, "Start a cue now, whatever its schedule"),
    "wait": ("wait", RUN, "Wait until executions are over"),
    "cancel": ("cancel", RUN, "End executions before their time"),
    "retry": ("retry", RUN, "Run a settled execution again"),
    "verify": ("verify", RUN, "Accept or reject the outcome of an execution"),
    "chain": ("chain", INSIDE, "Schedule the next step"),
    "report": ("report", INSIDE, "Report the outcome and its evidence"),
    "executions list": (
        "executions.list",
        LOOK,
        "List executions, filtered by anything in their records",
    ),
    "executions get": (
        "executions.get",
        LOOK,
        "Show one execution: its attempts, outcome and evidence",
    ),
    "executions output": (
        "executions.output",
        LOOK,
        "Print what an execution wrote to its output",
    ),
    "chain show": ("chain_show", LOOK, "Draw the chain that an execution belongs to"),
    "log": ("log", LOOK, "Show the journal; -f follows it"),
    "status": ("status", LOOK, "Show whether all is well: scheduler, runs, failures, alerts"),
    "alerts list": ("alerts.list", LOOK, "List what somebody should know"),
    "alerts ack": ("alerts.ack", LOOK, "Note that somebody has seen to an alert"),
    "alerts test": ("alerts.test", LOOK, "Send a test alert to a sink"),
    "emit": ("emit", EVENTS, "Record an event and start what listens to it"),
    "trigger": ("trigger", EVENTS, "Start a subscription by hand"),
    "subscriptions list": (
        "subscriptions.list",
        EVENTS,
        "List the subscriptions: events and what they start",
    ),
    "subscriptions get": ("subscriptions.get", EVENTS, "Show one subscription"),
    "subscriptions test": (
        "subscriptions.test",
        EVENTS,
        "See whether an event would start a subscription, and why not",
    ),
    "subscriptions pause": (
        "subscriptions.pause",
        EVENTS,
        "Let a subscription take no events",
    ),
    "subscriptions resume": (
        "subscriptions.resume",
        EVENTS,
        "Let a paused subscription take events again",
    ),
    "events list": ("events.list", EVENTS, "List the events that were recorded"),
    "events get": ("events.get", EVENTS, "Show one event and what became of it"),
    "events replay": (
        "events.replay",
        EVENTS,
        "Record an old event anew, and start what listens to it now",
    ),
    "apply": ("apply", DEFINE, "Make the cues match a cue.yaml"),
    "validate": ("validate", DEFINE, "Check a cue.yaml without changing anything"),
    "diff": ("diff", DEFINE, "Show what apply would change"),
    "agents list": ("agents.list", LOOK, "List the agents, and how busy each is"),
    "agents test": ("agents.test", LOOK, "See whether an agent can be started, and answers"),
    "queue list": ("queue.list", LOOK, "Show how much waits for each agent and queue"),
    "queue clear": ("queue.clear", RUN, "Send away what waits for an agent or in a queue"),
    "queue add": ("queue.add", WORKFLOWS, "Give a task to a queue"),
    "queue tasks": ("queue.tasks", WORKFLOWS, "List the tasks of queues"),
    "queue cancel": ("queue.cancel", WORKFLOWS, "End a task of a queue"),
    "filters test": (
        "filters.test",
        DEFINE,
        "Try filters on payloads: JSON lines in, JSON lines out",
    ),
    "templates render": (
        "templates.render",
        DEFINE,
        "Try prompts on events: JSON lines in, JSON lines out",
    ),
    "serve": ("serve", RUN, "Serve the HTTP interface on this machine"),
    # No section: passes start them, so the list of commands leaves them out.
    "pass-api": ("pass_api", "", "Serve the HTTP interface of a pass to its handlers"),
    "webhook-call": ("webhook_call", "", "Call the webhook of the execution in the environment"),
    "deliver": ("deliver", "", "Deliver the alerts that are due"),
    "workflow list": ("workflow.list", WORKFLOWS, "List the workflows"),
    "workflow show": ("workflow.show", WORKFLOWS, "Show one workflow, or one run"),
    "workflow run": ("workflow.run", WORKFLOWS, "Run a workflow here and now"),
    "workflow runs": ("workflow.runs", WORKFLOWS, "List the runs of workflows"),
    "workflow log": ("workflow.log", WORKFLOWS, "Show what a run of a workflow has done"),
    "workflow resume": (
        "workflow.resume",
        WORKFLOWS,
        "Go on with a run that is parked, was lost, or has failed",
    ),
    "workflow answer": ("workflow.answer", WORKFLOWS, "Answer the question of a run"),
    "workflow cancel": ("workflow.cancel", WORKFLOWS, "End a run of a workflow"),
    "mcp": ("mcp", WORKFLOWS, "Serve tools to an agent over MCP, on stdin and stdout"),
    "sessions list": ("sessions.list", WORKFLOWS, "List the sessions of agents"),
    "sessions show": ("sessions.show", WORKFLOWS, "Show one session and what was said in it"),
    "sessions close": ("sessions.close", WORKFLOWS, "Close sessions of agents"),
    # No section: who puts a task into a queue starts it, and so does a pass.
    "workflow-execution": (
        "workflow_execution",
        "",
        "Run the workflow of the execution in the environment",
    ),
    "queue-worker": ("queue_worker", "", "Work on the tasks of a queue until there are none"),
    "workflow check": ("workflow.check", WORKFLOWS, "Check the modules with workflows"),
    "config list": (
        "config.list",
        CARE,
        "List the settings in force and where each comes from",
    ),
    "gc": ("gc", CARE, "Remove old executions, outputs and journal entries"),
    "fsck": ("fsck", CARE, "Check that all records are what the journal says"),
    "init": ("init", CARE, "Make the state directory, and a cue.yaml with --here"),
    "demo": ("demo", CARE, "Play three days in ten seconds, in a throw-away state directory"),
    "scheduler install": (
        "scheduler.install",
        CARE,
        "Have cron, a systemd timer or launchd call run-due each minute",
    ),
    "scheduler remove": ("scheduler.remove", CARE, "Have nothing call run-due any more"),
    "scheduler status": (
        "scheduler.status",
        CARE,
        "Show what calls run-due, and when it did so last",
    ),
    "doctor": ("doctor", CARE, "Check the installation and say how to mend it"),
    "dashboard": ("dashboard", LOOK, "Write one HTML page with everything on it"),
    "graph": ("graph", LOOK, "Draw what starts what: events, cues, agents, chains"),
    "metrics": ("metrics", CARE, "Print metrics for Prometheus, or write a textfile"),
    "import-crontab": ("import_crontab", CARE, "Make cues of the lines of a crontab"),
    "export": ("export", CARE, "Write the state directory into one file"),
    "import": ("import_home", CARE, "Make the state directory of a file that export wrote"),
    "completion": ("completion", CARE, "Print the completion script of a shell"),
    "help": ("help", CARE, "Show the manual of a command or topic"),
    "version": ("version", CARE, "Show versions and paths"),
}

# Words that stand before other commands and do nothing themselves.
GROUPS: dict[str, tuple[str, str]] = {
    "events": (EVENTS, "What has happened: list events, show one, replay it"),
    "subscriptions": (EVENTS, "What events start: list, show, try, pause, resume"),
    "sessions": (WORKFLOWS, "List sessions of agents, show one, close them"),
    "workflow": (WORKFLOWS, "Run workflows, follow their runs"),
    "scheduler": (CARE, "Who calls run-due: install, remove, look"),
    "config": (CARE, "Settings: list them with their origins"),
    "agents": (LOOK, "List agents, try one"),
    "queue": (LOOK, "Tasks of queues, and what waits for agents: add, list, send away"),
    "filters": (DEFINE, "Try filters before they are trusted"),
    "templates": (DEFINE, "Try prompts before they are trusted"),
    "executions": (LOOK, "List executions, show one, print its output"),
    "alerts": (LOOK, "List alerts, acknowledge them, test a sink"),
}


def load(name: str) -> Command:
    """Import the command of that name.

    Raises:
        KeyError: there is none.
    """
    from importlib import import_module

    module = import_module(f"cuectl.cli.commands.{COMMANDS[name][0]}")
    command: Command = module.command
    return command


def find(words: list[str]) -> tuple[str, int]:
    """Return the command that the first words name, and how many words that takes.

    Two words win over one, so that `chain show` and `chain` can both be commands.
    """
    if len(words) > 1 and f"{words[0]} {words[1]}" in COMMANDS:
        return f"{words[0]} {words[1]}", 2
    return (words[0], 1) if words and words[0] in COMMANDS else ("", 0)


def top_level() -> dict[str, tuple[str, str]]:
    """Return what people may type after `cuectl`: word to section and summary."""
    words = {
        name: (section, summary)
        for name, (_, section, summary) in COMMANDS.items()
        if section and " " not in name
    }
    return words | GROUPS


def members(group: str) -> dict[str, str]:
    """Return the commands of a group: second word to summary."""
    return {
        name.partition(" ")[2]: summary
        for name, (_, _, summary) in COMMANDS.items()
        if name.startswith(f"{group} ")
    }
