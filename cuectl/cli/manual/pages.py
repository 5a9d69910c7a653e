"""Every page of the manual, from the declarations and the hand-written sources beside this."""

from __future__ import annotations

from importlib.resources import files

from cuectl.cli.frame import help as help_text
from cuectl.cli.frame import registry
from cuectl.cli.frame.declare import GLOBAL_OPTIONS, Command, quoted
from cuectl.cli.frame.help import EVERYWHERE, described, usage
from cuectl.cli.manual.markup import Block, Code, Heading, Page, Paragraph, Term, parse
from cuectl.values.errors import NotFound
from cuectl.values.ids import nearest

PROGRAM = "cuectl"
_ROOT = files("cuectl.cli.manual")


def page_names() -> list[str]:
    """Return what `cuectl help` may be followed by."""
    words = [*registry.COMMANDS, *registry.GROUPS]
    return sorted([*words, *(name.removeprefix("cuectl-") for name in topics())])


def all_pages() -> list[Page]:
    """Return every page of the manual, in the order of their files."""
    names = [PROGRAM, *registry.COMMANDS, *(f"{group}(1)" for group in registry.GROUPS), *topics()]
    return sorted((find_page(name) for name in names), key=lambda page: page.file)


def find_page(name: str) -> Page:
    """Return the page of a command, group or topic. Raises NotFound: with the nearest name."""
    written = topics()
    if name in written:
        # Under its whole name a topic is meant, also where a group has the short one.
        return _topic(name, written[name])
    words = name.removesuffix("(1)").removeprefix("cuectl-").removeprefix("cuectl ")
    spaced = words if words in registry.COMMANDS else words.replace("-", " ", 1)
    if words == PROGRAM:
        return _program()
    for candidate in (words, spaced):
        if candidate in registry.COMMANDS:
            return _command(registry.load(candidate))
        # A word before other commands may be a subject as well, with a page about it.
        if candidate in registry.GROUPS and (name.endswith(")") or f"cuectl-{name}" not in written):
            return _group(candidate)
    for candidate in (words, f"cuectl-{words}"):
        if candidate in written:
            return _topic(candidate, written[candidate])
    near = nearest(name, page_names())
    hint = f"did you mean '{near}'?" if near else "all commands: cuectl --help"
    raise NotFound(f"there is no manual page '{quoted(name)}'", hint=hint)


def sections_of(name: str) -> dict[str, list[Block]]:
    """Return the hand-written sections of a command: heading to blocks; empty without a file."""
    source = _ROOT / "sections" / f"{name}.md"
    if not source.is_file():
        return {}
    found: dict[str, list[Block]] = {}
    section: list[Block] = []
    for block in parse(source.read_text(encoding="utf-8")):
        if isinstance(block, Heading) and block.level == 1:
            section = found[block.text] = []
        else:
            section.append(block)
    return found


def topics() -> dict[str, int]:
    """Return the pages that are written by hand as a whole: name to section."""
    names = sorted(entry.name for entry in (_ROOT / "topics").iterdir())
    parts = (name.rsplit(".", 2) for name in names if name.endswith(".md"))
    return {page: int(section) for page, section, _ in parts}


def _topic(name: str, section: int) -> Page:
    source = _ROOT / "topics" / f"{name}.{section}.md"
    return _page(name, section, parse(source.read_text(encoding="utf-8")))


def _schema_term(name: str) -> Term:
    text = f"`{help_text.file_name(name)}`. {help_text.about(name)}"
    return Term(f"`cuectl {name}`", (text.rstrip(),))


def _page(name: str, section: int, blocks: list[Block]) -> Page:
    if name == "cuectl-json":
        place = blocks.index(Heading(1, "SEE ALSO"))
        schemas = map(_schema_term, filter(help_text.has_schema, registry.COMMANDS))
        blocks = [*blocks[:place], Heading(1, "SCHEMAS"), *schemas, *blocks[place:]]
    return Page(name=name, section=section, blocks=tuple(blocks))


def _command(command: Command) -> Page:
    name = f"cuectl-{command.name.replace(' ', '-')}"
    own = sections_of(command.name.replace(" ", "-"))
    description = "\n".join(line.strip() for line in command.description.strip().splitlines())
    blocks = [
        *_name(name, command.summary),
        Heading(1, "SYNOPSIS"),
        Code((usage(command),)),
        Heading(1, "DESCRIPTION"),
        *(parse(description) or [Paragraph(f"{command.summary}.")]),
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
    terms += [_option_term(o.spelling, described(o)) for o in command.listed]
    everywhere = "The options of every command (`--home`, `--json`, ...) are in **cuectl**(1)."
    if help_text.has_schema(command.name):
        file = help_text.file_name(command.name)
        everywhere += f" What `--json` prints is in the schema `{file}`: **cuectl-json**(7)."
    return [*terms, Paragraph(everywhere)]


def _option_term(names: str, text: str) -> Term:
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
    own = sections_of(PROGRAM)
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
    blocks += [_option_term(o.spelling, described(o)) for o in GLOBAL_OPTIONS]
    blocks += [Term(f"`{names}`", (f"{text}.",)) for names, text in EVERYWHERE]
    for title, text in own.items():
        blocks += [Heading(1, title), *text]
    others = (f"{name}({section})" for name, section in topics().items())
    return _page(PROGRAM, 1, [*blocks, *_see_also(*others)])


def _see_also(*names: str) -> list[Block]:
    words = []
    for name in dict.fromkeys(names):
        page, _, section = name.partition("(")
        words.append(f"**{page}**({section}")
    return [Heading(1, "SEE ALSO"), Paragraph(", ".join(words))]
