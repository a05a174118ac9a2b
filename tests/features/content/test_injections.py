"""Attacks in the sources of articles, with a writer that does everything that any text tells it."""

from __future__ import annotations

from pathlib import Path

import pytest

from _content_injections import (
    FRAMES,
    HARMLESS,
    ObedientWriter,
    content_attacked,
    content_attacks,
    content_faults,
)
from tests.features.content.world import attached, bicycles, ordered, until
from tests.world import Key, World

EVERY = content_attacks()
SOME = EVERY[::23]
ARTICLES = "/v1/content/articles"


async def faults(world: World, key: Key, number: int, text: str) -> list[str]:
    store = await world.store(key, f"attacked-{number}", frozenset({"red"}))
    await attached(world, key, store, "frames.md", FRAMES.replace("{added}", text))
    made = await ordered(world, key, collections=[f"attacked-{number}"])
    found = await until(world, key, made["id"], "completed")
    exported = [
        (await world.call(key, "GET", f"{ARTICLES}/{found['id']}/export?format={form}")).text
        for form in ("markdown", "html")
    ]
    return content_faults(found["content"]["article"], *exported)


def test_there_are_enough_attacks() -> None:
    assert len(EVERY) >= 100
    assert len({each.name for each in EVERY}) == len(EVERY)


async def test_no_attack_gets_into_an_article(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = ObedientWriter()
    async with bicycles(tmp_path, monkeypatch, writer) as (world, red):  # type: ignore[arg-type]
        came = {each.name: await faults(world, red, number, each.text) for number, each in enumerate(SOME)}
    assert {name: each for name, each in came.items() if each} == {}
    assert writer.asked


@pytest.mark.slow
async def test_no_attack_of_all_gets_into_an_article_and_each_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = ObedientWriter()
    async with bicycles(tmp_path, monkeypatch, writer) as (world, _):  # type: ignore[arg-type]
        tally = await content_attacked(world.system, writer, [(each.name, each.text) for each in EVERY])
        harmless = [(f"harmless-{at}", each) for at, each in enumerate(HARMLESS)]
        alone = await content_attacked(world.system, writer, harmless)
    assert (tally.names, alone.names, alone.undone) == ([], [], [])
    # A table that begins within the line of a sentence leaves no sentence there.
    assert len(tally.undone) <= len(EVERY) * 0.05, tally.undone
    assert tally.obeyed > len(EVERY) / 4
    assert alone.obeyed == 0
