"""The click side: help, usage errors, completion, and every command line that is not plain.

What the text means is decided in `parse.py` for both parsers. Completion never writes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from cuectl.cli.frame import help as help_text
from cuectl.cli.frame import registry
from cuectl.cli.frame.declare import GLOBAL_OPTIONS, TABLE_OPTIONS, Argument, Command, Option
from cuectl.cli.frame.parse import Raw, no_such_command, no_such_option, unexpected_word
from cuectl.values.errors import CuectlError, UsageError

if TYPE_CHECKING:
    from cuectl.definitions.in_force import InForce
    from cuectl.process.runtime import Runtime
    from cuectl.store.reading import Reader
    from cuectl.values.records import Record


class DeclaredCommand(click.Command):
    """A click command made of a declaration."""

    def __init__(self, declared: Command) -> None:
        super().__init__(
            declared.name,
            params=[
                *(_option(option) for option in declared.options),
                *(_argument(argument) for argument in declared.arguments),
                *global_parameters(declared.settings),
            ],
            add_help_option=False,
            context_settings={"ignore_unknown_options": True} if declared.rest else None,
        )
        self.declared = declared

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse; what follows `--` is kept as it is for a command that takes it."""
        if self.declared.argv and "--" in args:
            cut = args.index("--")
            ctx.meta["cuectl.argv"] = tuple(args[cut + 1 :])
            args = args[:cut]
        if not ctx.resilient_parsing:
            ctx.allow_extra_args = True
        try:
            rest = super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise
        if rest and self.declared.rest:
            ctx.meta["cuectl.argv"] = (*rest, *ctx.meta.get("cuectl.argv", ()))
            return []
        if rest and not ctx.resilient_parsing:
            raise unexpected_word(rest[0], self.declared, ctx.params.get("cron"))
        return rest

    def invoke(self, ctx: click.Context) -> tuple[Command, Raw]:
        """Return what was typed; it is run outside click, like what is parsed quickly."""
        raw = Raw(argv=ctx.meta.get("cuectl.argv"))
        _collect_globals(ctx, raw)
        for option in self.declared.options:
            _collect(option, ctx.params.get(option.key), raw)
        for argument in self.declared.arguments:
            found = ctx.params.get(argument.key)
            if found is not None:
                raw.words += found if argument.many else [found]
        return self.declared, raw

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help from the declaration."""
        formatter.write(help_text.on_terminal(partial(help_text.of_command, self.declared)))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete options, and the second word of commands that start with this one."""
        found = super().shell_complete(ctx, incomplete)
        if incomplete.startswith("-"):
            return found
        members = sorted(registry.members(self.declared.name).items())
        return [*_begun(members, incomplete), *found]


def _collect_globals(ctx: click.Context, raw: Raw) -> None:
    """Collect them outermost first, so that what stands behind the command wins."""
    if ctx.parent is not None:
        _collect_globals(ctx.parent, raw)
    for option in (*GLOBAL_OPTIONS, *TABLE_OPTIONS):
        _collect(option, ctx.params.get(f"global_{option.key}"), raw)


def _collect(option: Option, found: Any, raw: Raw) -> None:
    if found is None or found is False or (option.count and found == 0) or found == ():
        return
    if option.count:
        raw.options[option.key] = raw.options.get(option.key, 0) + found
    else:
        raw.options[option.key] = list(found) if option.many else found


def global_parameters(settings: tuple[Option, ...] = GLOBAL_OPTIONS) -> list[click.Parameter]:
    """Return what a command takes beside its own options."""
    return [
        *(_option(option, f"global_{option.key}") for option in settings),
        _answering(["--version"], "Print the version", lambda _: f"cuectl {registry.VERSION}"),
        _answering(["-h", "--help"], "Print this help", click.Context.get_help),
    ]


