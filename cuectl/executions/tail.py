"""The output of one execution as it comes: from its first byte, attempt after attempt, masked."""

from __future__ import annotations

import os

from cuectl.store import output, paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.values.safe_text import MaskedStream, Masker

SUFFIXES = ("out", "err", "followup.out", "followup.err")


class OutputTail:
    """Follows what an execution prints; `attempt` is the one whose output came last."""

    def __init__(
        self, home: str, execution_id: str, masker: Masker | None, attempt: int = 1
    ) -> None:
        self.attempt = attempt
        self._home = home
        self._id = execution_id
        self._masker = masker
        self._files: list[tuple[output.GrowingFile, MaskedStream | None]]
        self._open()

    def new_pieces(self, *, is_over: bool = False) -> Iterator[bytes]:
        """Yield what was printed since the last call; `is_over`: no more of it will come.

        What may be the beginning of a secret waits for the next call.
        """
        has_next = True
        while has_next:
            has_next = os.path.exists(self._path(self.attempt + 1, SUFFIXES[0]))
            ends = is_over or has_next
            for file, stream in self._files:
                for piece in file.new_pieces():
                    yield stream.feed(piece, live=not ends) if stream else piece
                if ends:
                    yield stream.finish() if stream else b""
                    file.close()
            if has_next:
                self.attempt += 1
                self._open()

    def _open(self) -> None:
        self._files = []
        for suffix in SUFFIXES:
            stream = self._masker.stream() if self._masker else None
            file = output.GrowingFile(self._path(self.attempt, suffix))
            self._files.append((file, stream))

    def _path(self, attempt: int, suffix: str) -> str:
        return paths.run_file(self._home, self._id, attempt, suffix)
