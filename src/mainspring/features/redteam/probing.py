"""Attacks for other features on what answers under a name: ``training.stages.Prober``."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from mainspring.core.types import Principal
from mainspring.core.variants import split
from mainspring.feature import Rooms
from mainspring.features.redteam.attacks import innocent, read
from mainspring.features.redteam.run import attack
from mainspring.features.redteam.target import SystemTarget
from mainspring.training.stages import Probed


class RedTeam:
    """Attacks names of the open system under its own guards. Nothing is stored: attacks are no traffic, and what they
    would put into documents is shown in the question instead."""

    def __init__(self, rooms: Rooms, data: Path | None) -> None:
        self._rooms = rooms
        self._data = data

    async def probe(self, principal: Principal, name: str, most: int) -> Probed:
        """See ``Prober``. Without data sets there are the attacks that need none."""
        found = read(self._data, most)
        attacks = [each for category in sorted(found) for each in found[category]]
        target = SystemTarget(self._rooms, name, reads=False, principal=principal)
        # A candidate is attacked as what is current is.
        made = await attack(target, attacks, innocent(self._data, most), seed=split(name)[0])
        through = [each.attack for each in made.results if each.outcome == "succeeded"]
        return Probed(
            len(made.results),
            len(through),
            sum(each.outcome == "failed" for each in made.results),
            made.innocent,
            made.refused,
            dict(Counter(each.category for each in through)),
            tuple(each.id for each in through),
        )
