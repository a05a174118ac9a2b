"""What a translator can learn on from: told when a run is ordered, without torch."""

from __future__ import annotations

from pathlib import Path

import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.features.translate.engine import card
from mainspring.features.translate.training.options import TranslateOptions


def test_a_translator_of_the_package_is_a_start() -> None:
    options = TranslateOptions(start="everyday")
    options.check_start(None, {"start": options.packaged["everyday"]})
    assert options.packaged == {each.name: each for each in card.brought()}


def test_a_version_that_nothing_can_learn_on_from_is_refused_when_a_run_is_ordered(tmp_path: Path) -> None:
    (tmp_path / "translator").mkdir()
    with pytest.raises(InvalidRequest, match="nothing can learn on from it") as caught:
        TranslateOptions(start="old@1").check_start(None, {"start": tmp_path})
    assert caught.value.param == "options.start"
