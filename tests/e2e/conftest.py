"""What the end-to-end tests share: a look at the store that ends every one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.observing import StoreState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.builder import Cuectl


@pytest.fixture
def state(cuectl: Cuectl) -> Iterator[StoreState]:
    """The store of `cuectl`; at the end its views must be what the journal implies."""
    found = StoreState(cuectl.home)
    yield found
    if cuectl.checked and (cuectl.home / "journal").is_dir():
        assert found.differences() == []
        assert found.settled_twice() == []