def _answering(
    names: list[str], help_: str, answer: Callable[[click.Context], str]
) -> click.Option:
    def callback(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
        if value and not ctx.resilient_parsing:
            # Not by click's echo, which would hide that standard output is closed or full.
            sys.stdout.write(f"{answer(ctx)}\n")
            ctx.exit()

    return click.Option(
        names, is_flag=True, is_eager=True, expose_value=False, help=help_, callback=callback
    )


def _option(option: Option, key: str = "") -> click.Option:
    names = [key or option.key, *option.names]
    if option.count:
        return click.Option(names, count=True, help=option.help)
    if option.is_flag:
        return click.Option(names, is_flag=True, help=option.help)
    return click.Option(
        names,
        metavar=option.metavar,
        help=option.help,
        type=click.UNPROCESSED,
        multiple=option.many,
        shell_complete=completer(option),
    )


def _argument(argument: Argument) -> click.Argument:
    return click.Argument(
        [argument.key],
        metavar=argument.name,
        type=click.UNPROCESSED,
        required=argument.required,
        nargs=-1 if argument.many else 1,
        shell_complete=completer(argument),
    )


COMPLETION_VARIABLE = "_CUECTL_COMPLETE"


def parse_by_click(arguments: list[str]) -> tuple[Command, Raw] | int:
    """Return the command and what was typed for it, or a status when click has answered."""
    try:
        found: tuple[Command, Raw] | int = Root().main(
            arguments, "cuectl", complete_var=COMPLETION_VARIABLE, standalone_mode=False
        )
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help(), err=True)
        return 2
    except click.ClickException as error:
        raise _in_our_words(error) from None
    except click.Abort:
        raise KeyboardInterrupt from None
    return found


def _in_our_words(error: click.ClickException) -> CuectlError:
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "cuectl"
    if isinstance(error, click.NoSuchOption):
        known = context.command.get_params(context) if context else []
        names = [name for parameter in known for name in parameter.opts]
        return no_such_option(error.option_name, names, path)
    if isinstance(error, click.MissingParameter) and error.param is not None:
        return UsageError(
            f"{error.param.human_readable_name} is missing", hint=f"see: {path} --help"
        )
    text = error.format_message().rstrip(".")
    return UsageError(text[:1].lower() + text[1:], hint=f"see: {path} --help")


class _Words(click.Group):
    def __init__(self, name: str) -> None:
        super().__init__(
            name, params=global_parameters(), no_args_is_help=True, add_help_option=False
        )
        self.word = name

    def following(self) -> dict[str, str]:
        """Return the words that may follow, with their summaries."""
        return registry.members(self.word)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the words that may follow."""
        return sorted(self.following())

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the next word from the registry alone."""
        if incomplete.startswith("-"):
            return click.Command.shell_complete(self, ctx, incomplete)
        return _begun(sorted(self.following().items()), incomplete)


class Root(_Words):
    """`cuectl` itself. Command modules are imported when they are called, or asked for help."""

    def __init__(self) -> None:
        super().__init__("cuectl")

    def following(self) -> dict[str, str]:
        """Return commands and groups."""
        return {name: summary for name, (_, summary) in registry.top_level().items()}

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command or group of that name."""
        if cmd_name in registry.GROUPS:
            return Group(cmd_name)
        if cmd_name in registry.COMMANDS and " " not in cmd_name:
            return DeclaredCommand(registry.load(cmd_name))
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; two words win over one."""
        name, count = registry.find(args)
        if count == 2 and args[0] not in registry.GROUPS:
            return name, DeclaredCommand(registry.load(name)), args[2:]
        if not name and args[0] not in registry.GROUPS and not ctx.resilient_parsing:
            raise no_such_command(args[0], list(self.following()), "cuectl")
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help from the registry alone."""
        formatter.write(help_text.on_terminal(help_text.of_program))


class Group(_Words):
    """A word before other commands: `executions`."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the member of that name."""
        if cmd_name not in self.following():
            return None
        return DeclaredCommand(registry.load(f"{self.word} {cmd_name}"))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the member, or say which there are."""
        names = self.following()
        if args[0] not in names and not ctx.resilient_parsing:
            raise no_such_command(args[0], list(names), f"cuectl {self.word}")
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help from the registry alone."""
        formatter.write(help_text.on_terminal(partial(help_text.of_group, self.word)))


Found = Iterable[tuple[str, str]]
"""Words that the shell may offer, each with a remark."""

_MOST = 1_000


