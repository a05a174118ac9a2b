"""A gate over a stored data set: its examples with references, in their groups."""

from __future__ import annotations

from pathlib import Path

import pytest

from mainspring.core.errors import InvalidRequest, NotFound
from mainspring.core.types import Message
from mainspring.evaluation.examples import Example
from mainspring.feature import Services
from mainspring.features.evaluate.commands.gate import _of_data_set
from tests.features.experiments.world import lab


async def test_the_examples_of_a_version_are_its_cases(tmp_path: Path) -> None:
    async with lab(tmp_path) as home:
        local = home.rooms.local
        made = [
            Example("a", (Message("user", "How long?"),), ("Two years.",), group="lease"),
            Example("b", (Message("user", "Who knows?"),)),
        ]
        await home.data.add_examples(local, "leases", made)
        await home.data.add_examples(local, "leases", [Example("c", (Message("user", "When?"),), ("Now.",))])
        services = Services()
        services.add(home.data)
        opened = home.rooms, services
        (first,) = await _of_data_set("dataset:leases@1", opened)
        assert (first.id, first.references, first.source) == ("a", ("Two years.",), "lease")
        assert [each.id for each in await _of_data_set("dataset:leases", opened)] == ["a", "c"]
        with pytest.raises(NotFound):
            await _of_data_set("dataset:leases@9", opened)
        await home.data.add_examples(local, "bare", made[1:])
        with pytest.raises(InvalidRequest, match="has a reference"):
            await _of_data_set("dataset:bare", opened)
        with pytest.raises(InvalidRequest, match="no feature"):
            await _of_data_set("dataset:leases", (home.rooms, Services()))
