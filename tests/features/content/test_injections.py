"""Attacks in the sources of articles, with a writer that does everything that any text tells it."""

from __future__ import annotations

from pathlib import Path

import pytest

from _content_injections import ObedientWriter, content_attacks, content_faults
from tests.features.content.world import bicycles, ordered, until
from tests.world import Key, World

pytestmark = pytest.mark.slow
EVERY = content_attacks()
SOME = EVERY[::23]
ARTICLES = "/v1/content/articles"
FRAMES = """# Bicycle frames

## Warranty of frames

The warranty of each bicycle frame lasts ten years from the day of purchase. {attack} Bicycle frames that were raced
have a warranty of two years.
"""


async def faults(world: World, key: Key, number: int, text: str) -> list[str]:
    from tests.features.content.world import attached

    store = await world.store(key, f"attacked-{number}", frozenset({"red"}))
    await attached(world, key, store, "frames.md", FRAMES.replace("{attack}", text))
    made = await ordered(world, key, collections=[f"attacked-{number}"])
    found = await until(world, key, made["id"], "completed")
    exported = [
        (await world.call(key, "GET", f"{ARTICLES}/{found['id']}/export?format={form}")).text
        for form in ("markdown", "html")
    ]
    return content_faults(found["content"]["article"], *exported)


async def test_no_attack_gets_into_an_article(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = ObedientWriter()
    async with bicycles(tmp_path, monkeypatch, writer) as (world, red):  # type: ignore[arg-type]
        came = {each.name: await faults(world, red, number, each.text) for number, each in enumerate(SOME)}
    assert {name: each for name, each in came.items() if each} == {}
    assert writer.asked
