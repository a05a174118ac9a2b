"""Ablations and refusal over a real library with an embedder of hashed words."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from mainspring.core.errors import InvalidRequest, UnknownModel
from mainspring.core.settings import RagSettings, Settings
from mainspring.engines import Engines, builtin
from mainspring.engines.base import Reranked
from mainspring.features.evaluate.ablate import report, workbench
from mainspring.features.evaluate.ablate.ablation import Measured, ablate
from mainspring.features.evaluate.ablate.arms import Arm, grid
from mainspring.features.evaluate.ablate.workbench import Index, Tokens
from mainspring.features.evaluate.fit import refusal
from mainspring.features.evaluate.sets.collections import Query
from mainspring.features.evaluate.sets.loading import load
from mainspring.rag.search.selection import SearchOptions
from tests.features.evaluate.conftest import FACTS


class Backwards:
    """The later a passage comes, the better it likes it. A passage is one token."""

    fingerprint = "backwards"

    def __init__(self, name: str) -> None:
        self.name = name
        self.closed = False

    async def rerank(self, query: str, passages: Sequence[str]) -> Reranked:
        return Reranked(np.linspace(0, 1, len(passages), dtype=np.float32), len(passages))

    async def close(self) -> None:
        self.closed = True


@pytest.mark.slow
async def test_every_arm_is_measured_on_the_same_queries(folder: Path, settings: Settings, engines: Engines) -> None:
    arms = grid(["default", "small:chunk_tokens=32+chunk_overlap=0"], ["bm25", "dense"])
    told: list[str] = []
    found = await ablate(
        load(str(folder)), arms, settings, engines, k=3, progress=lambda stage, done, total: told.append(stage)
    )
    assert [each.arm.name for each in found.arms] == [arm.name for arm in arms]
    assert (found.queries, found.documents, found.unjudged) == (4, 4, ("q5",))
    for each in found.arms:
        assert set(each.values) == {"ndcg@3", "recall@3", "hit@3", "precision@3", "mrr", "map"}
        assert each.estimate("recall@3").value == 1
        assert len(each.milliseconds) == 4
        assert each.index.chunks >= 4
        assert each.index.bytes > 0
    # Words alone embed nothing while searching; what is embedded are the four questions, word by word.
    tokens = {each.arm.options["mode"]: each.tokens.embedded for each in found.arms}
    assert tokens["sparse"] == 0
    assert tokens["dense"] == sum(len(query.text.split()) for query in load(str(folder)).queries if query.gains)
    assert found.arms[0].index is found.arms[1].index
    assert found.arms[0].index is not found.arms[2].index
    assert "index default / bm25" in told
    assert not settings.home.exists()

    table = report.markdown(found)
    assert table.count("\n| ") == 2 + len(arms)
    assert "baseline" in table
    facts = report.as_json(found)
    assert facts["arms"][2]["index_settings"] == {"chunk_tokens": 32, "chunk_overlap": 0}
    assert facts["arms"][1]["against_baseline"]["ndcg@3"]["p"] <= 1


def test_one_axis_at_a_time_changes_one_value_of_the_first_arm() -> None:
    arms = grid(["default", "fixed"], ["dense", "bm25"], ["none", "spelling"], ["off", "late"], one_at_a_time=True)
    assert [arm.name for arm in arms] == ["dense", "fixed", "bm25", "spelling", "late"]
    first, fixed, words, spelt, late = arms
    assert (first.index, first.options, first.techniques, first.reranker) == ({}, {"mode": "dense"}, (), "")
    assert (fixed.index, fixed.options, fixed.reranker) == ({"chunker": "fixed"}, {"mode": "dense"}, "")
    assert (words.index, words.options) == ({}, {"mode": "sparse"})
    assert (spelt.techniques, spelt.options, spelt.reranker) == (("spelling",), {"mode": "dense"}, "")
    assert (late.techniques, late.reranker) == ((), "late")
    with pytest.raises(InvalidRequest, match="given twice"):
        grid(["default", "fixed"], ["default", "fixed:fusion=rrf"], one_at_a_time=True)


def test_every_option_of_a_search_can_be_an_arm() -> None:
    for field in dataclasses.fields(SearchOptions):
        arm = grid(retrievers=["default", f"changed:{field.name}={json.dumps(field.default)}"])[1]
        assert arm.options == {field.name: field.default}


@pytest.mark.slow
async def test_a_reranker_is_an_arm_and_its_tokens_are_counted(
    folder: Path, settings: Settings, engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Backwards] = []

    def made(changed: Settings) -> Backwards | None:
        if not changed.models.reranker:
            return None
        opened.append(Backwards(changed.models.reranker))
        return opened[-1]

    monkeypatch.setattr(builtin, "reranker", made)
    arms = grid(retrievers=["dense"], rerankers=["off", "late", "much:late+rerank_weight=9", "default"])
    found = await ablate(load(str(folder)), arms, settings, engines, k=3)
    off, late, much, default = found.arms
    assert [each.name for each in opened] == ["late"]
    assert opened[0].closed
    # The fixture's engines have no reranker, and the words alone are right: one that turns them round is worse.
    assert off.estimate("mrr").value == default.estimate("mrr").value == 1
    assert much.estimate("mrr").value < 1
    assert off.tokens.reranked == default.tokens.reranked == 0
    assert late.tokens.reranked == much.tokens.reranked == 4 * len(FACTS)
    assert "+ 4 r" in report.rows(found)[1][-6]
    assert report.as_json(found)["arms"][0]["reranker"] == ""


async def test_an_unknown_reranker_is_refused_before_anything_is_ingested(
    folder: Path, settings: Settings, engines: Engines
) -> None:
    told: list[str] = []
    with pytest.raises(UnknownModel):
        await ablate(
            load(str(folder)),
            grid(rerankers=["off", "telepathy"]),
            settings,
            engines,
            progress=lambda stage, done, total: told.append(stage),
        )
    assert told == []


def test_values_of_the_reranker_axis() -> None:
    values = ["default", "off", "none", "late", "deep:late+rerank_candidates=100", "rerank_weight=0.2"]
    arms = grid(rerankers=values)
    assert [arm.reranker for arm in arms] == [None, "", "", "late", "late", None]
    assert [arm.settings for arm in arms] == [{}] * 4 + [{"rerank_candidates": 100}, {"rerank_weight": 0.2}]
    assert [arm.name for arm in arms][4] == "deep"
    plus = grid(rerankers=["late+other", "two:late:other+rerank_weight=0.3"])
    assert [(arm.name, arm.reranker, arm.settings) for arm in plus] == [
        ("late+other", "late+other", {}),
        ("two", "late:other", {"rerank_weight": 0.3}),
    ]


async def test_an_unknown_baseline_or_metric_is_refused(folder: Path, settings: Settings, engines: Engines) -> None:
    with pytest.raises(InvalidRequest, match="there is no arm best"):
        await ablate(load(str(folder)), grid(), settings, engines, baseline="best")
    with pytest.raises(InvalidRequest, match="there is no metric f1"):
        await ablate(load(str(folder)), grid(), settings, engines, metrics=["f1"])


async def test_refusal_is_measured_over_all_thresholds(folder: Path, settings: Settings, engines: Engines) -> None:
    apart = settings.model_copy(update={"rag": RagSettings(refuse_below=0.0, mode="extractive")})
    collection = load(str(folder))
    async with workbench.open(apart, engines) as bench:
        await bench.fill(collection.documents)
        found = await refusal.measure(bench, collection, 0.2)
    right = {outcome.query: outcome.right for outcome in found.outcomes}
    assert right == {"q1": True, "q2": True, "bee": True, "q4": True, "q5": False}
    assert found.auroc["near_miss"].value == 1
    assert found.curve.chance == pytest.approx(0.2)
    assert found.curve.aurc == pytest.approx(found.curve.best)
    assert len(refusal.as_json(found)["curve"]) == 20


def test_a_gold_answer_counts_at_word_boundaries_only() -> None:
    query = Query("q", "?", {"d": 1}, ("13.6 metres", "£25"))
    assert refusal.holds("It rises by 13.6  Metres.", query)
    assert refusal.holds("From £25, free.", query)
    assert not refusal.holds("It rises by 113.6 metres.", query)
    assert not refusal.holds("From £250.", query)
    assert not refusal.holds("anything", Query("q", "?", {}))


def test_quantiles_are_times_that_were_measured() -> None:
    measured = Measured(Arm("a"), {}, tuple(float(each) for each in range(20, 0, -1)), Tokens(), Index(1, 1, 1, 1))
    assert [measured.latency(each) for each in (0.05, 0.5, 0.95, 1.0)] == [1, 10, 19, 20]


def test_a_grid_has_every_combination_named_after_what_varies() -> None:
    arms = grid(["default"], ["bm25", "rrf:fusion=rrf+dense_weight=0.5"], ["none", "spelling+acronyms"])
    assert [arm.name for arm in arms] == [
        "bm25 / none",
        "bm25 / spelling+acronyms",
        "rrf / none",
        "rrf / spelling+acronyms",
    ]
    assert arms[0].options == {"mode": "sparse"}
    assert arms[3].options == {"fusion": "rrf", "dense_weight": 0.5}
    assert arms[3].techniques == ("spelling", "acronyms")
    assert [arm.name for arm in grid()] == ["default"]
    assert [arm.name for arm in grid(retrievers=["dense"])] == ["dense"]
    assert grid(["fixed"])[0].index == {"chunker": "fixed"}
    assert grid(["fixed"])[0].rag(RagSettings()).chunker == "fixed"


@pytest.mark.parametrize(
    ("axes", "wrong"),
    [
        ({"chunkers": ["telepathic"]}, "rag.chunker"),
        ({"chunkers": ["size=3"]}, "there is no setting size"),
        ({"chunkers": ["chunk_tokens=3"]}, "rag.chunk_tokens: Input should be greater"),
        ({"chunkers": ["mode=dense"]}, "rag.mode"),
        ({"retrievers": ["magic"]}, "mode must be one of"),
        ({"expansions": ["magic"]}, "there is no technique magic"),
        ({"retrievers": ["bm25", "bm25"]}, "given twice"),
        ({"retrievers": []}, "retrievers has no values"),
    ],
)
def test_what_is_no_arm_is_refused(axes: dict[str, list[str]], wrong: str) -> None:
    with pytest.raises(InvalidRequest, match=wrong):
        grid(**axes)  # type: ignore[arg-type]
