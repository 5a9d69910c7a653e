from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import TZPATH

import pytest

from cuectl.process.machine_zone import machine_zone
from cuectl.schedule.zones import offset_s
from cuectl.values.times import from_text

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl

DATABASE = next((place for place in map(Path, TZPATH) if (place / "Europe/Paris").is_file()), None)
FILES = pytest.mark.skipif(DATABASE is None, reason="the tz database is not installed as files")
PARIS = "CET-1CEST,M3.5.0,M10.5.0/3"


@FILES
@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("Europe/Paris", "Europe/Paris"),
        (":Europe/Paris", "Europe/Paris"),
        ("posix/Europe/Paris", "Europe/Paris"),
        (f"{DATABASE}/Europe/Paris", "Europe/Paris"),
        (f":{DATABASE}/Europe/Paris", "Europe/Paris"),
        ("", "UTC"),
        (":", "UTC"),
    ],
)
def test_tz_means_what_it_means_to_date(said: str, name: str) -> None:
    assert machine_zone({"TZ": said}) == name


@FILES
@pytest.mark.parametrize(
    ("rule", "name"),
    [
        (PARIS, "Europe/Paris"),
        ("EST5EDT,M3.2.0,M11.1.0", "America/New_York"),
        ("EST+05EDT,M3.2.0/2,M11.1.0/2", "America/New_York"),
        ("JST-9", "Asia/Tokyo"),
        ("<-03>3", "Etc/GMT+3"),
        ("UTC0", "UTC"),
        ("XYZ-05:30", "Asia/Kolkata"),
    ],
)
def test_a_rule_becomes_a_zone_with_the_same_times(rule: str, name: str, tmp_path: Path) -> None:
    found = machine_zone({"TZ": rule}, str(tmp_path))
    assert found is not None
    for at in map(from_text, ("2027-01-15T00:00:00Z", "2027-07-15T00:00:00Z")):
        assert offset_s(found, at) == offset_s(name, at)


@FILES
def test_a_rule_is_the_zone_that_the_machine_names_if_that_has_it(tmp_path: Path) -> None:
    (tmp_path / "timezone").write_text("Europe/Paris\n")
    assert machine_zone({"TZ": PARIS}, str(tmp_path)) == "Europe/Paris"


@pytest.mark.parametrize(
    "said", ["Nonsense/Zone", "CET-1CEST", "america/new_york", "/nowhere", "/etc/passwd", "\udcff"]
)
def test_what_stands_for_no_zone_is_not_found(said: str) -> None:
    assert machine_zone({"TZ": said}) is None


@FILES
def test_a_copy_of_a_zone_is_found_by_its_content(tmp_path: Path) -> None:
    shutil.copy(f"{DATABASE}/America/New_York", tmp_path / "localtime")
    assert machine_zone({}, str(tmp_path)) == "America/New_York"
    assert machine_zone({"TZ": "localtime"}, str(tmp_path)) == "America/New_York"
    # The clock follows the file, not the name beside it, unless both say the same.
    (tmp_path / "timezone").write_text("Asia/Tokyo\n")
    assert machine_zone({}, str(tmp_path)) == "America/New_York"
    (tmp_path / "timezone").write_text("America/Detroit\n")
    assert machine_zone({}, str(tmp_path)) == "America/Detroit"
    (tmp_path / "localtime").write_bytes(b"no zone")
    assert machine_zone({}, str(tmp_path)) is None


@FILES
@pytest.mark.parametrize(
    "place", [str(DATABASE), "/var/db/timezone/zoneinfo", "/usr/share/zoneinfo.default"]
)
def test_a_link_into_any_database_names_its_zone(tmp_path: Path, place: str) -> None:
    (tmp_path / "localtime").symlink_to(f"{place}/Europe/Paris")
    assert machine_zone({}, str(tmp_path)) == "Europe/Paris"


def test_nothing_set_is_utc_and_a_link_to_nowhere_is_not(tmp_path: Path) -> None:
    assert machine_zone({}, str(tmp_path)) == "UTC"
    (tmp_path / "localtime").symlink_to("/usr/share/zoneinfo/Europe/Nowhere")
    assert machine_zone({}, str(tmp_path)) is None


def test_a_zone_that_is_not_found_is_told_by_whoever_takes_utc(cuectl: Cuectl) -> None:
    cuectl.env(TZ="Mars/Phobos")
    doubt = "the time zone of this machine, TZ='Mars/Phobos', could not be found: UTC is taken"
    create = ("create", "--shell", "true", "--cron", "0 9 * * *", "--name")
    assert doubt in cuectl.run(*create, "a").stderr
    assert cuectl.json("get", "a")["trigger"]["timezone"] == "UTC"
    assert doubt in cuectl.run("import-crontab", "-", stdin="0 9 * * * true\n").stderr
    assert doubt in cuectl.run("next", "--cron", "0 9 * * *").stderr
    cuectl.files({"cue.yaml": "cues: {f: {cron: 0 9 * * *, shell: x}}\n"})
    assert doubt in cuectl.run("apply", "cue.yaml").stderr
    findings = {one["code"]: one for one in cuectl.run("--json", "doctor").json["findings"]}
    assert findings["zone_unknown"]["message"] == doubt
    assert "UTC is taken" not in cuectl.run("run-due").stderr
    # Whoever names a zone has no doubt to hear of.
    assert cuectl.run(*create, "b", "--timezone", "Europe/Paris", "-q").stderr == ""
    cuectl.env(TZ="Europe/Paris")
    assert "UTC is taken" not in cuectl.run(*create, "c").stderr
