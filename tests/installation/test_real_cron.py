"""Debian's cron runs a pass, from the line that `scheduler install` has written."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.observing import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fixtures.builder import Cuectl

CRON = Path("/usr/sbin/cron")
NEXT_MINUTE_S = 90

# In a mount namespace of its own: cron sees one crontab, and no other cron sees us.
SCRIPT = """\
set -e
mount -t tmpfs none /var/spool/cron
mkdir -m 1730 /var/spool/cron/crontabs
mount -t tmpfs none /etc/cron.d
mount --bind /dev/null /etc/crontab
mount -t tmpfs none /run
cuectl scheduler install --watch --yes
sed -i 's/^7-59.15 /* /' /var/spool/cron/crontabs/root
exec /usr/sbin/cron -f
"""


def _why_not() -> str:
    if os.geteuid() != 0:
        return "only root can start cron"
    if not CRON.exists() or shutil.which("crontab") is None:
        return "cron is not installed"
    if shutil.which("unshare") is None:
        return "unshare is not installed"
    alone = subprocess.run(
        ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False
    )
    return "no mount namespace can be made here" if alone.returncode else ""


@pytest.mark.stress
def test_cron_runs_what_is_due(cuectl: Cuectl, tmp_path: Path) -> None:
    why = _why_not()
    if why:
        pytest.skip(why)
    proof, home = tmp_path / "proof", tmp_path / "100% odd"
    cuectl.home = home
    cuectl.env(CUECTL_HOME=str(home), PATH=f"{cuectl.programs}:/usr/bin:/bin:/usr/sbin")
    shell = f'env > "{proof}"'
    assert cuectl.run("create", "--name", "proof", "--in", "1s", "--shell", shell).status == 0
    cron = subprocess.Popen(
        ["unshare", "-m", "/bin/sh", "-c", SCRIPT],
        env=cuectl.environment,
        stdout=subprocess.DEVNULL,
    )
    try:
        until(_is_proven(cuectl), "cron has run it", NEXT_MINUTE_S)
        until((home / "watch").exists, "cron has called the watch", NEXT_MINUTE_S)
    finally:
        cron.terminate()
        cron.wait()
    seen = dict(line.partition("=")[::2] for line in proof.read_text().splitlines())
    assert seen["CUECTL_HOME"] == str(home)
    assert seen["PATH"] == cuectl.environment["PATH"]


def _is_proven(cuectl: Cuectl) -> Callable[[], bool]:
    return lambda: cuectl.json("get", "proof")["last_status"] == "succeeded"
