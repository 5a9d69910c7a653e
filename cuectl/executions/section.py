"""The section `executors`: other machines, and how they are reached."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cuectl.definitions.fields import Fields
from cuectl.definitions.rules.definitions import ExecutorDefinition
from cuectl.definitions.yaml_nodes import shown
from cuectl.executions.rules.placement import LOCAL, TYPES, check_placement
from cuectl.values.errors import UsageError

if TYPE_CHECKING:
    from cuectl.definitions.fields import Findings
    from cuectl.definitions.yaml_nodes import YamlNode

_KEYS = (
    *("type", "url", "broker", "key", "start_within", "lost_after", "on_lost_contact", "linger"),
    *("max_outstanding", "strict"),
)
_SHORTEST_LOST_S = 120.0  # a worker's beat is believed for 90 s
_NAME_OF_VALUE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
_KEY = "${CUECTL_FLEET_KEY}"


def read_executor(
    name: str, node: YamlNode, _: str, findings: Findings
) -> ExecutorDefinition | None:
    """Return the executor at `node`."""
    what = f"executor '{shown(name)}'"
    fields = Fields(node, what, findings, known=_KEYS, hints={"on": "did you mean 'executor'?"})
    try:
        check_placement(name)
    except UsageError:
        findings.error(node, f"{what} must have a name of letters, digits, '.', '_' and '-'")
    if name == LOCAL or "/" in name:
        findings.error(node, f"{what} can't be called so: the name has a meaning of its own")
    kind = fields.choice("type", tuple(TYPES))
    for key in ("type", "url"):
        if not fields.given((key,)):
            findings.error(
                node, f"{what} has no '{key}'", hint="write: type: celery, url: redis://…"
            )
    key = fields.text("key") or _KEY
    if not _NAME_OF_VALUE.fullmatch(key):
        hint = f"put the value into ~/.cue/env, and write: key: {_KEY}"
        fields.fail("key", "must be the name of a variable, not the key itself", hint=hint)
    lost_s = fields.seconds("lost_after", bare_unit=None)
    if lost_s is not None and lost_s < _SHORTEST_LOST_S:
        fields.fail("lost_after", f"must be at least {_SHORTEST_LOST_S:g} s")
    said = {
        "broker": _address(fields, "broker"),
        "start_within_s": fields.seconds("start_within"),
        "lost_after_s": lost_s,
        "on_lost_contact": fields.choice("on_lost_contact", ("continue", "end")),
        "linger_s": fields.seconds("linger", zero=True),
        "max_outstanding": fields.whole("max_outstanding", least=1, most=100_000),
    }
    return ExecutorDefinition(
        name=name,
        type=kind or "",
        url=_address(fields, "url") or "",
        key=key,
        strict=fields.flag("strict", default=False),
        **{name: value for name, value in said.items() if value is not None},  # type: ignore[arg-type]
    )


def _address(fields: Fields, key: str) -> str | None:
    """Return an address; a password in it must be a name, as what is applied is kept."""
    text = fields.text(key)
    if text is None:
        return None
    place = text.partition("://")[2].partition("/")[0]
    user, at, _ = place.rpartition("@")
    password = user.partition(":")[2]
    if "://" not in text or not text.isprintable() or " " in text:
        fields.fail(
            key, f"must be an address such as redis://control.lan:6379/0, not '{shown(text)}'"
        )
    elif at and password and not _NAME_OF_VALUE.fullmatch(password):
        hint = "put it into ~/.cue/env, and write its name: redis://:${REDIS_PASSWORD}@host"
        fields.fail(key, "must not hold the password itself", hint=hint)
    return text
