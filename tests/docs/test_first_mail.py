"""The five commands of cuectl-alerts(7), run as a new user: the failure is in a mailbox."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from tests.docs.test_first_steps import MORNING, NEXT_MINUTE, NewUser
from tests.fixtures.mailbox import Mailbox
from tests.fixtures.observing import until

if TYPE_CHECKING:
    from pathlib import Path

PAGE = (files("cuectl.cli.manual") / "topics" / "cuectl-alerts.7.md").read_text()
COMMANDS = PAGE.partition("# FROM NOTHING TO A MAIL")[2].partition("```\n")[2].partition("```")[0]


def test_five_commands_lead_from_nothing_to_a_mail(tmp_path: Path, programs: Path) -> None:
    ana = NewUser(tmp_path, str(programs))
    with Mailbox() as box:
        lines = COMMANDS.replace("localhost:25", f"localhost:{box.port}").splitlines()
        assert len(lines) == 5
        done = ana.types(*lines)
        assert done.returncode == 0, done.stdout + done.stderr
        assert [
            one.mail["Subject"].endswith(": this is a test; nothing has happened")
            for one in box.mails
        ] == [True]

        assert ana.cron_calls(NEXT_MINUTE) == ""
        cues = ana.asks("list")
        assert (cues["disk"]["verdict"], cues["check-disk"]["verdict"]) == ("verified", "passed")

        (ana.home / "disk.txt").unlink()
        (ana.home / "disk.txt").mkdir()
        ana.cron_calls(MORNING)
        until(lambda: len(box.mails) == 2)
    mail = box.mails[1].mail
    assert "'disk' failed" in mail["Subject"]
    assert "disk.txt: Is a directory" in mail.get_content()
