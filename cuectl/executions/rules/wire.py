"""What goes to a worker on another machine, what comes back, and the cells of the store between.

All of it is JSON, sealed: signature, line feed, text. The signature covers the kind, so that a
result can't be played back as a start. Whatever is not sealed with the key of the fleet, of this
version and about its own cell, is dropped and counted (reference/fleet.md 6).
"""

from __future__ import annotations

import base64
import hmac
import json
import zlib
from enum import StrEnum

from cuectl.executions.rules.record import (
    Cause,
    Ended,
    Execution,
    Phase,
    execution_from_record,
    process_key,
)
from cuectl.executions.rules.verification import ArtifactFact
from cuectl.values.ids import hex_hash
from cuectl.values.records import dataclass, field, fields, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.definitions.rules.definitions import AgentDefinition, Handler
    from cuectl.values.records import Record

VERSION = 1
TASK = "cuectl.run"
LARGEST_PAYLOAD = 100_000  # a larger one has a cell of its own
HEAD_BYTES = TAIL_BYTES = 262_144
LARGEST_FILE = 8 << 20  # of one file of a result, unpacked
LARGEST_BLOB = 64 << 20
LEASE_S = 90
BEAT_S = 5.0
SHORTEST_KEY = 16
KEY_VARIABLE = "CUECTL_FLEET_KEY"  # the name of the variable that holds it


class Kind(StrEnum):
    """What a sealed text is."""

    START = "start"
    RESULT = "result"
    ASKS = "asks"
    ACK = "ack"
    CANCEL = "cancel"


class DropReason(StrEnum):
    """Why a worker, or a pass, does nothing with what it got."""

    SIGNATURE = "signature"
    VERSION = "version"
    SHAPE = "shape"
    EPOCH = "epoch"  # the store of fences forgot since
    LATE = "late"
    TAKEN = "taken"  # another start, or a withdrawal, has its fence


class Dropped(ValueError):
    """A message or result that nothing may be done with."""

    def __init__(self, why: DropReason, text: str = "") -> None:
        super().__init__(f"{why}: {text}" if text else why.value)
        self.why = why


class Refusal(StrEnum):
    """Why a worker does not take a start that another worker may take."""

    NO_HANDLER = "no_handler"
    COMMANDS = "commands"  # it was started without --accept-commands
    DEFINITION = "definition"  # it differs, and the executor is strict


# --- signatures ------------------------------------------------------------------------


def seal(secret: str, kind: Kind, record: Record) -> str:
    """Return a record as one signed text."""
    text = json.dumps({"v": VERSION, **record}, ensure_ascii=True, separators=(",", ":"))
    return f"{_signature(secret, kind, text)}\n{text}"


