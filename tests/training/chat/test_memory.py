"""A run of a chat recipe holds the weights, gradients and moments that are planned."""

from __future__ import annotations

from typing import Any

import pytest

from mainspring.training.chat.memory import planned, sizes, trained
from tests.training.chat.conftest import Start, talks

pytestmark = pytest.mark.torch


@pytest.mark.parametrize(
    "options",
    [{"method": "full", "precision": "fp32"}, {"precision": "fp32"}, {"precision": "bf16", "rank": 4}],
)
def test_what_is_planned_is_held(options: dict[str, Any], start: Start) -> None:
    import torch

    from mainspring.training.chat.tuning import Tuning

    run = start("sft", options, talks(4))
    chosen: Any = run.options
    tuning = Tuning(run, chosen)
    learned = [each for each in tuning.model.parameters() if each.requires_grad]
    assert run.base is not None
    found = sizes(run.base)
    assert sum(each.numel() for each in learned) == trained(found, chosen)
    plan = planned(found, chosen)
    assert sum(each.nbytes for each in tuning.model.parameters()) == pytest.approx(plan.weights, rel=0.01)
    assert {each.dtype for each in learned} == {torch.float32}
    ids = torch.arange(8)[None]
    with tuning.computing(learning=True):
        tuning.model(input_ids=ids, labels=ids).loss.backward()
    optimiser = torch.optim.AdamW(learned)
    optimiser.step()
    assert sum(each.grad.nbytes for each in learned if each.grad is not None) == plan.gradients
    moments = [each for state in optimiser.state.values() for each in state.values() if torch.is_tensor(each)]
    assert sum(each.nbytes for each in moments) == pytest.approx(plan.optimiser, rel=0.01)
