"""Definitions of trials: the page's is one, and what cannot be compared is refused by the name of its field."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from mainspring.core.errors import InvalidRequest
from mainspring.features.trials.cmd import _read
from mainspring.features.trials.definitions import Trial
from mainspring.features.trials.units.observed import success
from tests.conftest import ROOT
from tests.features.trials.world import ORDERS


def test_the_definition_of_the_page_is_one(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "guides" / "trials.md").read_text(encoding="utf-8")
    file = tmp_path / "trial.yaml"
    (block,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    file.write_text(block, encoding="utf-8")
    trial = Trial.model_validate(_read(file))
    assert (trial.control, trial.metric.effect, len(trial.guards), trial.window) == ("now", 0.02, 2, 3600.0)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"nothing\.yaml"):
        _read(tmp_path / "nothing.yaml")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"metric": {"source": "latency"}}, "at_least"),
        ({"metric": {"source": "outcome"}}, "name"),
        ({"metric": {"source": "error", "name": "x"}}, "name"),
        ({"metric": {"source": "error", "at_least": 1, "at_most": 0}}, "at_most"),
        ({"guards": [{"source": "score", "name": "fit"}]}, "at_least"),
    ],
)
def test_what_cannot_be_compared_names_its_field(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        Trial.model_validate({**ORDERS, **changes})


@pytest.mark.parametrize(
    ("measure", "sums", "expected"),
    [
        ({"source": "outcome", "name": "order"}, [0.0, 0.0], False),
        ({"source": "feedback"}, [0.0, 0.0], None),
        ({"source": "feedback"}, [1.0, 2.0], True),
        ({"source": "error"}, [1.0, 4.0], False),
        ({"source": "latency", "at_most": 2}, [3.0, 2.0], True),
        ({"source": "cost", "at_most": 2}, [3.0, 2.0], False),
    ],
)
def test_a_unit_succeeds_by_its_value(measure: dict[str, Any], sums: list[float], expected: bool | None) -> None:
    trial = Trial.model_validate({**ORDERS, "metric": {**measure, "effect": 0.1}})
    assert success(trial.metric, sums) is expected