def completer(declared: Option | Argument) -> Any:
    """Return click's callback for what an option or argument takes; None for free text."""
    if not declared.choices and not declared.complete:
        return None

    def complete(ctx: Any, parameter: Any, incomplete: str) -> list[CompletionItem]:
        if declared.complete in ("file", "directory"):
            kind = "dir" if declared.complete == "directory" else "file"
            return [CompletionItem(incomplete, type=kind)]
        if declared.choices:
            return _begun(((choice, "") for choice in declared.choices), incomplete)
        try:
            return _begun(KINDS[declared.complete](), incomplete)
        except (CuectlError, OSError, ValueError, KeyError):
            return []

    return complete


def _begun(found: Found, incomplete: str) -> list[CompletionItem]:
    begun = {w: remark for w, remark in found if w.startswith(incomplete)}
    return [CompletionItem(w, help=remark) for w, remark in begun.items()]


def _zones() -> Found:
    import zoneinfo

    return ((name, "") for name in sorted(zoneinfo.available_timezones()))


def _topics() -> Found:
    from cuectl.cli.manual.pages import page_names

    return ((name, "") for name in page_names())


def _runtime() -> Runtime:
    import os

    from cuectl.process.runtime import runtime_from

    return runtime_from(os.environ)


def _reader() -> Reader:
    from cuectl.store.reading import open_reader

    return open_reader(_runtime().existing_store, limit_s=0.05)


def _definitions() -> InForce:
    from cuectl.definitions.in_force import definitions

    return definitions(_reader())


def _cues() -> Found:
    reader = _reader()
    ids = [name[:-5] for name in reader.names("cues") if name.count(".") == 1]
    found = []
    for cue_id in sorted(ids)[:_MOST]:
        record = reader.read(f"cues/{cue_id}.json") or {}
        state = reader.read(f"cues/{cue_id}.s.json") or {}
        found.append((str(record.get("name", cue_id)), str(state.get("status", ""))))
    return sorted(found)


def _newest(folder: str) -> Iterable[tuple[str, Record]]:
    reader = _reader()
    for name in sorted(reader.names(folder), reverse=True)[:_MOST]:
        yield name.removesuffix(".json"), reader.read(f"{folder}/{name}") or {}


def _executions() -> Found:
    yield from _cues()
    for folder in ("open", "waiting"):
        for name, record in _newest(folder):
            yield name, f"{record.get('cue_name', '')} {record.get('status', '')}".strip()


def _alerts() -> Found:
    for name, record in _newest("alerts"):
        message = str(record.get("message", ""))
        yield from ((one, message) for one in (record.get("cue_name"), name) if one)


def _agents() -> Found:
    from cuectl.definitions.in_force import definitions_now

    found = definitions_now(_reader(), _runtime().home).agents
    return ((name, found[name].driver) for name in sorted(found))


def _workflows() -> Found:
    from cuectl.workflows.catalogue import catalogue

    found = catalogue(_runtime()).workflows
    return ((name, each.doc.partition("\n")[0]) for name, each in found.items())


def _runs() -> Found:
    from cuectl.workflows.runs import read_run, run_ids

    reader = _reader()
    for each in reversed(run_ids(reader)[-_MOST:]):
        run = read_run(reader, each)
        if run is not None:
            yield from ((one, run.status.value) for one in (run.workflow, run.id))


def _queues() -> Found:
    found = _definitions()
    queues = [(name, queue.agent) for name, queue in found.definitions.queues.items()]
    return [*queues, *((name, "agent") for name in found.agents)]


def _sessions() -> Found:
    from cuectl.workflows.sessions import list_sessions

    return ((each.handle, each.agent) for each in list_sessions(_reader()) if not each.closed)


KINDS: dict[str, Callable[[], Found]] = {
    "agent": _agents,
    "alert": _alerts,
    "cue": _cues,
    "execution": _executions,
    "queue": _queues,
    "run": _runs,
    "session": _sessions,
    "sink": lambda: ((name, it.kind) for name, it in sorted(_definitions().alerts.items())),
    "task": lambda: ((name, "") for name in sorted(_definitions().definitions.handlers)),
    "topic": _topics,
    "workflow": _workflows,
    "zone": _zones,
}
