"""Fitting evidence on labelled questions: it learns the informative feature, and refuses one kind alone."""

from __future__ import annotations

import dataclasses
import json
import math
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from mainspring.core.errors import InvalidRequest, SettingsError
from mainspring.features.evaluate.fit.evidence import EvidenceRow, calibrate, facts, fit, plot
from mainspring.features.evaluate.sets.collections import Kind
from mainspring.rag.answer.evidence.calibration import Calibration, load
from mainspring.rag.answer.evidence.features import NAMES, features
from mainspring.rag.answer.verbatim.extract import Passage
from mainspring.rag.search.hit import Hit


def rows(count: int, seed: int, told: str = "named_missing") -> list[EvidenceRow]:
    """Half of them near misses: the feature ``told`` is greater for these, the others are noise."""
    drawn = random.Random(seed)
    found = []
    for number in range(count):
        kind: Kind = "near_miss" if number % 2 else "answerable"
        values = {name: drawn.random() for name in NAMES}
        values[told] = drawn.gauss(1.0 if kind == "near_miss" else 0.0, 0.6)
        found.append(
            EvidenceRow(str(number), kind, drawn.random(), values, kind == "answerable" and drawn.random() < 0.9)
        )
    return found


def test_it_learns_the_feature_that_tells_and_is_reported_on_others() -> None:
    found = calibrate("c", rows(400, 1), rows(400, 2), refused=0.05)
    assert found.calibration.weights["named_missing"] < -1
    others = [abs(found.calibration.weights[name]) for name in NAMES if name != "named_missing"]
    assert max(others) < abs(found.calibration.weights["named_missing"]) / 2
    assert found.fitted.auroc["near_miss"].value > 0.8
    assert 0.4 < found.built_in.auroc["near_miss"].value < 0.6
    assert found.fitted.refused["answerable"] < 0.12
    assert found.fitted.refused["near_miss"] > 0.2
    assert facts(found)["fitted"]["aurc"] < facts(found)["built_in"]["aurc"]


def test_the_threshold_of_a_risk_keeps_to_it_where_it_was_fitted() -> None:
    fitting = rows(400, 1)
    found = calibrate("c", fitting, fitting, risk=0.2)
    curve = found.fitted.curve
    answered = [point for point in curve.points if point.threshold >= found.calibration.threshold]
    assert answered[-1].risk <= 0.2
    assert answered[-1].coverage == max(point.coverage for point in curve.points if point.risk <= 0.2)
    with pytest.raises(InvalidRequest, match="no threshold"):
        calibrate("c", [dataclasses.replace(row, right=False) for row in fitting], fitting, risk=0.1)


def test_one_kind_alone_cannot_be_fitted() -> None:
    with pytest.raises(InvalidRequest, match="cannot"):
        fit([row for row in rows(20, 1) if row.kind == "answerable"])


def test_features_that_never_change_and_kinds_apart_are_no_failure() -> None:
    apart = [
        dataclasses.replace(row, features=dict.fromkeys(NAMES, float(row.kind == "answerable"))) for row in rows(40, 1)
    ]
    found = fit(apart)
    assert all(math.isfinite(weight) for weight in found.weights.values())
    assert found.evidence(apart[0].features) > 0.9
    assert found.evidence(dict.fromkeys(NAMES, 0.0)) == 0.0


def test_a_calibration_is_kept_and_only_used_with_its_models(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    kept = Calibration({"chunk": 1.5}, -0.5, 0.4, "minilm", "late")
    kept.save(path)
    assert load(path, embedder="minilm", reranker="late") == kept
    with pytest.raises(SettingsError, match="fitted with minilm"):
        load(path, embedder="other", reranker="late")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"format": 2}',
        json.dumps({"format": 1, "weights": {"magic": 1}, "constant": 0, "threshold": 0}),
        json.dumps({"format": 1, "weights": {"chunk": "x"}, "constant": 0, "threshold": 0}),
        json.dumps({"format": 1, "weights": {"chunk": 1e999}, "constant": 0, "threshold": 0}),
    ],
)
def test_an_invalid_file_is_refused_with_its_name(tmp_path: Path, content: str) -> None:
    path = tmp_path / "broken.json"
    path.write_text(content)
    with pytest.raises(SettingsError, match=r"broken\.json"):
        load(path, embedder="", reranker="")
    with pytest.raises(SettingsError, match=r"absent\.json"):
        load(tmp_path / "absent.json", embedder="", reranker="")


def test_a_plot_has_both_curves() -> None:
    found = calibrate("c", rows(100, 1), rows(100, 2))
    drawn = plot({"built in": found.built_in.curve, "fitted": found.fitted.curve})
    assert drawn.count("\n") == 12
    assert {"b", "f", "*"} <= set(drawn)


def hit(text: str, score: float = 0.5, rerank: float | None = None, document: str = "d") -> Hit:
    return Hit(
        "c", document, "s", "a.txt", text, 0, len(text), None, "", 1, score, None, 1, None, "b", rerank_score=rerank
    )


def told(question: str, texts: Sequence[str]) -> dict[str, float]:
    hits = [hit(text, document=str(number), rerank=0.9 - number / 10) for number, text in enumerate(texts)]
    passages = [Passage(each, each.text, 0, len(each.text), "sentence", "", 1, 0.5) for each in hits]
    return features(question, hits, passages)


def test_features_say_what_is_missing() -> None:
    text = "The treaty of Vienna was signed in 1815 by nine states."
    right = told("When was the treaty of Vienna signed?", [text, "Pears are green."])
    wrong = told("When was the treaty of Berlin signed?", [text, "Pears are green."])
    assert (right["named_missing"], wrong["named_missing"]) == (0.0, 1.0)
    assert right["covered"] > wrong["covered"]
    assert right["pairs"] > wrong["pairs"]
    assert (wrong["rarest_missing"], right["asks_kind"], right["offered"]) == (1.0, 1.0, 1.0)
    assert right["late_gap"] == pytest.approx(0.1)
    assert told("Who was not there?", [text])["negation"] == 1.0
    assert features("anything", [], []) == dict.fromkeys(NAMES, 0.0)
    assert set(told("?", [text])) == set(NAMES)
