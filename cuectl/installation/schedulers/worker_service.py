"""A worker for one executor as a service of the user's own systemd, which keeps it running."""

from __future__ import annotations

from cuectl.installation.schedulers.scheduler import Run, Site, Step, Write, own_file, run_program
from cuectl.installation.schedulers.user_services import MARK, quoted, template
from cuectl.values.errors import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class WorkerService:
    """The service of one worker; each executor has one of its own."""

    def __init__(self, site: Site, executor: str) -> None:
        self.site = site
        self.executor = executor
        self.unit = f"cuectl-worker-{executor.replace(' ', '-')}{site.suffix}"
        config = site.environment.get("XDG_CONFIG_HOME", "")
        if not config.startswith("/"):
            config = f"{site.user_home}/.config"
        self.place = f"{config}/systemd/user/{self.unit}.service"

    def check(self) -> None:
        """Raise Refused where the user has no systemd."""
        done = run_program(("systemctl", "--user", "show-environment"), self.site.environment)
        if done.status:
            hint = "keep 'cuectl executors worker' running by other means"
            raise Refused(f"no systemd of this user answers: {done.said}", hint=hint)

    def installation(self, words: Sequence[str], directory: str) -> list[Step]:
        """Return the writing of the unit, and its start; of a changed one, its start again."""
        write = self._write(self.text(words, directory))
        if write.before == write.after and self._is_active():
            return []
        steps = [_systemctl("daemon-reload"), _systemctl("enable", "--now", f"{self.unit}.service")]
        if write.before is not None and write.before != write.after:
            steps.append(_systemctl("restart", f"{self.unit}.service"))
        return [write, *steps] if write.before != write.after else [*steps]

    def removal(self) -> list[Step]:
        """Return the end of the service and of its unit; a drop-in stays."""
        write = self._write(None)
        if write.before is None:
            return []
        stop = _systemctl("disable", "--now", f"{self.unit}.service", may_fail=True)
        return [stop, write, _systemctl("daemon-reload", may_fail=True)]

    def text(self, words: Sequence[str], directory: str) -> bytes:
        """Return the unit. Raises Refused: a path can't stand in one."""
        given = [f"{name}={value}" for name, value in self.site.variables().items()]
        command = [*self.site.program(), "executors", "worker", self.executor, *words]
        if any("\n" in word for word in (*given, *command, directory)):
            raise Refused("a path with a line end can't stand in a unit of systemd")
        # With ':' systemd puts in no variables, so that a '$' in a path stays one.
        mark = ":" if any("$" in word for word in command) else ""
        unit = template("worker.service").format(
            name=self.unit,
            executor=self.executor.replace("%", "%%"),
            directory=directory.replace("%", "%%"),
            environment=" ".join(quoted(pair, always=True) for pair in given),
            command=mark + " ".join(map(quoted, command)),
        )
        return unit.encode("utf-8", "surrogateescape")

    def _write(self, after: bytes | None) -> Write:
        return Write(place=self.place, before=own_file(self.place, MARK), after=after)

    def _is_active(self) -> bool:
        words = ("systemctl", "--user", "is-active", f"{self.unit}.service")
        return run_program(words, self.site.environment).status == 0


def _systemctl(*words: str, may_fail: bool = False) -> Run:
    return Run(words=("systemctl", "--user", *words), may_fail=may_fail)
