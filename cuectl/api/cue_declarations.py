"""What may be asked of a cue: the bodies of create and change, declared.

Two shapes are taken: the flat one of the page (`at`, `worker`) and the nested one of the
reference (`schedule`, `transport`, `callback`); reference/cueapi.md M3.
"""

from __future__ import annotations

from cuectl.api.fields import AnyObject, Choice, Field, Flag, Moment, Number, Text
from cuectl.api.structures import Either, ListOf, Maybe, Object
from cuectl.model.policy import CATCH_UP_WORDS
from cuectl.model.webhook import METHODS

MODES = ("none", "require_external_id", "require_result_url", "require_artifacts", "manual")
_LONGEST_S = 366 * 86_400.0
_NAME = Text(least=1, most=255)
_KEY = Text(least=1, most=256)

SCHEDULE = Object(
    {
        "type": Choice(words=("once", "recurring")),
        "cron": Maybe(field=Text(least=1, most=256)),
        "at": Maybe(field=Moment()),
        "every_s": Maybe(field=Number(least=1, most=_LONGEST_S, whole=False)),
        "timezone": Maybe(field=Text(least=1, most=64)),
    },
    name="Schedule",
)
CALLBACK = Object(
    {
        "url": Text(least=1, most=2_083),
        "method": Choice(words=METHODS),
        "headers": Maybe(field=AnyObject()),
        "allow_private": Flag(),
    },
    name="Callback",
)
RETRY = Object(
    {
        "max_attempts": Number(least=1, most=10),
        "backoff_minutes": ListOf(item=Number(least=0, most=10_080, whole=False), least=1, most=10),
    },
    name="Retry",
)
ON_FAILURE = Object(
    {"email": Flag(), "webhook": Maybe(field=Text(most=2_083)), "pause": Flag()},
    open=True,
    name="OnFailure",
)
VERIFICATION = Object({"mode": Choice(words=MODES)}, ("mode",), name="Verification")
DELIVERY = Object(
    {
        "timeout_seconds": Number(least=1, most=86_400, whole=False),
        "outcome_deadline_seconds": Number(least=1, most=86_400, whole=False),
    },
    name="Delivery",
)
_CHANGEABLE: dict[str, Field] = {
    "name": _NAME,
    "description": Maybe(field=Text(most=4_096)),
    "schedule": SCHEDULE,
    "callback": Maybe(field=CALLBACK),
    "payload": Maybe(field=AnyObject()),
    "retry": Maybe(field=RETRY),
    "on_failure": Maybe(field=ON_FAILURE),
    "verification": Maybe(field=Either(first=VERIFICATION, second=Choice(words=MODES))),
    "delivery": Maybe(field=DELIVERY),
    "catch_up": Choice(words=tuple(CATCH_UP_WORDS)),
}
CREATE = Object(
    {
        **_CHANGEABLE,
        "transport": Choice(words=("webhook", "worker")),
        "worker": Flag(),
        "cron": Text(least=1, most=256),
        "at": Moment(),
        "every_s": Number(least=1, most=_LONGEST_S, whole=False),
        "timezone": Maybe(field=Text(least=1, most=64)),
        "idempotency_key": _KEY,
    },
    ("name",),
    open=True,
    name="CueCreate",
)
PATCH = Object({**_CHANGEABLE, "status": Choice(words=("active", "paused"))}, name="CueUpdate")
# What the peer's service knows and is not done here: taking it silently would lose it.
NOT_DONE = (
    "on_success_fire",
    "exit_criteria",
    "require_payload_override",
    "required_payload_keys",
)
