"""Options with which a run could not begin are refused when it is ordered, by their names and with what helps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.training.chat.recipe_list import RECIPES
from mainspring.training.own import words
from mainspring.training.own.recipe_list import RECIPES as OWN
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


@pytest.mark.slow
async def test_a_tokenizer_has_a_sentinel_for_each_span_of_a_window(tmp_path: Path) -> None:
    rows = write(tmp_path / "rows", TEXTS)
    async with world(tmp_path, works=False) as home:

        async def base(name: str, sentinels: int) -> str:
            label = await version(home, name, "tokenizer")
            folder = home.service.places.version("acme", name, 1)
            folder.mkdir(parents=True)
            made = words.train(["where is my order"], algorithm="word", vocabulary=99, sentinels=sentinels)
            made.save(str(folder / "tokenizer.json"))
            return label

        async def order(base: str, **options: Any) -> str:
            return (await home.order("pretrain-with", options=options, base=base, folder=rows)).state

        four, none, absent = await base("four", 4), await base("none", 0), await version(home, "absent", "tokenizer")
        for named, length, told in (
            (four, 64, r"windows of 64 tokens need 5 sentinels, and the tokenizer has 4.*at most 60, or .*at least 5"),
            (none, 60, r"has 0.*Give a base whose tokenizer was trained with `sentinels` of at least 4"),
        ):
            with pytest.raises(InvalidRequest, match=told) as caught:
                await order(named, objective="span", length=length)
            assert caught.value.param == "options.length"
        with pytest.raises(InvalidRequest, match=r"no tokenizer\.json") as caught:
            await order(absent)
        assert caught.value.param == "base"
        assert await order(four, objective="span", length=60) == "queued"
        assert await order(none, objective="masked", length=64) == "queued"


@pytest.mark.parametrize(
    ("recipe", "options", "least"),
    [
        ("tokenizer", {"vocabulary": 300}, 5 + 64 + 3 + 256),
        ("pretrain", {"vocabulary": 263}, 5 + 3 + 256),
        ("pretrain", {"vocabulary": 270, "objective": "span", "length": 128}, 5 + 8 + 3 + 256),
    ],
)
def test_a_vocabulary_has_room_for_what_must_be_in_it(recipe: str, options: dict[str, Any], least: int) -> None:
    found = next(each for each in OWN if each.name == recipe)
    with pytest.raises(InvalidRequest, match=f"has no room.*at least {least}") as caught:
        options_of(found, options).check_start(None, {})
    assert caught.value.param == "options.vocabulary"
    options_of(found, {**options, "vocabulary": least}).check_start(None, {})


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
