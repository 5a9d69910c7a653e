"""Click commands made of declarations."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from cuectl.cli import help_text, registry
from cuectl.cli.completions import completer
from cuectl.cli.options import GLOBAL_OPTIONS, Argument, Command, Option, Raw
from cuectl.cli.usage import unexpected_word

if TYPE_CHECKING:
    from collections.abc import Callable


class DeclaredCommand(click.Command):
    """A click command made of a declaration."""

    def __init__(self, declared: Command) -> None:
        super().__init__(
            declared.name,
            params=[
                *(_option(option) for option in declared.options),
                *(_argument(argument) for argument in declared.arguments),
                *global_parameters(),
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

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete options, and the second word of commands that begin with this one."""
        found = super().shell_complete(ctx, incomplete)
        if incomplete.startswith("-"):
            return found
        members = registry.members(self.declared.name)
        return [*words({name: ("", text) for name, text in members.items()}, incomplete), *found]


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


def global_parameters() -> list[click.Parameter]:
    """Return what every command takes."""
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


def words(known: dict[str, tuple[str, str]], incomplete: str) -> list[CompletionItem]:
    """Return the words that begin like what was typed, with their summaries."""
    return [
        CompletionItem(name, help=summary)
        for name, (_, summary) in sorted(known.items())
        if name.startswith(incomplete)
    ]
