"""The click side: help, usage errors, completion, and every command line that is not plain.

The click commands are made of the declarations. Click parses text and nothing more; what
the text means is decided in `values.py` for both parsers.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from cuectl.cli import help_text, registry
from cuectl.cli.completions import completer
from cuectl.cli.options import GLOBAL_OPTIONS, Argument, Command, Option, Raw
from cuectl.cli.usage import no_such_command, no_such_option, unexpected_word
from cuectl.model.errors import CuectlError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

COMPLETION_VARIABLE = "_CUECTL_COMPLETE"


def parse_by_click(arguments: list[str]) -> tuple[Command, Raw] | int:
    """Return the command that is called and what was typed for it.

    A status instead, when click has answered already: `--help`, `--version`.

    Raises:
        CuectlError: a usage error in our words.
    """
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
        names = (
            [name for p in context.command.get_params(context) for name in p.opts]
            if context
            else []
        )
        return no_such_option(error.option_name, names, path)
    if isinstance(error, click.MissingParameter) and error.param is not None:
        return UsageError(
            f"{error.param.human_readable_name} is missing", hint=f"see: {path} --help"
        )
    words = error.format_message().rstrip(".")
    return UsageError(words[:1].lower() + words[1:], hint=f"see: {path} --help")


class Root(click.Group):
    """`cuectl` itself. Command modules are imported when they are called, or asked for help."""

    def __init__(self) -> None:
        super().__init__(
            "cuectl",
            params=_global_parameters(),
            no_args_is_help=True,
            add_help_option=False,
        )

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the words that may follow."""
        return sorted(registry.top_level())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command or group of that name."""
        if cmd_name in registry.GROUPS:
            return Group(cmd_name)
        if cmd_name in registry.COMMANDS and " " not in cmd_name:
            if ctx.resilient_parsing and registry.members(cmd_name):
                return Group(cmd_name)
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
            raise no_such_command(args[0], list(registry.top_level()), "cuectl")
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help from the registry alone."""
        formatter.write(help_text.of_program())

    def shell_complete(
        self, ctx: click.Context, incomplete: str
    ) -> list[click.shell_completion.CompletionItem]:
        """Complete a command's name from the registry alone."""
        if incomplete.startswith("-"):
            return click.Command.shell_complete(self, ctx, incomplete)
        return _words(registry.top_level(), incomplete)


class Group(click.Group):
    """A word before other commands: `executions`."""

    def __init__(self, name: str) -> None:
        super().__init__(
            name,
            params=_global_parameters(),
            no_args_is_help=True,
            add_help_option=False,
        )
        self.word = name

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the words that may follow."""
        return sorted(registry.members(self.word))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the member of that name."""
        if cmd_name not in registry.members(self.word):
            return None
        return DeclaredCommand(registry.load(f"{self.word} {cmd_name}"))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the member, or say which there are."""
        names = registry.members(self.word)
        if args[0] not in names and not ctx.resilient_parsing:
            raise no_such_command(args[0], list(names), f"cuectl {self.word}")
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help from the registry alone."""
        formatter.write(help_text.of_group(self.word))

    def shell_complete(
        self, ctx: click.Context, incomplete: str
    ) -> list[click.shell_completion.CompletionItem]:
        """Complete a member's name."""
        if incomplete.startswith("-"):
            return click.Command.shell_complete(self, ctx, incomplete)
        known = {name: ("", text) for name, text in registry.members(self.word).items()}
        return _words(known, incomplete)


class DeclaredCommand(click.Command):
    """A click command made of a declaration."""

    def __init__(self, declared: Command) -> None:
        super().__init__(
            declared.name,
            params=[
                *(_option(option) for option in declared.options),
                *(_argument(argument) for argument in declared.arguments),
                *_global_parameters(),
            ],
            add_help_option=False,
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
        if rest and not ctx.resilient_parsing:
            raise unexpected_word(rest[0], self.declared)
        return rest

    def invoke(self, ctx: click.Context) -> tuple[Command, Raw]:
        """Return what was typed; it is run outside of click, like what is parsed quickly."""
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
        formatter.write(help_text.of_command(self.declared))


def _collect_globals(ctx: click.Context, raw: Raw) -> None:
    chain: list[click.Context] = []
    context: click.Context | None = ctx
    while context is not None:
        chain.insert(0, context)
        context = context.parent
    for context in chain:
        for option in GLOBAL_OPTIONS:
            _collect(option, context.params.get(_global_key(option)), raw)


def _collect(option: Option, found: Any, raw: Raw) -> None:
    """Add what click found for an option; what was not given leaves no trace."""
    if found is None or found is False or (option.count and found == 0) or found == ():
        return
    if option.count:
        raw.options[option.key] = raw.options.get(option.key, 0) + found
    else:
        raw.options[option.key] = list(found) if option.many else found


def _global_key(option: Option) -> str:
    # A name that no option of a command can have.
    return f"global_{option.key}"


def _global_parameters() -> list[click.Parameter]:
    return [
        *(_option(option, _global_key(option)) for option in GLOBAL_OPTIONS),
        _answering(["--version"], "Print the version", _version),
        _answering(["-h", "--help"], "Print this help", click.Context.get_help),
    ]


def _answering(
    names: list[str], help_: str, answer: Callable[[click.Context], str]
) -> click.Option:
    """Return an option that prints something and ends the call."""

    def callback(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
        if value and not ctx.resilient_parsing:
            # Not by click's echo, which would hide that standard output is closed or full.
            sys.stdout.write(f"{answer(ctx)}\n")
            ctx.exit()

    return click.Option(
        names, is_flag=True, is_eager=True, expose_value=False, help=help_, callback=callback
    )


def _version(ctx: click.Context) -> str:
    from cuectl.cli.release import VERSION

    return f"cuectl {VERSION}"


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


def _words(
    known: dict[str, tuple[str, str]], incomplete: str
) -> list[click.shell_completion.CompletionItem]:
    from click.shell_completion import CompletionItem

    return [
        CompletionItem(name, help=summary)
        for name, (_, summary) in sorted(known.items())
        if name.startswith(incomplete)
    ]
