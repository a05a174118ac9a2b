"""Options with which a run could not begin are refused when it is ordered, by their names and with what helps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.training.chat.recipe_list import RECIPES
from mainspring.training.run import options_of
from tests.features.train.test_reach import TALKS, needless, version
from tests.features.train.world import fake_model, world, write

__all__ = ["needless"]
TEXTS = [{"text": f"where is my order {each}", "label": ("order", "card")[each % 2]} for each in range(12)]


@pytest.mark.slow
async def test_an_encoder_s_options_fit_its_base(tmp_path: Path) -> None:
    rows = write(tmp_path / "rows", TEXTS)
    async with world(tmp_path, works=False) as home:
        base = await version(home, "small", "reranker")
        folder = home.service.places.version("acme", "small", 1)
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps({"num_hidden_layers": 6, "max_position_embeddings": 512}))

        async def order(**options: Any) -> str:
            return (await home.order("classifier", options=options, base=base, folder=rows)).state

        for options, name, told in (
            ({"length": 513}, "length", r"reads 512 tokens, not 513.*at most 512"),
            ({"freeze": 6}, "freeze", r"has 6 layers.*at most 5"),
        ):
            with pytest.raises(InvalidRequest, match=told) as caught:
                await order(**options)
            assert caught.value.param == f"options.{name}"
        assert await order(length=512, freeze=5) == "queued"


@pytest.mark.slow
async def test_a_chat_model_s_options_go_together(tmp_path: Path) -> None:
    rows = write(tmp_path / "rows", TALKS)
    exact = {"rewards": [{"name": "exact"}]}
    async with world(tmp_path, works=False, models=fake_model(tmp_path)) as home:
        for recipe, options, name, told in (
            ("grpo", {}, "rewards", "no reward is given"),
            ("ppo", {}, "rewards", "no reward is given"),
            ("grpo", {**exact, "group": 3}, "batch", "not whole groups of 3"),
            ("distil", {}, "teacher", "name one teacher"),
        ):
            with pytest.raises(InvalidRequest, match=told) as caught:
                await home.order(recipe, options=options, base="tiny", folder=rows)
            assert caught.value.param == f"options.{name}", recipe
            assert caught.value.remedy
        assert (await home.order("grpo", options=exact, base="tiny", folder=rows)).state == "queued"


@pytest.mark.parametrize("recipe", ["dpo", "kto", "grpo", "ppo"])
def test_what_compares_with_its_base_learns_an_adapter(recipe: str) -> None:
    found = next(each for each in RECIPES if each.name == recipe)
    with pytest.raises(InvalidRequest, match="'lora' or 'qlora'") as caught:
        options_of(found, {"method": "full"})
    assert caught.value.param == "options.method"


def test_an_api_teaches_no_probabilities() -> None:
    found = next(each for each in RECIPES if each.name == "distil")
    options = options_of(found, {"level": "logits", "teacher_url": "https://example.org/v1"})
    with pytest.raises(InvalidRequest, match="probabilities of all tokens") as caught:
        options.check_start(None, {})
    assert caught.value.param == "options.level"
