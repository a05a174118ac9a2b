"""A router that does not pay is off, and says why."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mainspring.serving.route.auto as auto
from mainspring.core.settings import AutoSettings
from mainspring.serving.route.auto.classifier import Classifier, JudgedPrompt, fit
from mainspring.serving.route.auto.routing_payoff import auroc, why_off
from tests.serving.house import MemoryTracing, visitor
from tests.serving.test_auto import HEADER, Axes, Counted, Sure, asking, capable, told

NAMES = ("smollm2-135m-instruct", "qwen2.5-coder-1.5b-instruct")


def made(settings: AutoSettings, **small_can: Any) -> tuple[auto.Auto, Sure, Sure, Counted]:
    small, large, metrics = Sure("weak", -0.01), Sure("strong", 0.0), Counted()
    models = {
        NAMES[0]: auto.RoutedModel(NAMES[0], small, capable(**small_can)),
        NAMES[1]: auto.RoutedModel(NAMES[1], large, capable()),
    }
    router = auto.make(
        settings,
        models,
        default_output=100,
        tracing=MemoryTracing(),
        metrics=metrics,
        embedder=Axes(),
        charging=None,
    )
    assert router is not None
    return router, small, large, metrics


def card(held_out: dict[str, Any], model: str = "small") -> Classifier:
    rows = [JudgedPrompt(np.array([float(n % 2), 1.0]), "text", bool(n % 2)) for n in range(8)]
    return fit(rows, embedder="axes", model=model, card={"held_out": held_out})


async def test_two_models_that_nobody_graded_are_answered_by_the_large_one_alone() -> None:
    router, small, large, metrics = made(AutoSettings())
    answer = await told(router, asking())
    assert answer.text == "strong"
    assert (len(small.asked), len(large.asked)) == (0, 1)
    assert metrics.routes == [(NAMES[1], "off")]
    said = answer.head.headers[HEADER]
    assert said.startswith(f"model={NAMES[1]}; by=off; reason=no router is graded for {NAMES[0]} and {NAMES[1]}")
    (span,) = [each for each in router.tracing.spans if each.name == "Route"]  # type: ignore[attr-defined]
    assert span.attributes["mainspring.route.by"] == "off"
    assert "no router is graded" in span.attributes["mainspring.route.reason"]


async def test_an_engine_without_probabilities_is_no_error_where_nothing_is_routed() -> None:
    router, *_ = made(AutoSettings(), logprobs=None)
    assert (await told(router, asking())).text == "strong"


@pytest.mark.parametrize(
    "fields", [{"policy": "cascade"}, {"accept_above": 0.8}, {"rules": ({"use": "small", "tools": False},)}]
)
async def test_what_is_configured_is_followed(fields: dict[str, Any]) -> None:
    router, small, large, _ = made(AutoSettings(**fields))
    answer = await told(router, asking())
    assert answer.text == "weak"
    assert (len(small.asked), len(large.asked)) == (1, 0)
    assert "by=off" not in answer.head.headers[HEADER]


def test_off_and_on_do_not_share_answers() -> None:
    off, *_ = made(AutoSettings())
    on, *_ = made(AutoSettings(policy="cascade"))
    assert off.fingerprint(asking(), visitor()) != on.fingerprint(asking(), visitor())


def test_a_classifier_of_another_small_model_is_not_asked() -> None:
    settings = AutoSettings(policy="classifier")
    fits, other = card({}, "small"), card({}, "another")
    assert why_off(settings, "small", "large", fits) == ""
    assert why_off(settings, "small", "large", other) == "the classifier was fitted for another, not for small"
    assert why_off(settings, "small", "small", other) == ""


@pytest.mark.parametrize(
    ("held_out", "worth", "off"),
    [
        ({"all": {"prompts": 90, "auroc": [0.55, 0.45, 0.66]}, "a": {"auroc": [0.9, 0.8, 1.0]}}, 0.55, True),
        ({"all": {"prompts": 90, "auroc": [0.71, 0.6, 0.8]}}, 0.71, False),
        ({"classifier, squad: AUROC": {"value": 0.52}, "mean chance": {"value": 0.9}}, 0.52, True),
        ({"all": {"prompts": 3, "auroc": None}}, None, False),
        ({}, None, False),
    ],
)
def test_a_classifier_that_tells_nothing_by_its_card_is_not_asked(
    held_out: dict[str, Any], worth: float | None, off: bool
) -> None:
    found = card(held_out)
    assert auroc(found.card) == worth
    assert bool(why_off(AutoSettings(policy="hybrid"), "small", "large", found)) is off
