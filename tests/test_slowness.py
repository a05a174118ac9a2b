"""In which order tests are run, and by how many threads."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mainspring.features.compose.model import one_thread
from tests.slowness import arrange


def item(path: str, *fixtures: str, given: int = 0) -> Any:
    marker = pytest.mark.timeout(given).mark if given else None
    return SimpleNamespace(path=Path(path), fixturenames=fixtures, get_closest_marker=lambda _: marker)


def test_a_module_that_shares_the_server_comes_first_and_a_long_one_begins_the_part_of_the_second_process() -> None:
    items = [item(name) for name in "abcd"] + [item("long"), item("long", given=600)]
    items += [item("e"), item("shared", "server"), item("shared"), *(item(name) for name in "fgh")]
    arrange(items, 3)
    assert [each.path.name for each in items] == "shared shared a b long long c d e f g h".split()


def test_what_is_given_less_time_or_is_alone_stays_where_it_is() -> None:
    items = [item("a"), item("b", given=30), item("c", given=180), item("d", given=181)]
    arrange(items, 1)
    assert [each.path.name for each in items] == ["d", "a", "b", "c"]


def test_products_are_computed_by_one_thread() -> None:
    found = one_thread._library()
    assert found is None or found[0]() == 1
