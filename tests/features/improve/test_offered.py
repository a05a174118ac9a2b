"""What the loop asks of other features is offered by one each."""

from __future__ import annotations

from typing import Any

import pytest

from mainspring.features.experiments.service import Experiments
from mainspring.features.lake.service import Lake
from mainspring.features.monitor.service import Monitor
from mainspring.features.redteam.probing import RedTeam
from mainspring.features.train.service import Training
from mainspring.features.trials.ordered import ApplicationTrials
from mainspring.features.variants.service import Variants
from mainspring.training.ports import Door, Trainer, Versions
from mainspring.training.stages import (
    Alarms,
    Comparer,
    ExportCheck,
    Exporter,
    OnlineTrials,
    Prober,
    ShadowCounts,
    TrialCheck,
)

SERVICES: tuple[type, ...] = (Lake, Experiments, RedTeam, ApplicationTrials, Monitor, Variants, Training)


@pytest.mark.parametrize(
    ("protocol", "service"),
    [
        (Exporter, Lake),
        (ExportCheck, Lake),
        (Comparer, Experiments),
        (Prober, RedTeam),
        (OnlineTrials, ApplicationTrials),
        (TrialCheck, ApplicationTrials),
        (Alarms, Monitor),
        (Door, Variants),
        (ShadowCounts, Variants),
        (Trainer, Training),
        (Versions, Training),
    ],
)
def test_one_feature_offers_each(protocol: Any, service: type) -> None:
    assert [each for each in SERVICES if issubclass(each, protocol)] == [service]
