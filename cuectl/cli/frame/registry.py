"""The commands: where each lives and its one line of help; the version and its date.

`cuectl --help` prints these lines without importing a command; a test compares them.
"""

from __future__ import annotations

from importlib import import_module

from cuectl.cli.frame.declare import Command

SCHEDULE = "Schedule"
RUN = "Run"
INSIDE = "Inside a handler"
LOOK = "Look at what happened"
EVENTS = "Events and agents"
DEFINE = "Definitions"
WORKFLOWS = "Workflows"
CARE = "Set up and care"

SECTIONS = (SCHEDULE, RUN, INSIDE, LOOK, EVENTS, DEFINE, WORKFLOWS, CARE)

_TABLE = """\
create: cues.create: schedule: Create a cue from --cron, --at, --every or --in
list: cues.listing: schedule: List cues with their next fire and last result
get: cues.show: schedule: Show one cue: schedule, handler, policies, recent executions
next: cues.show: schedule: Show the coming fires, of all cues or of any expression
update: cues.change: schedule: Change a cue's schedule, handler or policies
edit: cues.change: schedule: Edit a cue in $EDITOR
pause: cues.change: schedule: Stop firing a cue, keeping it
resume: cues.change: schedule: Resume a paused cue
delete: cues.change: schedule: Delete a cue; its executions stay
undelete: cues.change: schedule: Bring back a deleted cue
run-due: passes: run: Run everything that is due, once; what cron calls
worker: passes: run: Run due cues and keep watching for more
fire: executions: schedule: Start a cue now, whatever its schedule
wait: executions: run: Wait for executions to finish
cancel: executions: run: Cancel executions
retry: executions: run: Run a settled execution again
verify: executions: run: Accept or reject the outcome of an execution
chain: cues.create: inside: Schedule the next step
report: executions: inside: Report the outcome and its evidence
executions list: execution_list: look: List executions, filtered by anything in their records
executions get: execution_show: look: Show one execution: its attempts, outcome and evidence
executions output: execution_list: look: Print what an execution wrote to its output
logs: execution_list: look: Print the output of the newest run of a cue
chain show: execution_show: look: Draw the chain that an execution belongs to
log: log: look: Show the journal; -f follows it
status: status: look: Show whether all is well: scheduler, runs, failures, alerts
top: live.top: look: Watch what runs, what comes next and what fails
alerts list: alerts: look: List open alerts
alerts ack: alerts: look: Acknowledge alerts
alerts test: alerts: look: Send a test alert, and show what is sent
emit: events: events: Record an event and start what listens to it
trigger: events: events: Start a subscription by hand
subscriptions list: events: events: List the subscriptions: events and what they start
subscriptions get: events: events: Show one subscription
subscriptions test: events: events: See whether an event would start a subscription, and why not
subscriptions pause: events: events: Pause a subscription
subscriptions resume: events: events: Resume a subscription
events list: events: events: List the events that were recorded
events get: events: events: Show one event and what became of it
events replay: events: events: Record an old event anew, and start what listens to it now
apply: definitions: define: Make the cues match a cue.yaml
validate: definitions: define: Check a cue.yaml without changing anything
diff: definitions: define: Show what apply would change
agents list: agents: look: List the agents, and how busy each is
agents test: agents: look: See whether an agent can be started, and answers
queue list: agents: look: Show how much waits for each agent and queue
queue clear: agents: run: Cancel everything that waits for an agent or queue
queue add: agents: workflows: Give a task to a queue
queue tasks: agents: workflows: List the tasks of queues
queue cancel: agents: workflows: End a task of a queue
filters test: definitions: define: Try filters on payloads: JSON lines in, JSON lines out
templates render: definitions: define: Try prompts on events: JSON lines in, JSON lines out
serve: processes: run: Serve a page for your browser, and the HTTP interface
open: processes: look: Print a link to the page that 'cuectl serve' shows
executors list: executors.look: look: List executors and what runs there
executors ping: executors.look: care: Check that executors answer, and list their workers
executors reset: executors.look: care: Resume sending to an executor that lost its memory
executors worker: executors.worker: run: Run executions for another machine, as one of its workers
pass-api: processes: -: Serve the HTTP interface of a pass to its handlers
webhook-call: processes: -: Call the webhook of the execution in the environment
deliver: processes: -: Deliver the alerts that are due
workflow list: workflows: workflows: List the workflows
workflow show: workflows: workflows: Show one workflow, or one run
workflow run: workflows: workflows: Run a workflow here and now
workflow runs: workflow_runs: workflows: List the runs of workflows
workflow log: workflow_runs: workflows: Show what a run of a workflow has done
workflow resume: workflows: workflows: Continue a run that is parked, was lost, or has failed
workflow fork: workflow_again: workflows: Start a new run from a call of another
workflow replay: workflow_again: workflows: Compare histories with the code as it is now
workflow history: workflow_again: workflows: Save the history of a run to a file
workflow answer: workflow_runs: workflows: Answer the question of a run
workflow cancel: workflow_runs: workflows: End a run of a workflow
mcp: processes: workflows: Serve tools to an agent over MCP, on stdin and stdout
sessions list: workflow_runs: workflows: List the sessions of agents
sessions show: workflow_runs: workflows: Show one session and what was said in it
sessions close: workflow_runs: workflows: Close sessions of agents
workflow-execution: processes: -: Run the workflow of the execution in the environment
queue-worker: processes: -: Work on the tasks of a queue until there are none
workflow check: workflows: workflows: Check the modules with workflows
config list: about: care: List the settings in force and where each comes from
gc: repair: care: Remove old executions, outputs and journal entries
fsck: repair: care: Check that all records are what the journal says
init: home: care: Make the state directory, and a cue.yaml with --here
demo: home: care: Simulate three days in ten seconds, in a temporary directory
scheduler install: scheduler: care: Have cron, a systemd timer or launchd call run-due each minute
scheduler remove: scheduler: care: Remove the cron line or timer
scheduler watch: scheduler: care: Alert your sinks when nothing calls run-due
scheduler status: scheduler: care: Show what calls run-due, and when it last did
doctor: repair: care: Find problems with your setup and how to fix them
dashboard: status: look: Write the page as one HTML file
graph: status: look: Draw what starts what: events, cues, agents, chains
metrics: status: care: Print metrics for Prometheus, or write a textfile
import-crontab: home: care: Import cues from a crontab
export: home: care: Write the state directory into one file
import: home: care: Restore from an export
completion: about: care: Print the completion script of a shell
help: about: care: Show the manual of a command or topic
version: about: care: Show versions and paths
"""
# Name as typed, module under cuectl.cli.commands, section, summary. What people do not call has
# no section (-) and is not listed.
_WORDS = "schedule run inside look events define workflows care".split()
_SECTION = {"-": "", **dict(zip(_WORDS, SECTIONS, strict=True))}
_FIELDS = (line.split(": ", 3) for line in _TABLE.splitlines())
COMMANDS = {
    name: (module, _SECTION[section], summary) for name, module, section, summary in _FIELDS
}

