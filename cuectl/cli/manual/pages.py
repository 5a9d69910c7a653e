"""Every page of the manual, by name."""

from __future__ import annotations

from cuectl.cli import registry, schemas
from cuectl.cli.help_text import EVERYWHERE, described, option_names, usage
from cuectl.cli.manual import sources
from cuectl.cli.manual.markup import Block, Code, Heading, Paragraph, Term, parse
from cuectl.cli.manual.page import Page
from cuectl.cli.options import GLOBAL_OPTIONS, Command
from cuectl.model.errors import NotFound

PROGRAM = "cuectl"


def page_names() -> list[str]:
    """Return what `cuectl help` may be followed by."""
    words = [*registry.COMMANDS, *registry.GROUPS]
    return sorted([*words, *(name.removeprefix("cuectl-") for name in sources.topics())])


def all_pages() -> list[Page]:
    """Return every page of the manual, in the order of their files."""
    names = [PROGRAM, *registry.COMMANDS, *registry.GROUPS, *sources.topics()]
    return sorted((find_page(name) for name in names), key=lambda page: page.file)


def find_page(name: str) -> Page:
    """Return the page of a command (`executions list`), group or topic (`exit-codes`).

    Raises:
        NotFound: there is none; with the nearest name.
    """
    written = sources.topics()
    if name in written:
        # Under its whole name a topic is meant, also where a group has the short one.
        return _page(name, written[name], sources.topic(name, written[name]))
    words = name.removesuffix("(1)").removeprefix("cuectl-").removeprefix("cuectl ")
    spaced = words if words in registry.COMMANDS else words.replace("-", " ", 1)
    if words == PROGRAM:
        return _program()
    for candidate in (words, spaced):
        if candidate in registry.COMMANDS:
            return _command(registry.load(candidate))
        if candidate in registry.GROUPS:
            return _group(candidate)
    for candidate in (words, f"cuectl-{words}"):
        if candidate in written:
            section = written[candidate]
            return _page(candidate, section, sources.topic(candidate, section))
    raise _no_page(name)


def _no_page(name: str) -> NotFound:
    from cuectl.cli.parameters import quoted
    from cuectl.cli.usage import nearest

    near = nearest(name, page_names())
    hint = f"did you mean '{near}'?" if near else "all commands: cuectl --help"
    return NotFound(f"there is no manual page '{quoted(name)}'", hint=hint)


def _schemas() -> list[Block]:
    """Return the list of schemas, for the page about them."""
    found: list[Block] = []
    for name in registry.COMMANDS:
        if schemas.has_schema(name):
            text = f"`{schemas.file_name(name)}`. {schemas.about(name)}"
            found.append(Term(f"`cuectl {name}`", (text.rstrip(),)))
    return found


def _page(name: str, section: int, blocks: list[Block]) -> Page:
    if name == "cuectl-json":
        place = next(i for i, b in enumerate(blocks) if b == Heading(1, "SEE ALSO"))
        blocks = [*blocks[:place], Heading(1, "SCHEMAS"), *_schemas(), *blocks[place:]]
    return Page(name=name, section=section, blocks=tuple(blocks))


def _command(command: Command) -> Page:
    name = f"cuectl-{command.name.replace(' ', '-')}"
    own = sources.sections_of(command.name.replace(" ", "-"))
    blocks = [
        *_name(name, command.summary),
        Heading(1, "SYNOPSIS"),
        Code((usage(command),)),
        Heading(1, "DESCRIPTION"),
        *(parse(_dedented(command.description)) or [Paragraph(f"{command.summary}.")]),
        *own.pop("DESCRIPTION", []),
        *_members(command.name),
        Heading(1, "OPTIONS"),
        *_options(command),
        Heading(1, "EXIT STATUS"),
        *_exits(command),
        *own.pop("EXIT STATUS", []),
        Heading(1, "ENVIRONMENT"),
        *own.pop("ENVIRONMENT", []),
        *_ENVIRONMENT,
        Heading(1, "FILES"),
        *own.pop("FILES", []),
        *_FILES,
    ]
    examples = own.pop("EXAMPLES", [])
    for title, text in own.items():
        blocks += [Heading(1, title), *text]
    if examples:
        blocks += [Heading(1, "EXAMPLES"), *examples]
    return _page(name, 1, [*blocks, *_see_also("cuectl(1)", *command.see_also)])