def unseal(secret: str, kind: Kind, sealed: str | bytes) -> Record:
    """Return the record in a signed text. Raises Dropped: not of this key, kind or version."""
    try:
        whole = sealed.decode("ascii") if isinstance(sealed, bytes) else sealed
        signature, _, text = whole.partition("\n")
        is_ours = hmac.compare_digest(signature, _signature(secret, kind, text))
    except (TypeError, ValueError):
        raise Dropped(DropReason.SIGNATURE) from None
    if not is_ours:
        raise Dropped(DropReason.SIGNATURE)
    try:
        record = json.loads(text)
        version = record["v"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise Dropped(DropReason.SHAPE, str(error)) from None
    if version != VERSION:
        raise Dropped(DropReason.VERSION, str(version))
    return record  # type: ignore[no-any-return]  # only an object has a member


def _signature(secret: str, kind: Kind, text: str) -> str:
    covered = f"cuectl {kind}\n{text}".encode("utf-8", "surrogatepass")
    return hmac.new(secret.encode("utf-8", "surrogateescape"), covered, "sha256").hexdigest()


# --- cells -----------------------------------------------------------------------------


def fence(key: str) -> str:
    """Return the cell that a start or a withdrawal takes, never both."""
    return f"fence:{key}"


def lease(key: str) -> str:
    """Return the cell that a worker beats while the processes of a start are there."""
    return f"lease:{key}"


def result(key: str) -> str:
    """Return the cell of what came of a start, `Kind.RESULT`."""
    return f"result:{key}"


def ack(key: str) -> str:
    """Return the cell that lets a worker forget a result, `Kind.ACK`."""
    return f"ack:{key}"


def cancel(key: str) -> str:
    """Return the cell that asks a worker to end a tree, `Kind.CANCEL`."""
    return f"cancel:{key}"


def asks(key: str) -> str:
    """Return the cell of what a handler has asked for so far, `Kind.ASKS`; it only grows."""
    return f"asks:{key}"


def refused(key: str) -> str:
    """Return the cell in which a worker says why it did not take a start: `<refusal> <host>`."""
    return f"refused:{key}"


def blob(digest: str) -> str:
    """Return the cell of a payload that is too large for its message, packed."""
    return f"blob:{digest}"


def epoch(store_id: str) -> str:
    """Return the cell of the random word that a store which forgot does not have any more."""
    return f"epoch:{store_id}"


def workers(executor: str) -> str:
    """Return the hash of host to what its worker says of itself, see `WorkerBeat`."""
    return f"worker:{executor}"


def drops(executor: str) -> str:
    """Return the hash of `DropReason` to how often workers dropped something for it."""
    return f"drops:{executor}"


def queue(executor: str, label: str | None = None) -> str:
    """Return the queue for any worker, or for those with a label or `@<host>`."""
    return f"cue.{executor}.{label}" if label else f"cue.{executor}"


def fence_of_worker(host: str, nonce: str) -> str:
    """Return what a worker writes into a fence; the nonce tells its own writing from another's."""
    return f"worker:{host}:{nonce}"


def withdrawal(nonce: str) -> str:
    """Return what the control machine writes into a fence, so that nothing starts any more."""
    return f"withdrawn:{nonce}"


def host_in_fence(value: str) -> str | None:
    """Return the host of the worker that has taken a fence; None for a withdrawal."""
    word, _, rest = value.partition(":")
    return rest.rpartition(":")[0] if word == "worker" else None


# --- a start ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteStart:
    """One process to start somewhere else; nothing in it belongs to the control machine.

    Attributes:
        execution: what of its record a worker needs, see `travelling`.
        epoch: the word of `epoch:<store_id>` when it was sent.
        definition: the hash of the handler or agent as the control machine has it, None for none.
        payload_blob: where the payload is, when it is too large for the message.
        files: what a second process of an attempt finds of the first: suffix to packed bytes.
        start_by: when it must have started, by the clock of the store between.
        lost_after_s: in what time without a beat it is taken for lost; with `end_if_cut_off` its
            worker ends it a minute before that.
    """

    execution: Execution
    store_id: str
    epoch: str
    executor: str
    definition: str | None = None
    strict: bool = False
    payload_blob: str | None = None
    files: dict[str, str] = field(default_factory=dict)
    timeout_s: float
    idle_timeout_s: float | None = None
    start_by: int
    lost_after_s: float = 300.0
    end_if_cut_off: bool = False

    @property
    def phase(self) -> Phase:
        """Which process of the attempt it is."""
        return Phase(self.execution.phase or Phase.MAIN)

    @property
    def key(self) -> str:
        """The name of its cells, that of the process (`Start.key`)."""
        return process_key(self.execution.id, self.execution.attempt, self.phase)

    def to_record(self) -> Record:
        """Return the JSON form."""
        own = {name: getattr(self, name) for name in _OF_START}
        return {"key": self.key, **own, "execution": self.execution.to_record()}


_OF_START = tuple(item.name for item in fields(RemoteStart) if item.name != "execution")
_OF_EXECUTION = (
    *("id", "cue_id", "cue_name", "status", "attempt", "scheduled_for", "triggered_by"),
    *("parent_id", "root_id", "depth", "event", "payload", "phase"),
)
_OF_TARGET = (
    *("type", "task", "argv", "shell", "env", "environment", "agent", "agent_id", "prompt"),
    "output_prompt",
)
_OF_POLICY = ("check", "output_limit")


def travelling(execution: Execution, *, prompt: str | None = None) -> Execution:
    """Return what of an execution goes to a worker: no paths, no histories, no alerts.

    `prompt` stands for one that is in a file of the control machine, as a template.
    """
    target = {name: execution.target[name] for name in _OF_TARGET if name in execution.target}
    if prompt is not None:
        target["prompt"] = prompt
    own = {name: getattr(execution, name) for name in _OF_EXECUTION}
    policy = {name: getattr(execution.policy, name) for name in _OF_POLICY}
    blank = type(execution.policy)()
    return Execution(**own, target=target, policy=replace(blank, **policy))


def remote_start_from(record: Record) -> RemoteStart:
    """Return the start in a record. Raises Dropped: it is not one."""
    try:
        known = {name: record[name] for name in _OF_START if name in record}
        start = RemoteStart(execution=execution_from_record(record["execution"]), **known)
        is_whole = start.key == record["key"] and _is_plain(start.key)
        float(start.timeout_s), int(start.start_by)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Dropped(DropReason.SHAPE, repr(error)) from None
    if not is_whole:
        raise Dropped(DropReason.SHAPE, "its key is not that of its execution")
    return start


def _is_plain(key: str) -> bool:
    """Tell whether a key can be the name of a directory."""
    return key.isascii() and key.replace("_", "").replace(".", "").isalnum() and key[0] != "."


def definition_hash(who: Handler | AgentDefinition) -> str:
    """Return the hash by which a worker finds that its own differs; directories always do."""
    known = {item.name: getattr(who, item.name) for item in fields(type(who))}
    del known["name"], known["cwd"], known["executor"]
    return hex_hash(json.dumps(known, sort_keys=True).encode())[:24]


# --- a result --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteEnd:
    """What came of a start, sealed on the worker's disk before anybody hears of it.

    Attributes:
        clock_offset_ms: how far the worker's clock is ahead of the store's.
        files: what the attempt has left, masked: suffix (`out`, `outcome.json`, `err`, `check.out`)
            to packed bytes; of a long file its head and its tail.
        facts: what the worker found where the artifacts of the outcome are said to be.
        asks: all that its handler has asked for, oldest first.
        definition: the hash of the handler or agent as the worker has it.
    """

    key: str
    epoch: str
    host: str
    ended: Ended
    clock_offset_ms: int = 0
    files: dict[str, str] = field(default_factory=dict)
    facts: tuple[ArtifactFact, ...] = ()
    asks: tuple[Record, ...] = ()
    definition: str | None = None
    path: str = ""

    def to_record(self) -> Record:
        """Return the JSON form."""
        record = {name: getattr(self, name) for name in _OF_END}
        record["ended"] = _plain_of(self.ended)
        record["facts"] = [_plain_of(one) for one in self.facts]
        return record


def _plain_of(value: Ended | ArtifactFact) -> Record:
    return {item.name: getattr(value, item.name) for item in fields(type(value))}


_OF_END = tuple(item.name for item in fields(RemoteEnd))


def remote_end_from(record: Record, key: str) -> RemoteEnd:
    """Return the end in a record. Raises Dropped: it is not one, or not that of `key`."""
    try:
        known = {name: record[name] for name in _OF_END if name in record}
        ended = dict(record["ended"])
        ended["phase"] = Phase(ended["phase"])
        ended["cause"] = Cause(ended["cause"]) if ended.get("cause") else None
        ended["survivors"] = tuple(ended.get("survivors") or ())
        known["ended"] = Ended(**ended)
        known["facts"] = tuple(ArtifactFact(**one) for one in record.get("facts", ()))
        known["asks"] = tuple(record.get("asks", ()))
        end = RemoteEnd(**known)
        of = process_key(end.ended.execution_id, end.ended.attempt, end.ended.phase)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Dropped(DropReason.SHAPE, repr(error)) from None
    if not key == end.key == of:
        raise Dropped(DropReason.SHAPE, "it is that of another start")
    return end


# --- bytes -----------------------------------------------------------------------------


def pack(data: bytes) -> str:
    """Return bytes as JSON can hold them, made small."""
    return base64.b64encode(zlib.compress(data, 6)).decode("ascii")


def unpack(text: str, limit: int = LARGEST_FILE) -> bytes:
    """Return packed bytes. Raises Dropped: damaged, or more than `limit`."""
    try:
        reader = zlib.decompressobj()
        data = reader.decompress(base64.b64decode(text, validate=True), limit + 1)
    except (ValueError, TypeError, AttributeError, zlib.error) as error:
        raise Dropped(DropReason.SHAPE, str(error)) from None
    if len(data) > limit or not reader.eof:
        raise Dropped(DropReason.SHAPE, "cut short, or too large")
    return data


def shortened(head: bytes, tail: bytes, length: int) -> bytes:
    """Return what is sent of a file of `length` bytes, of which head and tail were read.

    One that is short enough is whole in its head.
    """
    if length <= len(head):
        return head
    if length <= len(head) + len(tail):
        return head + tail[len(head) + len(tail) - length :]
    left_out = length - len(head) - len(tail)
    return head + f"\n[cuectl: {left_out} bytes left out here]\n".encode() + tail


# --- what a handler asks for -----------------------------------------------------------


def child_randomness(key: str, word: str) -> bytes:
    """Return what the id of the cue is made of that a handler chains: for `cue_id`.

    The same again for the same word: the key that the handler gives, or the number of its ask.
    """
    return bytes.fromhex(hex_hash(f"cuectl child\n{key}\n{word}".encode()))[:10]
