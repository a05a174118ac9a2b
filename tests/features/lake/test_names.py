"""Names that a spaCy pipeline finds are hidden, in all texts of a row, in the rows that it reads."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest

from mainspring.core.errors import MissingExtra, SettingsError
from mainspring.features.lake.steps import named
from tests.features.lake.test_building import built, step
from tests.features.lake.world import World

NAMES = ("Grace Hopper", "Max Born")


class Pipeline:
    """Finds two names, wherever they stand."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def pipe(self, texts: Iterable[str], batch_size: int) -> Iterator[Any]:
        for text in texts:
            assert batch_size < 100
            self.read.append(text)
            yield SimpleNamespace(ents=sorted(_found(text), key=lambda each: int(each.start_char)))


def _found(text: str) -> Iterator[Any]:
    for name in (*NAMES, "[EMAIL]"):
        begin = text.find(name)
        if begin >= 0:
            yield SimpleNamespace(label_="PERSON", text=name, start_char=begin, end_char=begin + len(name))
    if "Berlin" in text:
        begin = text.index("Berlin")
        yield SimpleNamespace(label_="GPE", text="Berlin", start_char=begin, end_char=begin + 6)


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    made = Pipeline()
    monkeypatch.setattr(named, "check", lambda _: None)
    monkeypatch.setattr(named, "_loaded", lambda _: made)
    return made


async def ready(world: World) -> list[dict[str, Any]]:
    return [row for each in world.files("ready") for row in pq.ParquetFile(each).read().to_pylist()]


async def test_names_are_hidden_in_all_texts_of_a_row(world: World, pipeline: Pipeline) -> None:
    answer = await world.say("I spoke with Grace Hopper in Berlin, ada@example.org knows.", "Max Born said so. " * 3)
    await world.think(answer, edit="Ask Max Born.")
    report = await built(world, ner="people")
    (row,) = await ready(world)
    assert "Grace" not in row["messages"] + row["question"]
    assert row["question"] == "I spoke with [NAME] in Berlin, [EMAIL] knows."
    assert row["edited"] == "Ask [NAME]."
    # The question counts as one of the messages.
    assert step(report, "personal_data")["found"] == {"email": 1, "name": 3}
    assert len(pipeline.read) == len(set(pipeline.read)), "each text once"


async def test_without_a_pipeline_nothing_is_read(world: World, pipeline: Pipeline) -> None:
    await world.say("I spoke with Grace Hopper.")
    await built(world)
    assert pipeline.read == []
    assert "Grace" in (await ready(world))[0]["messages"]


async def test_a_share_of_the_rows_is_read_and_the_same_ones_again(world: World, pipeline: Pipeline) -> None:
    told = [
        await world.say(f"Case {number} is of Grace Hopper, {number * 7} days ago.", f"{number}.")
        for number in range(60)
    ]
    for _ in range(2):
        await built(world, ner="people", ner_share=0.3, without=["near_duplicates"])
        rows = {row["answer_id"]: "[NAME]" in row["messages"] for row in await ready(world)}
        assert rows == {each: named.sampled(each, 0.3) for each in told}
    assert 5 < sum(rows.values()) < 35


async def test_rows_are_dropped_for_a_name_where_that_is_wanted(world: World, pipeline: Pipeline) -> None:
    await world.say("I spoke with Grace Hopper.")
    good = await world.say("Where is the sun?")
    await built(world, ner="people", personal_data="drop")
    assert [row["answer_id"] for row in await ready(world)] == [good]


def test_long_texts_are_read_in_pieces_and_come_back_whole(pipeline: Pipeline) -> None:
    text = "a word of Max Born " * 700
    (found,) = named.hidden("people", [text], ["PERSON"]).values()
    assert max(map(len, pipeline.read)) <= 2_000
    assert found[0].replace("[NAME]", "Max Born") == text
    assert found[1] == len(pipeline.read)
    assert list(named.hidden("people", ["x" * 5_000], ["PERSON"]).values()) == [("x" * 5_000, 0)]


def test_what_is_not_installed_is_named_with_the_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"lake\.build\.ner"):
        named.check("en_core_web_sm")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: True if name == "spacy" else None)
    for wrong in ("en_core_web_sm", str(tmp_path), "../evil"):
        with pytest.raises(SettingsError, match=r"lake\.build\.ner"):
            named.check(wrong)
    named.check("")


def test_a_pipeline_on_the_disk_is_loaded(tmp_path: Path) -> None:
    spacy = pytest.importorskip("spacy", reason="spaCy is not installed: pip install 'mainspring[ner]'")
    nlp = spacy.blank("en")
    nlp.to_disk(tmp_path / "empty")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "PERSON", "pattern": "Grace Hopper"}])
    nlp.to_disk(tmp_path / "people")
    named.check(str(tmp_path / "people"))
    found = named.hidden(str(tmp_path / "people"), ["I spoke with Grace Hopper."], ["PERSON"])
    assert list(found.values()) == [("I spoke with [NAME].", 1)]
    with pytest.raises(SettingsError, match="finds no names"):
        named.hidden(str(tmp_path / "empty"), ["Grace Hopper"], ["PERSON"])
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "meta.json").write_text("{}")
    with pytest.raises(SettingsError, match="cannot load"):
        named.hidden(str(tmp_path / "broken"), ["Grace Hopper"], ["PERSON"])
