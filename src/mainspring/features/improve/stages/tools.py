"""What stages work with: services of other features, found by what they can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from mainspring.core.errors import Unsupported
from mainspring.evaluation.examples import ExampleStream
from mainspring.evaluation.scorers import ScorerSource
from mainspring.feature import Services
from mainspring.features.improve.lineage.store import VariantStore
from mainspring.features.improve.settings import ImproveSettings
from mainspring.features.improve.stages.folders import Folders
from mainspring.features.improve.stages.store import CampaignStore
from mainspring.stores.work.approvals import Approvals
from mainspring.training.ports import Door, Trainer, Versions
from mainspring.training.stages import (
    Alarms,
    Comparer,
    ExportCheck,
    Exporter,
    LearnableEdits,
    OnlineTrials,
    OrderCheck,
    Prober,
    ShadowCounts,
    TakenBack,
    TrialCheck,
)

T = TypeVar("T")


@dataclass(slots=True)
class Tools:
    """The stores, and the services that a system has."""

    campaigns: CampaignStore
    variants: VariantStore
    approvals: Approvals
    settings: ImproveSettings
    folders: Folders
    services: Services | None = None

    def _one(self, protocol: Any, what: str) -> Any:
        found = None if self.services is None else self.services.perhaps(protocol)
        if found is None:
            raise Unsupported(f"no feature of this system {what}", remedy="Install one, or leave that stage out")
        return found

    @property
    def exporter(self) -> Exporter:
        """Raises ``Unsupported``, as all of these."""
        return self._one(Exporter, "makes exports")  # type: ignore[no-any-return]

    @property
    def trainer(self) -> Trainer:
        return self._one(Trainer, "trains")  # type: ignore[no-any-return]

    @property
    def versions(self) -> Versions:
        return self._one(Versions, "keeps what was trained")  # type: ignore[no-any-return]

    @property
    def comparer(self) -> Comparer:
        return self._one(Comparer, "compares responders")  # type: ignore[no-any-return]

    @property
    def prober(self) -> Prober:
        return self._one(Prober, "attacks responders")  # type: ignore[no-any-return]

    @property
    def trials(self) -> OnlineTrials:
        return self._one(OnlineTrials, "runs trials")  # type: ignore[no-any-return]

    @property
    def door(self) -> Door:
        return self._one(Door, "serves candidates")  # type: ignore[no-any-return]

    @property
    def data(self) -> ExampleStream:
        return self._one(ExampleStream, "keeps data sets")  # type: ignore[no-any-return]

    @property
    def scorers(self) -> ScorerSource | None:
        """None: nothing makes scorers."""
        return None if self.services is None else self.services.perhaps(ScorerSource)  # type: ignore[type-abstract]

    def edits(self, application: str) -> LearnableEdits | None:
        """What keeps the application's edits in a form of its own; None: nothing does."""
        every = () if self.services is None else self.services.every(LearnableEdits)  # type: ignore[type-abstract]
        return next((each for each in every if each.edits_kind(application)), None)

    @property
    def order_check(self) -> OrderCheck | None:
        """None: nothing checks runs before they are ordered."""
        return None if self.services is None else self.services.perhaps(OrderCheck)  # type: ignore[type-abstract]

    @property
    def export_check(self) -> ExportCheck | None:
        """None: nothing checks exports before they are ordered."""
        return None if self.services is None else self.services.perhaps(ExportCheck)  # type: ignore[type-abstract]

    @property
    def trial_check(self) -> TrialCheck | None:
        """None: nothing checks trials before they begin."""
        return None if self.services is None else self.services.perhaps(TrialCheck)  # type: ignore[type-abstract]

    @property
    def alarms(self) -> Alarms | None:
        """None: nothing watches the traffic."""
        return None if self.services is None else self.services.perhaps(Alarms)  # type: ignore[type-abstract]

    @property
    def shadows(self) -> ShadowCounts | None:
        """None: nothing counts copies."""
        return None if self.services is None else self.services.perhaps(ShadowCounts)  # type: ignore[type-abstract]

    @property
    def taken(self) -> TakenBack | None:
        """None: nothing remembers what people took away."""
        return None if self.services is None else self.services.perhaps(TakenBack)  # type: ignore[type-abstract]
