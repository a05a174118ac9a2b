"""The memory of a run is told before it is ordered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mainspring.core.errors import InvalidRequest, MainspringError, NotFound, Unsupported
from mainspring.features.train import planning
from mainspring.training.chat.memory import sizes
from mainspring.training.chat.recipe_list import RECIPES as CHAT
from mainspring.training.encoders.recipe_list import RECIPES as ENCODERS
from mainspring.training.own.models.shape import Shape
from mainspring.training.own.options import PretrainOptions
from mainspring.training.own.recipe_list import RECIPES as OWN
from mainspring.training.run import options_of
from tests.features.train.world import fake_model, world

RECIPES = {each.name: each for each in (*CHAT, *ENCODERS, *OWN)}
CONFIG = {
    "hidden_size": 64,
    "intermediate_size": 160,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "num_hidden_layers": 3,
    "vocab_size": 500,
    "tie_word_embeddings": True,
}


def planned(recipe: str, folder: Path | None = None, **options: Any) -> planning.RunPlan:
    return planning.planned(RECIPES[recipe], options_of(RECIPES[recipe], options), folder)


def chat(folder: Path, **more: Any) -> Path:
    """A folder as transformers writes it."""
    (folder / "config.json").write_text(json.dumps({**CONFIG, **more}))
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": {"</s>": 0}}}))
    (folder / "model.safetensors").touch()
    return folder


def test_own_models_are_planned_with_what_each_process_holds() -> None:
    alone = planned("pretrain", batch=8, length=64)
    shape = Shape("decoder", PretrainOptions().vocabulary, width=192, layers=4, heads=6, kv_heads=2, length=64)
    assert (alone.parameters, alone.processes, alone.planned) == (shape.parameters, 1, True)
    assert alone.each.weights == 4 * shape.parameters
    both = planned("pretrain", batch=8, length=64, tensor=2)
    # A half of the matrices, and the whole embedding.
    assert 2 * shape.parameters < both.each.weights < 4 * shape.parameters
    shared = planned("pretrain", batch=8, length=64, data=2, shard="weights")
    assert (shared.processes, shared.each.weights) == (2, 2 * shape.parameters)
    assert shared.each.activations < 0.6 * alone.each.activations
    assert planned("pretrain", batch=8, micro=2, length=64).each.activations < 0.5 * alone.each.activations
    assert not planned("pretrain", objective="span").planned


def test_the_plan_is_of_the_model_that_is_trained() -> None:
    """Each size that the options have changes the model, and so its plan."""
    sizes = {"width": 96, "layers": 3, "heads": 4, "kv_heads": 1, "length": 40}
    given: dict[str, Any] = {**sizes, "positions": "learned", "dropout": 0.5}
    for objective, kind in (("causal", "decoder"), ("masked", "encoder"), ("span", "encoder-decoder")):
        options = options_of(RECIPES["pretrain"], {**given, "objective": objective, "vocabulary": 90})
        assert isinstance(options, PretrainOptions)
        shape = options.shape(77)
        assert shape.told() == Shape(kind, 77, **given).told()  # type: ignore[arg-type]
        found = planned("pretrain", **given, objective=objective, vocabulary=90)
        assert found.parameters == options.shape(90).parameters


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"heads": 5}, "options.heads"),
        ({"kv_heads": 4}, "options.kv_heads"),
        ({"batch": 8, "data": 3}, "options.batch"),
        ({"tensor": 4}, "options.tensor"),
        ({"pipeline": 9}, "options.pipeline"),
        ({"shard": "optimiser", "tensor": 2}, "options.shard"),
        ({"steps": -1}, "options.steps"),
        ({"colour": 1}, "options.colour"),
    ],
)
def test_options_that_do_not_go_together_are_named_before_a_run(options: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        options_of(RECIPES["pretrain"], options)
    assert caught.value.param == param
    assert caught.value.remedy


def test_chat_models_are_planned_from_the_sizes_of_their_base(tmp_path: Path) -> None:
    base = chat(tmp_path)
    whole = sizes(base).parameters
    block = 2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 160 + 2 * 64
    assert whole == 500 * 64 + 3 * block + 64
    full = planned("sft", base, method="full")
    each = full.each
    assert (full.trained, each.weights + each.gradients + each.optimiser) == (whole, 16 * whole)
    assert full.planned
    assert each.activations > 0 < each.workspace
    adapter = planned("dpo", base, rank=8, modules=["q_proj", "v_proj"])
    assert adapter.trained == 3 * 8 * (64 + 64 + 64 + 32)
    assert adapter.each.weights == 4 * whole + 4 * adapter.trained
    assert planned("sft", base, precision="bf16").each.weights < 0.7 * planned("sft", base).each.weights
    assert planned("sft", base, method="qlora").each.weights < 0.5 * planned("sft", base).each.weights
    assert any("activations" in note for note in adapter.notes)
    assert any("teacher" in note for note in planned("distil", base, teacher="large").notes)
    (base / "config.json").write_text("{}")
    with pytest.raises(Unsupported, match="hidden_size"):
        planned("sft", base)


def test_encoders_are_planned_from_the_configuration_of_their_base(tmp_path: Path) -> None:
    """The sizes are those of all-MiniLM-L6-v2, whose parameters are known (Reimers and Gurevych)."""
    config = {"hidden_size": 384, "intermediate_size": 1536, "num_hidden_layers": 6, "vocab_size": 30522}
    config["num_attention_heads"] = 12
    (tmp_path / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 512, "type_vocab_size": 2}))
    whole = planned("reranker", tmp_path)
    assert (whole.parameters, whole.trained) == (22_713_216, 22_713_216)
    each = whole.each
    assert (each.weights + each.gradients + each.optimiser, whole.planned) == (16 * 22_713_216, True)
    assert planned("reranker", tmp_path, batch=32).each.activations > 1.9 * each.activations > 0
    embedder = planned("embedder", tmp_path)
    assert whole.parameters - embedder.parameters == 384 * 384 + 384
    frozen = planned("reranker", tmp_path, freeze=2)
    assert frozen.each.weights == whole.each.weights
    assert frozen.trained == 22_713_216 - 11_918_592 - 2 * 1_774_464
    assert any("activations" in each for each in frozen.notes)
    with pytest.raises(InvalidRequest) as caught:
        planned("reranker", tmp_path, freeze=6)
    assert caught.value.param == "options.freeze"
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(Unsupported, match="hidden_size"):
        planned("reranker", tmp_path)


@pytest.mark.slow
async def test_a_plan_names_what_is_wrong_and_compares_with_the_limit(tmp_path: Path) -> None:
    async with world(tmp_path, works=False, train={"memory_mb": 1}) as home:

        async def plan(recipe: str, base: str = "", **options: Any) -> dict[str, Any]:
            return await planning.plan(home.service, home.who, recipe, options, base)

        found = await plan("pretrain")
        assert (found["fits"], found["limit_bytes"]) == (False, 2**20)
        assert found["not_counted"] == []
        assert (await plan("pretrain", objective="span"))["not_counted"] == ["activations"]
        assert found["total_bytes"] == pytest.approx(sum(found["bytes"].values()), abs=4)
        with pytest.raises(NotFound, match="Did you mean pretrain"):
            await plan("pretrian")
        with pytest.raises(InvalidRequest, match="at most 1"):
            await plan("pretrain", data=2)
        with pytest.raises(InvalidRequest, match="Name it") as caught:
            await plan("finetune-own")
        assert caught.value.param == "base"
        with pytest.raises(InvalidRequest, match="at most 1") as caught:
            await plan("pretrain", tensor=2)
        assert caught.value.param == "options.tensor"
        with pytest.raises(Unsupported, match="tokenizer is not planned"):
            await plan("tokenizer")


@pytest.mark.slow
async def test_a_run_that_would_be_refused_is_refused_by_its_plan_in_the_same_words(tmp_path: Path) -> None:
    async with world(tmp_path, works=False, models=fake_model(tmp_path)) as home:
        for recipe, base, options in (
            ("distil", "tiny", {}),
            ("grpo", "tiny", {}),
            ("distil", "tiny", {"teacher": "nowhere@1"}),
            ("pretrain", "", {"objective": "span", "vocabulary": 270}),
        ):
            with pytest.raises(MainspringError) as ordered:
                await home.order(recipe, options=options, base=base)
            with pytest.raises(MainspringError) as told:
                await planning.plan(home.service, home.who, recipe, options, base)
            assert ordered.value.param
            for name in ("message", "param", "remedy"):
                assert getattr(told.value, name) == getattr(ordered.value, name), recipe
