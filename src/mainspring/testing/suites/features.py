"""The contract of features."""

from __future__ import annotations

import re

import pytest

from mainspring.feature import Feature, Rooms

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


@pytest.mark.asyncio
class FeatureSuite:
    """A subclass has a fixture ``feature``. A fixture ``rooms`` gives rooms in which its service can be opened."""

    @pytest.fixture
    def rooms(self) -> Rooms | None:
        return None

    async def test_its_name_can_be_a_section_and_a_folder(self, feature: Feature) -> None:
        assert NAME.fullmatch(feature.name)

    async def test_it_does_something(self, feature: Feature) -> None:
        parts = (feature.open, feature.ready, feature.routes, feature.work, feature.storing, feature.refused)
        assert any(part is not None for part in parts)

    async def test_its_service_has_a_class_of_its_own(self, feature: Feature, rooms: Rooms | None) -> None:
        """Other features find a service by its class. It opens again after it was closed."""
        if feature.open is None or rooms is None:
            return
        found = []
        for _ in range(2):
            async with feature.open(rooms) as service:
                found.append(type(service))
        assert found[0] is found[1]
        assert found[0].__module__ not in ("builtins", "typing", "types")