_ENVIRONMENT = [
    Paragraph("`CUECTL_HOME` and the other variables are in **cuectl-environment**(7).")
]
_FILES = [Paragraph("`~/.cue` is the state directory; see **cuectl-state**(7).")]


def _dedented(text: str) -> str:
    return "\n".join(line.strip() for line in text.strip().splitlines())


def _name(name: str, summary: str) -> list[Block]:
    text = f"{name} - {summary[:1].lower()}{summary[1:]}"
    return [Heading(1, "NAME"), Paragraph(text)]


def _options(command: Command) -> list[Block]:
    terms: list[Block] = []
    for argument in command.arguments:
        dots = "..." if argument.many else ""
        terms.append(Term(f"*{argument.name}*{dots}", (f"{argument.help}.",)))
    if command.argv:
        terms.append(Term("`--` *ARGV*...", (f"{command.argv}.",)))
    terms += [_option_term(option_names(o), described(o)) for o in command.options]
    everywhere = "The options of every command (`--home`, `--json`, ...) are in **cuectl**(1)."
    return [*terms, Paragraph(everywhere + _json_sentence(command.name))]


def _json_sentence(name: str) -> str:
    if not schemas.has_schema(name):
        return ""
    file = schemas.file_name(name)
    return f" What `--json` prints is in the schema `{file}`: **cuectl-json**(7)."


def _option_term(names: str, text: str) -> Term:
    # What is capital behind the last name is the value.
    flags, blank, metavar = names.rpartition(" ")
    if not flags or flags.endswith(","):
        return Term(f"`{names}`", (f"{text}.",))
    return Term(f"`{flags}`{blank}*{metavar}*", (f"{text}.",))


def _exits(command: Command) -> list[Block]:
    own = dict(command.exits)
    terms: list[Block] = [Term("0", (f"{own.pop(0, 'The command did what it says')}.",))]
    terms += [Term(str(status), (f"{text}.",)) for status, text in sorted(own.items())]
    return [*terms, Paragraph("All others are in **cuectl-exit-codes**(7).")]


def _members(group: str) -> list[Block]:
    words = registry.members(group)
    if not words:
        return []
    terms = [Term(f"`cuectl {group} {word}`", (f"{text}.",)) for word, text in words.items()]
    return [Heading(1, "COMMANDS"), *terms]


def _group(group: str) -> Page:
    name = f"cuectl-{group}"
    blocks = [
        *_name(name, registry.GROUPS[group][1]),
        Heading(1, "SYNOPSIS"),
        Code((f"cuectl {group} COMMAND ...",)),
        *_members(group),
    ]
    members = [f"{name}-{word}(1)" for word in registry.members(group)]
    return _page(name, 1, [*blocks, *_see_also("cuectl(1)", *members)])


def _program() -> Page:
    own = sources.sections_of(PROGRAM)
    blocks: list[Block] = [
        *_name(PROGRAM, "run scheduled and chained work, and prove that it was done"),
        Heading(1, "SYNOPSIS"),
        Code(("cuectl [OPTIONS] COMMAND ...",)),
        Heading(1, "DESCRIPTION"),
        *own.pop("DESCRIPTION", []),
        Heading(1, "COMMANDS"),
    ]
    words = registry.top_level()
    for section in registry.SECTIONS:
        rows = [(name, text) for name, (where, text) in words.items() if where == section]
        if rows:
            blocks.append(Heading(2, section))
            blocks += [Term(f"**cuectl-{name}**(1)", (f"{text}.",)) for name, text in rows]
    blocks += [Heading(1, "OPTIONS"), Paragraph("Before or after the command:")]
    blocks += [_option_term(option_names(o), described(o)) for o in GLOBAL_OPTIONS]
    blocks += [Term(f"`{names}`", (f"{text}.",)) for names, text in EVERYWHERE]
    for title, text in own.items():
        blocks += [Heading(1, title), *text]
    topics = (f"{name}({section})" for name, section in sources.topics().items())
    return _page(PROGRAM, 1, [*blocks, *_see_also(*topics)])


def _see_also(*names: str) -> list[Block]:
    words = []
    for name in dict.fromkeys(names):
        page, _, section = name.partition("(")
        words.append(f"**{page}**({section}")
    return [Heading(1, "SEE ALSO"), Paragraph(", ".join(words))]
