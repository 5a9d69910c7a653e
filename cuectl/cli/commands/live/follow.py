"""The output of a run as it comes, and what is said beside it: for `--follow`."""

from __future__ import annotations

import codecs
import io
from typing import TYPE_CHECKING, Any

from cuectl.executions.rules.verdict import why, word_of
from cuectl.passes.await_end import Observer
from cuectl.values.errors import ExitStatus, UsageError
from cuectl.values.safe_text import visible
from cuectl.values.times import span_in_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from cuectl.cli.frame.run import Call
    from cuectl.executions.rules.record import Execution
    from cuectl.passes.holds import Hold
    from cuectl.passes.watching import Watched
    from cuectl.values.records import Record
    from cuectl.values.safe_text import Masker

LOOK_EVERY_S = 0.1


class FollowedOutput:
    """Prints the output of one execution as it comes; whoever reads it may go before its end."""

    def __init__(self, call: Call, record: Record, *, raw: bool = False) -> None:
        from cuectl.executions.tail import OutputTail

        self._out = call.out
        first = record.get("attempt", 1)
        masker = masker_of(call, record)
        self._tail = OutputTail(call.runtime.home, record["id"], masker, first)
        self._raw = raw and not call.out.is_terminal
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._attempt = first
        self._last = "\n"
        self.error: OSError | None = None

    def print_new(self) -> None:
        """Print what has come since the last call."""
        self._print(self._tail.new_pieces())

    def end(self, record: Record) -> None:
        """Print the rest, and how it ended. Raises OSError: not all could be printed."""
        self._print(self._tail.new_pieces(is_over=True))
        self.say(end_line(record))
        if self.error is not None:
            raise self.error

    def print_last(self, lines: int) -> None:
        """Print the last lines of what there is so far."""
        data = b"".join(self._tail.new_pieces()).splitlines(keepends=True)
        self._print(iter(data[len(data) - min(lines, len(data)) :]))

    def say(self, text: str) -> None:
        """Say something beside the output, on a line of its own."""
        if self._last != "\n" and self._out.is_terminal:
            self._write("\n")
        self._out.tell(text)

    def _print(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            if self._attempt != self._tail.attempt:
                self._attempt = self._tail.attempt
                self.say(f"attempt {self._attempt}:")
            if self._raw and isinstance(self._out.stdout, io.TextIOWrapper):
                self._write(piece, self._out.stdout.buffer.write)
            else:
                self._write(visible(self._decoder.decode(piece)))

    def _write(self, piece: str | bytes, write: Callable[[Any], object] | None = None) -> None:
        if not piece or self.error is not None:
            return
        try:
            target: Any = write or self._out.stdout.write
            target(piece)
            self._out.stdout.flush()
        except OSError as error:
            # The run continues: its end is told, and the error after it.
            self.error = error
            return
        self._last = "\n" if piece[-1:] in ("\n", b"\n") else "x"


def masker_of(call: Call, record: Record) -> Masker | None:
    """Return what hides the declared secrets in what an execution prints."""
    from cuectl.definitions.in_force import secret_mask

    masker = secret_mask(call.reader(), call.runtime)
    return masker and masker.with_values_in(record.get("payload"), record.get("target"))


class Telling(Observer):
    """Says what an execution waits for, once for each thing, and prints its output if there is one.

    `watch` shows what runs in another way; `limit` is how long a run may take, in words.
    """

    def __init__(
        self,
        call: Call,
        execution: Execution,
        *,
        watch: Callable[[Sequence[Watched]], None] | None = None,
        output: FollowedOutput | None = None,
        limit: str = "",
    ) -> None:
        self.look_every_s = LOOK_EVERY_S if output else self.look_every_s
        self.say = output.say if output else call.out.tell
        self._start = f"▸ {execution.cue_name} started ({execution.id[-6:]}){limit}"
        self._name = execution.cue_name
        self._watch, self._output = watch, output
        self._said = ""

    def running(self, running: Sequence[Watched]) -> None:
        """Show what runs."""
        if self._watch is not None:
            self._watch(running)
        if self._output is not None:
            if running and self._start:
                self.say(self._start)
                self._start = ""
            self._output.print_new()

    def waits(self, hold: Hold) -> None:
        """Say it, where it is something new."""
        kind = hold.words.partition(" (")[0].partition(" in ")[0]
        if kind != self._said:
            self._said, sign = kind, "▸" if hold.runs else "◌"
            word = "running" if hold.runs else "waiting"
            self.say(f"{sign} {self._name} {hold.words}. Ctrl-C leaves it {word}.")
        if self._output is not None:
            self._output.print_new()


def end_line(record: Record) -> str:
    """Return how an execution ended, in one line: `✓ backup verified in 1 min: 4 tables`."""
    word, said = word_of(record), why(record)
    took = "" if record.get("duration_s") is None else f" in {span_in_words(record['duration_s'])}"
    line = f"{word.symbol} {record['cue_name']} {word.words}{took}"
    return f"{line}: {said}" if said else line


def follow_run(
    call: Call, record: Record, *, tail: int | None = None, raw: bool = False
) -> int | None:
    """Print the output of an execution as it comes; the status when it was interrupted."""
    from cuectl.executions.lookup import find_record, live_record
    from cuectl.executions.rules.record import execution_from_record
    from cuectl.passes.holds import hold_of

    refuse_records(call)
    output = FollowedOutput(call, record, raw=raw)
    execution = execution_from_record(record)
    telling = Telling(call, execution, output=output)
    try:
        if tail is not None:
            output.print_last(tail)
        while not (execution := execution_from_record(record)).is_settled:
            telling.running(())
            live = live_record(call.reader(), record, call.runtime.now())
            if live["status"] != "running":
                telling.waits(hold_of(call.reader(), execution, call.runtime.now()))
            if output.error is not None:
                raise output.error
            call.out.rest(LOOK_EVERY_S)
            record = find_record(call.reader(), record["id"])
    except KeyboardInterrupt:
        output.say(left_line(execution))
        return ExitStatus.INTERRUPTED
    output.end(record)
    return None


def refuse_records(call: Call) -> None:
    """Refuse a form of records for an output. Raises UsageError: one is asked for."""
    if not call.out.for_people:
        form = "json" if call.out.json else "plain"
        raise UsageError(f"'--follow' prints the output itself, so '--{form}' can't go with it")


def left_line(execution: Execution) -> str:
    """Return what becomes of an execution that is looked at no more."""
    stays = "is still running" if execution.pass_id else f"stays {execution.status.value}"
    return f"{execution.cue_name} {stays}; to cancel it: cuectl cancel {execution.id}"
