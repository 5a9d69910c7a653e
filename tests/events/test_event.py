from __future__ import annotations

import pytest

from cuectl.events.rules.event import Event, check_type, event_from_record
from cuectl.values.errors import UsageError


def test_an_event_is_a_cloudevent_and_comes_back() -> None:
    event = Event(
        id="evt_1", type="a.b", source="/cuectl/emit", at=0, data={"x": 1}, root="evt_0", depth=2
    )
    record = event.to_record()
    assert record == {
        "specversion": "1.0",
        "id": "evt_1",
        "source": "/cuectl/emit",
        "type": "a.b",
        "time": "1970-01-01T00:00:00Z",
        "datacontenttype": "application/json",
        "cueroot": "evt_0",
        "cuedepth": 2,
        "data": {"x": 1},
    }
    assert event_from_record(record) == event


def test_names_of_extension_attributes_are_lower_case_letters() -> None:
    event = Event(
        id="e", type="a", source="x", at=0, only="s", root="r", depth=1, execution="e", subject="y"
    )
    assert all(name.isalnum() and name.islower() for name in event.to_record())


@pytest.mark.parametrize("text", ["", ".", "a..b", "a b", "a/b", "é", "a." * 150 + "a"])
def test_what_is_no_type_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        check_type(text)


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"specversion": "1.0", "id": "x", "type": "a", "source": "s"},
        {"specversion": "1.0", "id": "x", "type": "a", "source": "s", "time": "", "data": []},
    ],
)
def test_what_is_no_event_is_refused(record: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        event_from_record(record)
