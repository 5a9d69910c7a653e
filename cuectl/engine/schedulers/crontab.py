"""cron: one line in a marked region of the user's crontab for each state directory."""

from __future__ import annotations

from cuectl.engine.schedulers.programs import NOT_THERE, run_program
from cuectl.engine.schedulers.scheduler import Installed, Site, Step, Write, is_what
from cuectl.model.crontab_text import line_of, pass_lines, region_lines, with_region
from cuectl.model.errors import CuectlError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.model.crontab_text import PassLine

_NOTHING_YET = "no crontab for"


class Crontab:
    """The crontab of the user."""

    name = "crontab"

    def __init__(self, site: Site) -> None:
        self.site = site

    def unavailable(self) -> str | None:
        """Return why there is no cron for us."""
        import shutil

        if shutil.which("crontab", path=self.site.environment.get("PATH", "")) is None:
            return "there is no 'crontab' on the PATH"
        try:
            self.read()
        except CuectlError as error:
            return error.message
        return None

    def read(self) -> bytes | None:
        """Return the crontab, None when the user has none.

        Raises:
            CuectlError: it can't be read.
        """
        done = run_program(("crontab", "-l"), self.site.environment)
        if done.status == 0:
            return done.out
        if done.status != NOT_THERE and _NOTHING_YET in done.said:
            return None
        raise CuectlError(f"the crontab can't be read: {done.said or done.status}")

    def installed(self) -> Installed | None:
        """Return the line for this state directory: ours, else one written by hand."""
        mine = [one for one in pass_lines(self.read() or b"") if self._is_mine(one)]
        mine.sort(key=lambda one: not one.in_region)
        if not mine:
            return None
        line = mine[0]
        return Installed(
            scheduler=self.name,
            place="crontab",
            words=line.words,
            path=line.variables["PATH"],
            by_hand=not line.in_region,
            is_current=not line.in_region or is_what(self._line, raw_line(line)),
        )

    def _is_mine(self, line: PassLine) -> bool:
        home = line.variables.get("CUECTL_HOME", f"{self.site.user_home}/.cue")
        return home == self.site.home

    def _line(self) -> bytes:
        return line_of((*self.site.program(), "run-due"), self.site.variables())

    def installation(self) -> list[Step]:
        """Return the writing of the crontab with our line in it."""
        before = self.read()
        return self._change(before, [*self._others(before or b""), self._line()])

    def removal(self) -> list[Step]:
        """Return the writing of the crontab without our line."""
        before = self.read()
        return self._change(before, self._others(before or b""))

    def _others(self, crontab: bytes) -> list[bytes]:
        mine = {
            raw_line(one) for one in pass_lines(crontab) if one.in_region and self._is_mine(one)
        }
        return [line for line in region_lines(crontab) if line not in mine]

    def _change(self, before: bytes | None, lines: list[bytes]) -> list[Step]:
        after = with_region(before or b"", lines)
        if after == (before or b""):
            return []
        if not after:
            return [Write(place="crontab", before=before, after=None, through=("crontab", "-r"))]
        return [Write(place="crontab", before=before, after=after, through=("crontab", "-"))]


def raw_line(line: PassLine) -> bytes:
    """Return a line as it stands in the crontab."""
    return line.text.encode("utf-8", "surrogateescape")
