"""From a subscription in a definition file to the cue that it is.

There is one type of record: a subscription is a cue whose trigger is an event.
"""

from __future__ import annotations

from typing import Any

from cuectl.model.definitions import CueDefinition, SubscriptionDefinition

Record = dict[str, Any]

EVENT = "event"
_ABOUT_TARGET = (
    *("prompt", "prompt_file", "output_prompt", "output_prompt_file", "payload"),
    *("fan_out_ids", "fan_out_prompts", "fan_out_prompt_files", "label"),
)
DEFAULT_MESSAGE = "{{CUE_SOURCE_OUTPUT}}"


def cue_of_subscription(subscription: SubscriptionDefinition, directory: str) -> CueDefinition:
    """Return the cue that a subscription is.

    Args:
        subscription: as the file says it.
        directory: of the file, absolute; relative paths begin there unless the agent has a
            directory of its own.
    """
    values = subscription.values
    about_event = {key: value for key, value in values.items() if key not in _ABOUT_TARGET}
    trigger: Record = {"type": EVENT, "event": subscription.event, **about_event}
    trigger["directory"] = directory
    if not subscription.enabled:
        trigger["enabled"] = False
    return CueDefinition(
        name=subscription.name,
        description=subscription.description or values.get("label"),
        trigger=trigger,
        target=_target(subscription, directory),
        policy=subscription.policy,
        payload=values.get("payload", {}),
    )


def targets_of(target: Record) -> list[Record]:
    """Return what each execution of a subscription runs: one thing, or one for each agent."""
    return list(target["fan_out"]) if "fan_out" in target else [target]


def _target(subscription: SubscriptionDefinition, directory: str) -> Record:
    target, values = subscription.target, subscription.values
    match target["type"]:
        case "agent":
            return _turns(target, values, directory)
        case "send":
            prompt = target.get("message") or DEFAULT_MESSAGE
            return {"type": "agent", "agent": target["target"], "prompt": prompt}
        case "notify":
            message = target.get("message") or values.get("label") or subscription.name
            return target | {"message": message}
        case _:
            return target


def _turns(target: Record, values: Record, directory: str) -> Record:
    agents = target["agents"]
    turns = [_turn(agent, index, values, directory) for index, agent in enumerate(agents)]
    if len(turns) == 1 and "fan_out_prompts" not in values and "owner" not in target:
        return turns[0]
    record: Record = {"type": "agent", "fan_out": turns}
    return record | ({"owner": target["owner"]} if "owner" in target else {})


def _turn(agent: str, index: int, values: Record, directory: str) -> Record:
    turn: Record = {"type": "agent", "agent": agent}
    files, texts = values.get("fan_out_prompt_files", ()), values.get("fan_out_prompts", ())
    if index < len(files) and files[index]:
        turn |= _file("prompt", files[index], directory)
    elif index < len(texts):
        turn["prompt"] = texts[index]
    elif values.get("prompt") is not None:
        # A prompt that stands in the file itself wins over one that is elsewhere.
        turn["prompt"] = values["prompt"]
    elif values.get("prompt_file"):
        turn |= _file("prompt", values["prompt_file"], directory)
    if values.get("output_prompt"):
        turn["output_prompt"] = values["output_prompt"]
    elif values.get("output_prompt_file"):
        turn |= _file("output_prompt", values["output_prompt_file"], directory)
    return turn


def _file(key: str, path: str, directory: str) -> Record:
    return {f"{key}_file": f"{directory}/{path}", "prompt_root": directory}
