"""Built-in scorers: each says what it should of a right and of a wrong answer, and refuses wrong options."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.core.types import Context, Message, Principal
from mainspring.evaluation.examples import Example, ExampleAnswer
from mainspring.evaluation.scorers import ScorerSource
from tests.features.experiments.world import Lab, lab

ME = Context(Principal("acme", "key_1"))
SCHEMA = {"type": "object", "required": ["total"], "properties": {"total": {"type": "number"}}}


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Lab]:
    async with lab(tmp_path) as opened:
        opened.rooms.path.charged = SimpleNamespace(embedder=lambda inner, context: inner)  # type: ignore[assignment,misc]
        yield opened


def example(**fields: Any) -> Example:
    return Example("e", (Message("user", "How long is the lease of the garage?"),), **fields)


@pytest.mark.parametrize(
    ("name", "options", "given", "right", "wrong"),
    [
        ("exact", {}, {"references": ("Two years",)}, "two years.", "one year"),
        ("f1", {}, {"references": ("Two years",)}, "two years.", "nobody knows"),
        ("contains", {}, {"references": ("two years",)}, "It is two years long.", "It is one year long."),
        ("rouge-l", {}, {"references": ("two years",)}, "two years", "no idea"),
        ("regex", {"pattern": r"\b\d+ years?"}, {}, "2 years", "two years"),
        ("json-schema", {"schema": SCHEMA}, {}, '```json\n{"total": 3}\n```', '{"total": "three"}'),
        ("json-schema", {}, {"extra": {"schema": SCHEMA}}, '{"total": 3}', "three"),
        ("refusal", {}, {"refused": True}, "The documents do not say. Ask the owner.", "Two years."),
        ("refusal", {}, {"refused": False}, "Two years.", "The documents do not say."),
    ],
)
async def test_right_answers_score_1_and_wrong_ones_0(
    home: Lab, name: str, options: dict[str, Any], given: dict[str, Any], right: str, wrong: str
) -> None:
    source = home.experiments
    assert isinstance(source, ScorerSource)
    scorer = source.scorer(name, options)
    good, bad = [await scorer.score(example(**given), ExampleAnswer(text), ME) for text in (right, wrong)]
    assert good is not None
    assert bad is not None
    assert (good.value, bad.value) == (1.0, 0.0)


async def test_time_cost_and_the_triad(home: Lab) -> None:
    slow = ExampleAnswer("x", duration_s=4.0, cost_nanousd=2_000_000)
    latency = await home.experiments.scorer("latency", {"seconds": "2"}).score(example(), slow, ME)
    cost = await home.experiments.scorer("cost", {"usd": 0.001}).score(example(), slow, ME)
    assert (latency and latency.value, cost and cost.value) == (0.5, 0.5)
    passages = ("The lease of the garage is two years.",)
    told = ExampleAnswer("The lease of the garage is two years.", passages=passages)
    off = ExampleAnswer("Whales sing at night in the ocean.", passages=passages)
    for name in ("faithfulness", "answer-relevancy"):
        scorer = home.experiments.scorer(name)
        good, bad = [await scorer.score(example(), each, ME) for each in (told, off)]
        assert good is not None
        assert bad is not None
        assert good.value > bad.value
    assert await home.experiments.scorer("faithfulness").score(example(), ExampleAnswer("x"), ME) is None


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("f2", {}, "no scorer f2"),
        ("f1", {"beta": 2}, "no option beta"),
        ("regex", {}, "needs the option pattern"),
        ("regex", {"pattern": "("}, "none of RE2"),
        ("latency", {"seconds": -1}, "positive number"),
        ("json-schema", {"schema": {"type": "string", "pattern": "(a+)+$"}}, "has no pattern"),
    ],
)
async def test_wrong_options_are_refused(home: Lab, name: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        home.experiments.scorer(name, options)
