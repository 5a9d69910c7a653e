"""The sections `settings`, `secrets`, `workflows`, `handlers`, and the keys of any process."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from cuectl.alerts.rules.routing import check_hours
from cuectl.definitions.fields import Fields
from cuectl.definitions.rules.definitions import Handler, Settings
from cuectl.definitions.rules.templates import (
    PLACE,
    BadTemplate,
    argument_list,
    environment_value,
    shell_command,
)
from cuectl.definitions.yaml_nodes import YamlEntry, YamlKind, YamlNode, describe, shown
from cuectl.executions.rules.placement import LOCAL, check_placement
from cuectl.schedule.calendars import parse_item
from cuectl.values.errors import UsageError
from cuectl.values.records import replace
from cuectl.values.times import NO_LIMIT

if TYPE_CHECKING:
    from cuectl.definitions.fields import Findings

_TEMPLATE = re.compile(PLACE)
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Stands for a template while a line is split, so that the blanks inside do not split it.
_MARK = "\ue000"
_HANDLER_KEYS = (
    *("cmd", "timeout", "env", "cwd", "shell", "payload_file"),
    *("retry_on_exit", "never_retry_on_exit", "output", "executor"),
)
_HANDLER_HINTS = {
    "command": "did you mean 'cmd'?",
    "argv": "did you mean 'cmd'? a list runs without a shell",
    "retries": "it belongs to the cue: retry: {max_attempts: 3}",
    "retry": "it belongs to the cue: retry: {max_attempts: 3}",
    "user": "cuectl runs handlers as the user who runs cuectl",
}
_SETTINGS_KEYS = (
    *("timezone", "max_parallel", "handler_timeout", "timeout_minutes", "timeout_on_fail"),
    *("max_concurrent", "queue_size", "owner_agent_id", "retention", "no_handler_after"),
    *("ping_url", "maintenance", "alert_after", "remind", "quiet"),
)


def read_command(fields: Fields, key: str = "cmd") -> tuple[tuple[str, ...], str | None]:
    """Return (argv, None) or ((), line for `sh`) at `key`; with `shell: false`, a text is split."""
    node = fields.get(key)
    shell = fields.flag("shell", default=node is not None and node.kind is YamlKind.TEXT)
    if node is None:
        return (), None
    if node.kind is YamlKind.LIST:
        if shell:
            fields.fail("shell", f"is true, but '{key}' is a list, which runs without a shell")
        return read_words(fields, key), None
    if node.kind is not YamlKind.TEXT:
        fields.wrong(key, node, "a text or a list")
        return (), None
    return ((), read_shell(fields, key)) if shell else (_split(fields, key), None)


def read_words(fields: Fields, key: str) -> tuple[str, ...]:
    """Return program and arguments, whose templates stand where values are safe."""
    words = fields.words(key) or ()
    try:
        argument_list(words, {})
    except BadTemplate as problem:
        fields.refuse(key, problem)
    return words


def read_shell(fields: Fields, key: str) -> str | None:
    """Return a command line for `sh` whose templates stand where values are safe."""
    line = fields.text(key)
    try:
        shell_command(line or "", {})
    except BadTemplate as problem:
        fields.refuse(key, problem)
    return line


def _split(fields: Fields, key: str) -> tuple[str, ...]:
    import shlex

    line = fields.text(key) or ""
    templates = (template[0] for template in _TEMPLATE.finditer(line))
    try:
        words = shlex.split(_TEMPLATE.sub(_MARK, line.replace(_MARK, "")))
    except ValueError as error:
        fields.fail(key, f"cannot be split into words: {str(error).lower()}")
        return ()
    return tuple(re.sub(_MARK, lambda _: next(templates), word) for word in words)


def read_env(fields: Fields) -> dict[str, str]:
    """Return the section `env`: scalars as they are written; nothing is an empty text."""
    node = fields.get("env")
    if node is None:
        return {}
    if node.kind is not YamlKind.MAPPING:
        fields.wrong("env", node, "a mapping")
        return {}
    found: dict[str, str] = {}
    for name, entry in node.entries.items():
        value, where = entry.value, f"'{name}' in 'env' of {fields.what}"
        if not is_variable_name(name):
            message = f"'{shown(name)}' in 'env' of {fields.what} is not the name of a variable"
            fields.findings.error(entry.key, message)
        elif value.is_scalar or value.kind is YamlKind.NULL:
            found[name] = "" if value.kind is YamlKind.NULL else value.text
            try:
                environment_value(value.text, {}, lambda _: "")
            except BadTemplate as problem:
                fields.findings.refused(value, problem, f"{where}: ")
        else:
            fields.findings.error(value, f"{where} must be a text, not {describe(value)}")
    return found


def is_variable_name(name: str) -> bool:
    """Tell whether an environment variable may be called so."""
    return _VARIABLE_NAME.fullmatch(name) is not None


def read_directory(fields: Fields, directory: str) -> str:
    """Return `cwd`: absolute, or beginning with `~`; else the directory of the file."""
    cwd = fields.text("cwd")
    return directory if cwd is None else beside(directory, cwd)


def beside(directory: str, path: str) -> str:
    """Return a path of a file in `directory`; one that starts with `~` stays as it is."""
    return path if path.startswith("~") else os.path.normpath(os.path.join(directory, path))


def read_handler(name: str, node: YamlNode, directory: str, findings: Findings) -> Handler | None:
    """Return the handler at `node`: a command line, or a mapping with `cmd`."""
    what = f"handler '{shown(name)}'"
    if node.kind is YamlKind.TEXT:
        entries = {"cmd": YamlEntry(key=node, value=node)}
        long_form = replace(node, kind=YamlKind.MAPPING, entries=entries)
        line = read_shell(Fields(long_form, what, findings, known=("cmd",)), "cmd")
        return None if line is None else Handler(name=name, shell=line, cwd=directory)
    if node.kind is not YamlKind.MAPPING:
        findings.error(node, f"{what} must be a command or a mapping with 'cmd'")
        return None
    fields = Fields(node, what, findings, known=_HANDLER_KEYS, hints=_HANDLER_HINTS)
    argv, shell = read_command(fields)
    if "cmd" not in node.entries and "executor" not in node.entries:
        findings.error(node, f"{what} has no 'cmd'", hint="say what to run: cmd: python3 audit.py")
    return Handler(
        name=name,
        argv=argv,
        shell=shell,
        timeout_s=fields.seconds("timeout", bare_unit="s"),
        env=read_env(fields),
        cwd=read_directory(fields, directory),
        payload_file=fields.flag("payload_file", default=False),
        executor=read_placement(fields),
        **{name: value for name, value in read_exits_and_output(fields).items() if value},
    )


def read_placement(fields: Fields) -> str | None:
    """Return where work runs: `NAME`, or `NAME/LABEL`; None for here."""
    text = fields.checked("executor", check_placement)
    return None if text == LOCAL else text


def read_exits_and_output(fields: Fields) -> dict[str, Any]:
    """Return which exit statuses are tried again, and what is kept of the output."""
    found: dict[str, Any] = {
        name: fields.each(name, parse_status) for name in ("retry_on_exit", "never_retry_on_exit")
    }
    node = fields.get("output")
    if node is None:
        return found
    part = Fields(
        node, f"'output' of {fields.what}", fields.findings, known=("keep", "limit", "on_success")
    )
    sizes = part.each("limit", parse_size)
    return found | {
        "output_keep_s": part.seconds("keep"),
        "output_limit": sizes[0] if sizes else None,
        "output_on_success": part.choice("on_success", ("keep", "none")),
    }


def read_limit(fields: Fields, key: str, bare_unit: str | None = None) -> float | None:
    """Return the span at `key` in seconds; `none` is NO_LIMIT."""
    node = fields.get(key)
    unlimited = node is not None and node.text == "none"
    return NO_LIMIT if unlimited else fields.seconds(key, bare_unit=bare_unit)


def read_settings(node: YamlNode, findings: Findings) -> Settings:
    """Return the settings; `given` names those that the file says."""
    from cuectl.schedule.zones import check_zone

    fields = Fields(node, "'settings'", findings, known=_SETTINGS_KEYS)
    minutes = fields.whole("timeout_minutes", least=1, most=1440)
    said: dict[str, Any] = {
        "timezone": fields.checked("timezone", check_zone),
        "max_parallel": fields.whole("max_parallel", least=1, most=10_000),
        "handler_timeout_s": fields.seconds("handler_timeout", bare_unit="s"),
        "agent_timeout_s": None if minutes is None else minutes * 60.0,
        "timeout_on_fail": fields.choice("timeout_on_fail", ("break", "continue")),
        "max_concurrent": fields.whole("max_concurrent", least=1, most=10),
        "queue_size": fields.whole("queue_size", least=0, most=10_000),
        "owner_agent_id": fields.text("owner_agent_id"),
        "no_handler_after_s": fields.seconds("no_handler_after", bare_unit=None),
        "ping_url": read_url(fields, "ping_url"),
        "maintenance": read_items(fields, "maintenance"),
        "alert_after": fields.whole("alert_after", least=1, most=100),
        "remind_s": read_limit(fields, "remind"),
        "quiet": fields.checked("quiet", check_hours),
    }
    if (retention := fields.get("retention")) is not None:
        spans = Fields(retention, "'retention'", findings, known=("output", "journal"))
        said["keep_output_s"] = spans.seconds("output")
        said["keep_journal_s"] = spans.seconds("journal")
    given = {name: value for name, value in said.items() if value is not None}
    return replace(Settings(), given=tuple(given), **given)


SMALLEST_OUTPUT = 1_000
_SIZE = re.compile(r"(\d{1,12}) ?([kMG]?)B?", re.ASCII)
_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,9})?) ?%", re.ASCII)


def parse_size(text: str) -> int:
    """Return the bytes that `50MB` spells. Raises UsageError: it is no size, or too small."""
    found = _SIZE.fullmatch(text.strip())
    size = int(found[1]) * 1000 ** "_kMG".index(found[2] or "_") if found else 0
    if size < SMALLEST_OUTPUT:
        raise UsageError(f"'{text}' is no size from 1 kB on", hint="write it like 50MB or 500kB")
    return size


def parse_status(text: str) -> int:
    """Return the exit status that a text spells."""
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= 255):
        raise UsageError(f"'{text}' is no exit status from 1 to 255")
    return int(text)


def parse_share(text: str) -> float:
    """Return the part of a whole that `20%` spells, from 0 to 1."""
    found = _SHARE.fullmatch(text.strip())
    if found is None or float(found[1]) > 100:
        raise UsageError(f"'{text}' is no share up to 100%", hint="write it like 20%")
    return float(found[1]) / 100


def read_items(fields: Fields, key: str) -> tuple[str, ...] | None:
    """Return the days and times at `key`, as they are written."""
    found = fields.each(key, parse_item)
    return None if found is None else tuple(one.text for one in found)


def read_url(fields: Fields, key: str) -> str | None:
    """Return an address that starts with `http://` or `https://`."""
    url = fields.text(key)
    if url is None:
        return None
    scheme, _, rest = url.partition("://")
    if scheme not in ("http", "https") or not rest or not url.isprintable() or " " in url:
        fields.fail(key, f"must be an address such as https://example.org/x, not '{shown(url)}'")
        return None
    return url


def read_secrets(node: YamlNode, findings: Findings) -> tuple[str, ...]:
    """Return the names of the variables whose values are masked."""
    found: dict[str, None] = {}
    for item in _items(node, "secrets", "names of variables", findings):
        if item.kind is YamlKind.TEXT and is_variable_name(item.text):
            found[item.text] = None
        else:
            message = f"'secrets' holds names of variables, and {describe(item)} is none"
            findings.error(item, message, hint="the values stay in the environment")
    return tuple(found)


def read_workflows(node: YamlNode, directory: str, findings: Findings) -> tuple[str, ...]:
    """Return the files and directories with `@workflow` functions."""
    found: dict[str, None] = {}
    for item in _items(node, "workflows", "Python files and directories", findings):
        if item.kind is YamlKind.TEXT and item.text.strip():
            found[beside(directory, item.text)] = None
        else:
            message = f"'workflows' holds Python files and directories, not {describe(item)}"
            findings.error(item, message)
    return tuple(found)


def _items(node: YamlNode, key: str, of_what: str, findings: Findings) -> tuple[YamlNode, ...]:
    if node.kind is not YamlKind.LIST:
        findings.error(node, f"'{key}' must be a list of {of_what}, not {describe(node)}")
    return node.items
