"""What is reported of translators: each metric beside its floor, none for Korean, and gains of equal steps alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

import translators
from _grounds import interval, observations
from _report import Figure
from mainspring.training.folder import Folder, RunRequest

pytest.importorskip("sacrebleu")
SENTENCES = [
    ("the old house is red and small", "la vieille maison est rouge et petite", "그 낡은 집은 빨갛고 작다"),
    ("we go to the new station today", "nous allons à la nouvelle gare aujourd'hui", "우리는 오늘 새 역에 간다"),
    ("my dog sleeps near the open door", "mon chien dort près de la porte ouverte", "내 개는 열린 문 옆에서 잔다"),
]


def keep(place: Path, **steps: int) -> Path:
    """A folder whose arms say what is right (``four``) or what they were asked."""
    pairs = [(one, two, "fr") for one, two, _ in SENTENCES] + [(one, three, "ko") for one, _, three in SENTENCES]
    rows = [{"source": a, "target": b, "from": "en", "to": to, "domain": "sentences"} for a, b, to in pairs]
    (place / "data").mkdir()
    for side in ("train", "test"):
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (place / "data" / f"{side}.jsonl").write_text(text, encoding="utf-8")
    for arm, count in steps.items():
        name = arm.replace("_", "-")
        options = {"pretrain_steps": 10, "steps": count - 10, "batch_tokens": 64}
        Folder(place / name).create(RunRequest("translate", options))
        told = {
            held.name: held.references if name == "four" else held.sources for held in translators.held_out(place, name)
        }
        translators.said_by(place / name).write_text(json.dumps(told), encoding="utf-8")
    return place


def reported(place: Path, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, Figure]:
    found: dict[str, Mapping[str, Figure]] = {}
    monkeypatch.setattr(translators, "report", lambda name, figures: found.update({name: figures}))
    translators.told(place)
    return found["translators"]


def test_each_direction_has_its_metrics_and_floor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = reported(keep(tmp_path, four=100, pair=100), monkeypatch)
    right = figures["four languages: BLEU en-fr, sentences"]
    assert right.value == pytest.approx(100)
    assert right.floor is not None
    assert right.floor < 100
    assert observations("translators", "kept", right) == "3 texts"
    assert interval("translators", "kept", right) == "100.0 to 100.0"
    assert "a dictionary of the same pairs" in right.against
    assert figures["four languages: BLEU en-ko, sentences"].floor is None
    assert figures["four languages: copied fr-en, sentences"].value == 0
    assert figures["one pair: copied fr-en, sentences"].value == 1
    assert "one pair: BLEU en-ko, sentences" not in figures


def test_a_gain_is_of_equal_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = reported(keep(tmp_path, four=100, pair=100, pair_plain=200), monkeypatch)
    gain = figures["gain of four languages over one pair: en-fr, sentences"]
    assert gain.value > 50
    assert not [label for label in figures if "span corruption: en" in label and label.startswith("gain")]


def test_a_chat_model_is_compared_on_the_sentences_that_it_translated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = keep(tmp_path, four=100)
    said = {held.name: list(held.sources[:2]) for held in translators.held_out(place, "four")}
    (place / "chat").mkdir()
    translators.said_by(place / "chat").write_text(json.dumps({"model": "small", "said": said}), encoding="utf-8")
    figures = reported(place, monkeypatch)
    assert "2 texts; copied 1.000" in figures["small: BLEU en-fr, sentences"].against
    gain = figures["gain of four languages over small: en-fr, sentences"]
    assert gain.value > 90
    assert observations("translators", "kept", gain) == "2 texts"


def test_nothing_is_reported_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no arm is finished"):
        translators.told(tmp_path)
