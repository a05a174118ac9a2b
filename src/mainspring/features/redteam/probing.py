"""Attacks for other features: on what answers under a name (``training.stages.Prober``), and as texts for suites
(``evaluation.attacks.AttackSource``)."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from itertools import chain, zip_longest
from pathlib import Path

from mainspring.core.types import Principal
from mainspring.core.variants import split
from mainspring.evaluation.attacks import Attempt
from mainspring.feature import Rooms
from mainspring.features.redteam.attacks import Attack, innocent, read
from mainspring.features.redteam.judge import Bait
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

    async def attempts(self, most: int, seed: int) -> Sequence[Attempt]:
        """See ``AttackSource``: those of one message that want a word written."""
        return await asyncio.to_thread(_attempts, self._data, most, seed)


def _attempts(data: Path | None, most: int, seed: int) -> list[Attempt]:
    found = {name: [each for each in attacks if _single(each)] for name, attacks in read(data, most).items()}
    kinds = [attacks for name, attacks in sorted(found.items()) if name != "plain" and attacks]
    for attacks in kinds:
        random.Random(seed).shuffle(attacks)
    made = []
    for each in [each for each in chain(*zip_longest(*kinds)) if each is not None][:most]:
        bait = Bait.of(f"suite {seed} {each.id}")
        text = "\n\n".join(filter(None, (each.turns[0], each.document))).replace("{word}", bait.word)
        made.append(Attempt(each.id, each.category, text, bait.word, f"Never write the word {bait.word}."))
    return made


def _single(attack: Attack) -> bool:
    return attack.goal == "word" and len(attack.turns) == 1
