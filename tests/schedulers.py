"""Stand-ins for the programs that schedulers are set up with: they keep what they are given."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builder import Cuectl

CRONTAB = """\
#!/bin/sh
# Debian's manners: no crontab is an error, and the last line must have its end.
file='{folder}/crontab.txt'
case $1 in
  -l) [ -e "$file" ] || {{ echo "no crontab for ana" >&2; exit 1; }}; cat "$file" ;;
  -r) rm "$file" ;;
  -)
    cat > "$file.new"
    [ -z "$(tail -c 1 "$file.new")" ] || {{ echo "missing newline before EOF" >&2; exit 1; }}
    mv "$file.new" "$file" ;;
  *) exit 64 ;;
esac
"""

SYSTEMCTL = """\
#!/bin/sh
echo "$*" >> '{folder}/calls.txt'
active='{folder}/active'
case "$2 $3 $4" in
  "show-environment"*) exit 0 ;;
  "is-active "*) [ -e "$active" ] ;;
  "enable --now "*) touch "$active" ;;
  "disable --now "*) rm -f "$active" ;;
  "show -p KillMode") cat '{folder}/kill-mode' 2> /dev/null || echo process ;;
  "daemon-reload"*) ;;
  *) exit 64 ;;
esac
"""

LOGINCTL = """\
#!/bin/sh
cat '{folder}/linger' 2> /dev/null || echo yes
"""

LAUNCHCTL = """\
#!/bin/sh
echo "$*" >> '{folder}/calls.txt'
loaded='{folder}/loaded'
case $1 in
  version) exit 0 ;;
  print) [ -e "$loaded" ] ;;
  bootstrap) touch "$loaded" ;;
  bootout) rm "$loaded" ;;
  *) exit 64 ;;
esac
"""

PROGRAMS = {
    "crontab": CRONTAB,
    "systemctl": SYSTEMCTL,
    "loginctl": LOGINCTL,
    "launchctl": LAUNCHCTL,
}


class StandIns:
    """A directory at the front of PATH; programs that it lacks are not found at all."""

    def __init__(self, folder: Path, cuectl: Cuectl, *names: str) -> None:
        self.folder = folder
        tools = folder / "tools"
        tools.mkdir(parents=True)
        for name in ("cat", "tail", "mv", "rm", "touch", "sh", "true"):
            (tools / name).symlink_to(f"/bin/{name}")
        for name in names:
            program = tools / name
            program.write_text(PROGRAMS[name].format(folder=folder))
            program.chmod(0o755)
        cuectl.env(PATH=f"{tools}:{cuectl.programs}")

    @property
    def crontab(self) -> bytes | None:
        """The crontab that the stand-in keeps."""
        path = self.folder / "crontab.txt"
        return path.read_bytes() if path.exists() else None

    @crontab.setter
    def crontab(self, text: bytes) -> None:
        (self.folder / "crontab.txt").write_bytes(text)

    def calls(self) -> list[str]:
        """What systemctl or launchctl was called with, what only asks left out."""
        path = self.folder / "calls.txt"
        lines = path.read_text().splitlines() if path.exists() else []
        asking = ("show-environment", "is-active", " show ", "version", "print ")
        return [line for line in lines if not any(word in line for word in asking)]
