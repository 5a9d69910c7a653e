"""The operations on cues."""

from __future__ import annotations

from cuectl.api import cues, shapes
from cuectl.api.cue_declarations import CREATE, PATCH
from cuectl.api.fields import AnyObject, Choice, Moment, Text
from cuectl.api.parameters import (
    KEY_HEADER,
    matching,
    most,
    offset,
)
from cuectl.api.routing import Parameter, Route
from cuectl.api.structures import Maybe, Object

FIRE = Object(
    {
        "send_at": Maybe(field=Moment()),
        "payload_override": Maybe(field=AnyObject()),
        "merge_strategy": Maybe(field=Choice(words=("merge", "replace"))),
        "idempotency_key": Maybe(field=Text(least=1, most=256)),
    },
    open=True,
    name="Fire",
)
CUE_ROUTES = (
    Route(
        method="POST",
        path="/v1/cues",
        name="create_cue",
        summary="Create a cue",
        run=cues.create,
        status=201,
        body=CREATE,
        answer=shapes.CUE,
        errors=(400, 403, 409),
        headers=(KEY_HEADER,),
        writes=True,
    ),
    Route(
        method="GET",
        path="/v1/cues",
        name="list_cues",
        summary="List cues",
        run=cues.list_cues,
        query=(
            Parameter(name="status", field=Choice(words=cues.STATUSES), help="Only in this state"),
            matching("name", "Only of this name"),
            most(50),
            offset(),
        ),
        answer=shapes.CUES,
    ),
    Route(
        method="GET",
        path="/v1/cues/{id}",
        name="get_cue",
        summary="Show a cue and its newest executions",
        run=cues.get,
        query=(most(10, "execution_limit"), offset("execution_offset")),
        answer=shapes.CUE_DETAIL,
        errors=(404,),
    ),
    Route(
        method="PATCH",
        path="/v1/cues/{id}",
        name="update_cue",
        summary="Change a cue",
        run=cues.update,
        body=PATCH,
        answer=shapes.CUE,
        errors=(400, 404, 409),
        writes=True,
    ),
    Route(
        method="DELETE",
        path="/v1/cues/{id}",
        name="delete_cue",
        summary="Delete a cue; its executions stay",
        run=cues.delete,
        status=204,
        errors=(404,),
        writes=True,
    ),
    Route(
        method="POST",
        path="/v1/cues/{id}/pause",
        name="pause_cue",
        summary="Stop firing a cue",
        run=cues.pause,
        answer=shapes.CUE,
        errors=(404, 409),
        writes=True,
    ),
    Route(
        method="POST",
        path="/v1/cues/{id}/resume",
        name="resume_cue",
        summary="Let a cue fire again",
        run=cues.resume,
        answer=shapes.CUE,
        errors=(404, 409),
        writes=True,
    ),
    Route(
        method="POST",
        path="/v1/cues/{id}/fire",
        name="fire_cue",
        summary="Start a cue now, or at a time",
        run=cues.fire,
        body=FIRE,
        body_required=False,
        answer=shapes.FIRED,
        errors=(400, 404, 409),
        headers=(KEY_HEADER,),
        writes=True,
    ),
)
