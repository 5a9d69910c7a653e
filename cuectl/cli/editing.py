"""Changing a cue in an editor: open, check, open again or keep the draft."""

from __future__ import annotations

import os
import shlex
import sys
from typing import TYPE_CHECKING

from cuectl.model.errors import Conflict, CuectlError, InvalidFile, UsageError

if TYPE_CHECKING:
    from cuectl.cli.call import Call
    from cuectl.engine.cue_drafts import Drafted

_HEADING = """\
# Save to change the cue, leave without saving to keep it as it is.
# The form is that of a cue.yaml; what is left out has its usual value.
"""


def check_terminal(call: Call) -> None:
    """Refuse to open an editor that nobody sees.

    Raises:
        UsageError: there is no terminal.
    """
    watched = sys.stdin.isatty() and sys.stdout.isatty()
    if call.settings.no_input or call.out.json or not watched:
        hint = "scripts change a cue with: cuectl update NAME --option VALUE"
        raise UsageError("an editor needs a terminal", hint=hint)


class Editing:
    """One cue in the editor, from opening it to the change."""

    def __init__(self, call: Call, name: str) -> None:
        from cuectl.cli.cue_reading import payload_of, reader_of
        from cuectl.engine.cue_lookup import find_cue
        from cuectl.model.cue_text import cue_text

        self.call = call
        self.cue, _ = find_cue(reader_of(call), name)
        self.text = cue_text(self.cue, payload_of(call, self.cue))
        self.directory = _new_directory(call)
        self.path = f"{self.directory}/cue.yaml"

    def run(self) -> Drafted | None:
        """Edit until the cue is changed, or left as it is (None).

        Raises:
            CuectlError: what was saved is not valid, or can't be done now; the draft stays.
        """
        self._write(_HEADING + self.text)
        while True:
            self._open()
            text = self._read()
            if text in ("", _HEADING + self.text):
                self._clean_up()
                return None
            try:
                made = self._change(text)
            except (UsageError, InvalidFile, Conflict) as error:
                if not self._again(error):
                    raise
            else:
                self._clean_up()
                return made

    def _change(self, text: str) -> Drafted:
        from cuectl.engine.cue_text_change import change_by_text

        return change_by_text(self.call.runtime, self.cue, self.text, text, self.path)

    def _again(self, error: CuectlError) -> bool:
        from cuectl.model.terminal_text import visible

        sys.stderr.write(f"cuectl: error: {visible(error.message, newlines=False)}\n")
        if error.hint:
            sys.stderr.write(f"hint: {visible(error.hint, newlines=False)}\n")
        sys.stderr.write("edit it again? [Y/n] ")
        sys.stderr.flush()
        answer = sys.stdin.readline().strip().lower()
        if answer in ("", "y", "yes"):
            return True
        self.call.out.tell(f"the draft is kept in '{self.path}'")
        return False

    def _open(self) -> None:
        environment = self.call.environment
        line = environment.get("VISUAL") or environment.get("EDITOR") or "vi"
        try:
            argv = [*shlex.split(line), self.path]
        except ValueError as error:
            raise UsageError(f"the editor '{line}' can't be split into words: {error}") from error
        # The editor is the user's own program, at the user's own terminal.
        status = os.spawnvpe(os.P_WAIT, argv[0], argv, dict(environment))  # noqa: S606
        if status != 0:
            what = "was not found" if status == 127 else f"ended with status {status}"
            self._clean_up()
            raise UsageError(f"the editor '{argv[0]}' {what}; nothing was changed")

    def _write(self, text: str) -> None:
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(text)

    def _read(self) -> str:
        try:
            with open(self.path, encoding="utf-8") as file:
                return file.read()
        except FileNotFoundError:
            return ""
        except UnicodeDecodeError as error:
            raise UsageError(f"'{self.path}' is not UTF-8: byte {error.start}") from error

    def _clean_up(self) -> None:
        import shutil

        shutil.rmtree(self.directory, ignore_errors=True)


def _new_directory(call: Call) -> str:
    import tempfile

    return tempfile.mkdtemp(prefix="cuectl-", dir=call.environment.get("TMPDIR") or None)
