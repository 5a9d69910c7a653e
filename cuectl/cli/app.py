"""The click side: help, usage errors, completion, and every command line that is not plain.

The click commands are made of the declarations. Click parses text and nothing more; what
the text means is decided in `values.py` for both parsers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cuectl.cli import help_text, registry
from cuectl.cli.click_commands import DeclaredCommand, global_parameters, words
from cuectl.cli.usage import no_such_command, no_such_option
from cuectl.model.errors import CuectlError, UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from cuectl.cli.options import Command, Raw

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
        raise _in_ourwords(error) from None
    except click.Abort:
        raise KeyboardInterrupt from None
    return found


def _in_ourwords(error: click.ClickException) -> CuectlError:
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
    text = error.format_message().rstrip(".")
    return UsageError(text[:1].lower() + text[1:], hint=f"see: {path} --help")


class Root(click.Group):
    """`cuectl` itself. Command modules are imported when they are called, or asked for help."""

    def __init__(self) -> None:
        super().__init__(
            "cuectl",
            params=global_parameters(),
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

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete a command's name from the registry alone."""
        if incomplete.startswith("-"):
            return click.Command.shell_complete(self, ctx, incomplete)
        return words(registry.top_level(), incomplete)


class Group(click.Group):
    """A word before other commands: `executions`."""

    def __init__(self, name: str) -> None:
        super().__init__(
            name,
            params=global_parameters(),
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

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete a member's name."""
        if incomplete.startswith("-"):
            return click.Command.shell_complete(self, ctx, incomplete)
        known = {name: ("", text) for name, text in registry.members(self.word).items()}
        return words(known, incomplete)