# Words that stand before other commands and do nothing themselves.
GROUPS: dict[str, tuple[str, str]] = {
    "events": (EVENTS, "List events, show one, replay it"),
    "subscriptions": (EVENTS, "List subscriptions to events, test, pause, resume"),
    "sessions": (WORKFLOWS, "List sessions of agents, show one, close them"),
    "workflow": (WORKFLOWS, "Run workflows and follow them"),
    "scheduler": (CARE, "Have cron or a timer call run-due"),
    "config": (CARE, "Settings: list them with their origins"),
    "agents": (LOOK, "List agents, test one"),
    "queue": (LOOK, "List, add and cancel waiting tasks"),
    "filters": (DEFINE, "Test filters"),
    "templates": (DEFINE, "Test prompts"),
    "executions": (LOOK, "List executions, show one, print its output"),
    "executors": (RUN, "List, test and join machines that run work"),
    "alerts": (LOOK, "List alerts, acknowledge them, test a sink"),
}


def load(name: str) -> Command:
    """Import the command of that name. Raises KeyError: there is none."""
    module = import_module(f"cuectl.cli.commands.{COMMANDS[name][0]}")
    commands = (each for each in vars(module).values() if isinstance(each, Command))
    return next(each for each in commands if each.name == name)


def find(words: list[str]) -> tuple[str, int]:
    """Return the command that the first words name, and how many; two words win over one."""
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


# `make release` changes both; the manual pages carry the date.
VERSION = "0.1.0"
DATE = "2026-11-21"
