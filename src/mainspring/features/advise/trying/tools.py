"""What stages work with: the rooms, and services of other features, found by what they can do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mainspring.core.errors import Unsupported
from mainspring.evaluation.examples import ExampleStream
from mainspring.evaluation.scorers import ScorerSource
from mainspring.feature import Rooms, Services
from mainspring.features.advise.settings import AdviseSettings
from mainspring.features.advise.store import AdviceStore
from mainspring.training.ports import Admissions, Door, OrderedTrainings, Trainer, Versions
from mainspring.training.stages import Comparer, ComparisonStopper


@dataclass(slots=True)
class AdviceTools:
    """The stores, and the services that a system has."""

    rooms: Rooms
    store: AdviceStore
    settings: AdviseSettings
    services: Services | None = None

    def _one(self, protocol: Any, what: str) -> Any:
        found = None if self.services is None else self.services.perhaps(protocol)
        if found is None:
            raise Unsupported(f"no feature of this system {what}", remedy="Install one", param="ways")
        return found

    @property
    def comparer(self) -> Comparer:
        """Raises ``Unsupported``, as all of these."""
        return self._one(Comparer, "compares responders")  # type: ignore[no-any-return]

    @property
    def stopper(self) -> ComparisonStopper | None:
        """None: comparisons go on."""
        return None if self.services is None else self.services.perhaps(ComparisonStopper)  # type: ignore[type-abstract]

    @property
    def data(self) -> ExampleStream:
        return self._one(ExampleStream, "keeps data sets")  # type: ignore[no-any-return]

    @property
    def scorers(self) -> ScorerSource:
        return self._one(ScorerSource, "scores answers")  # type: ignore[no-any-return]

    @property
    def door(self) -> Door:
        return self._one(Door, "serves candidates")  # type: ignore[no-any-return]

    @property
    def admissions(self) -> Admissions | None:
        """None: nobody knows what was there before, and so nothing is withdrawn."""
        return None if self.services is None else self.services.perhaps(Admissions)  # type: ignore[type-abstract]

    @property
    def trainings(self) -> OrderedTrainings | None:
        """None: a run is known by its id alone."""
        return None if self.services is None else self.services.perhaps(OrderedTrainings)  # type: ignore[type-abstract]

    @property
    def trainer(self) -> Trainer:
        return self._one(Trainer, "trains")  # type: ignore[no-any-return]

    @property
    def versions(self) -> Versions:
        return self._one(Versions, "keeps what was trained")  # type: ignore[no-any-return]

    @property
    def root(self) -> Path:
        """Below it are rows for training, until they are handed over."""
        return self.rooms.settings.home / "advice"

    def per_hour(self, told: float | None) -> float:
        """US dollars an hour of the machine: the given value, or ``prices.per_hour``."""
        return self.rooms.settings.prices.per_hour if told is None else told
