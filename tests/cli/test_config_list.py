from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl


def settings(cuectl: Cuectl, *words: str) -> dict[str, tuple[Any, str]]:
    rows = cuectl.json("config", "list", *words)
    return {row["name"]: (row["value"], row["origin"]) for row in rows}


def test_without_a_home_everything_is_built_in(cuectl: Cuectl) -> None:
    found = settings(cuectl)

    assert found["home"] == (str(cuectl.home), "built-in")
    assert found["timezone"] == ("UTC", "TZ")
    assert found["handler_timeout"] == (3600.0, "built-in")
    assert found["max_parallel"] == (16, "built-in")
    assert not cuectl.home.exists()


def test_the_home_names_what_moved_it(cuectl: Cuectl) -> None:
    assert settings(cuectl, "--home", "/x")["home"] == ("/x", "--home")
    assert settings(cuectl.env(CUECTL_HOME="/y"))["home"] == ("/y", "CUECTL_HOME")


def test_a_setting_of_the_own_file_names_it_before_any_pass_has_read_it(cuectl: Cuectl) -> None:
    cuectl.home.mkdir(mode=0o700)
    own = cuectl.home / "cue.yaml"
    own.write_text("settings: {timezone: Europe/Berlin, handler_timeout: 90m}\n")

    found = settings(cuectl)

    assert found["timezone"] == ("Europe/Berlin", str(own))
    assert found["handler_timeout"] == (5400.0, str(own))


def test_people_read_spans_in_words(cuectl: Cuectl) -> None:
    answer = cuectl.run("config", "list")

    assert answer.status == 0
    rows = {line.split()[0]: line.split()[1:] for line in answer.stdout.splitlines()}
    assert rows["SETTING"] == ["VALUE", "ORIGIN"]
    assert rows["retention.output"] == ["30d", "built-in"]
    assert rows["ping_url"] == ["-", "built-in"]
