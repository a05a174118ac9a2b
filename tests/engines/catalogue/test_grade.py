"""Grading: figures worked out by hand, what is stored with a model, and that the packaged questions are fair."""

import dataclasses
import json
from pathlib import Path

import pytest

from mainspring.core.settings import ModelsSettings, Settings
from mainspring.engines.catalogue import grade
from mainspring.engines.catalogue.grade import Case, Grade, cases, graded
from mainspring.engines.catalogue.pull import PulledModel, Puller
from mainspring.engines.chat.responder import ModelResponder
from mainspring.engines.chat.template import ChatTemplate
from mainspring.engines.scripted import ScriptedEngine
from mainspring.terminal.pulling import without_chat

SOURCES = ("The mill has 2 stones.", "A ticket costs 6 pounds.")
ASKED = [
    Case(SOURCES, "What is a ticket?", ("6 pounds",), 2),
    Case(SOURCES, "How many stones?", ("two", "2"), 1),
    Case(SOURCES, "Who built it?"),
    Case(SOURCES, "Which planet is red?", elsewhere=True),
]


def test_figures() -> None:
    perfect = graded(ASKED, ["It costs 6 pounds. [2]", "It has two [1].", "Not stated.", "The sources do not say."])
    figures = (perfect.contained, perfect.cited, perfect.unsupported, perfect.refused_wrongly, perfect.near)
    assert figures == (1.0, 1.0, 0.0, 0.0, 1.0)
    assert perfect.elsewhere == 1.0
    assert perfect.grounded
    poor = graded(ASKED, ["It costs 16 pounds. [1]", "Not stated.", "Ada built it in 1847 [1].", "Mars."])
    figures = (poor.contained, poor.cited, poor.unsupported, poor.refused_wrongly, poor.near)
    # A citation's number is no claim, and 16 does not contain the 6.
    assert figures == (0.0, 0.0, 0.5, 0.5, 0.0)
    assert not poor.grounded


def test_each_figure_counts() -> None:
    good = Grade(24, 0.9, 0.5, 0.0, 0.2, 0.2, 1.0)
    assert good.grounded
    assert not dataclasses.replace(good, contained=0.84).grounded
    assert not dataclasses.replace(good, unsupported=0.06).grounded
    assert not dataclasses.replace(good, elsewhere=0.7).grounded


def test_the_questions_are_answered_where_they_say_and_nowhere_else() -> None:
    kinds = {"said": 0, "near": 0, "elsewhere": 0}
    for case in cases():
        if not case.answer:
            assert case.source == 0
            kinds["elsewhere" if case.elsewhere else "near"] += 1
            continue
        kinds["said"] += 1
        assert 1 <= case.source <= len(case.sources)
        holding = [
            n for n, text in enumerate(case.sources, 1) if any(each.lower() in text.lower() for each in case.answer)
        ]
        assert case.source in holding
        assert graded([case], [case.sources[case.source - 1]]).contained == 1.0
    assert kinds == {"said": 12, "near": 8, "elsewhere": 4}


async def test_a_model_is_asked_everything() -> None:
    engine = ScriptedEngine(lambda _: ["Not stated."])
    responder = ModelResponder(engine, model_name="m", fingerprint="f", template=ChatTemplate())
    told: list[int] = []
    found = await grade.grade(responder, "m", fingerprint="f", progress=lambda done, _: told.append(done))
    assert (found.questions, found.near, found.elsewhere, found.refused_wrongly) == (24, 1.0, 1.0, 1.0)
    assert told == list(range(1, 25))
    assert {each.sampling.temperature for each in engine.seen} == {0.0}


def test_what_was_measured_goes_before_what_the_catalogue_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = Puller(Settings()).catalogue.get("smollm2-135m-instruct")
    pulled = PulledModel(entry, tmp_path, {}, "weights", None, {}, {})
    assert not pulled.grounded
    assert without_chat(Settings(models=ModelsSettings(directory=tmp_path))).models.chat == ()
    good = Grade(24, 0.9, 0.5, 0.0, 0.2, 0.2, 1.0, "weights")
    grade.write(tmp_path, good)
    assert pulled.grounded
    puller = Puller(Settings())
    monkeypatch.setattr(puller, "local", lambda _: pulled)
    assert puller.grounded(entry.name)
    monkeypatch.setattr(Puller, "local", lambda *_: pulled)
    assert without_chat(Settings()).models.chat == ("smollm2-135m-instruct",)
    assert grade.read(tmp_path, "weights") == good
    assert not dataclasses.replace(pulled, fingerprint="others").grounded
    (tmp_path / grade.FILE).write_text(json.dumps({"questions": 1}))
    assert not pulled.grounded
