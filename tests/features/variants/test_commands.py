"""``mainspring variants`` moves a candidate through all of its stages, and takes it back."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.terminal.remote import ServerRefused
from tests.cli.bridged import asked
from tests.features.variants.test_door import ask, prompt, repeating
from tests.world import World, opened, use_engines


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    use_engines(monkeypatch, repeating("small", "large"))
    async with opened(tmp_path) as found:
        yield found


async def test_a_candidate_is_admitted_tried_promoted_and_taken_back(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    key = world.keys["red"]

    async def said(*words: str) -> str:
        return await asked(monkeypatch, world, key, "variants", *words)

    assert "no candidates" in await said("candidates")
    version = (await prompt(world, "Be terse."))["version"]
    admitted = await said("admit", "small", "prompt", "prompt=tone", f"version={version}")
    candidate = admitted.split()[0]
    assert admitted.strip() == f"{candidate} is admitted: ask it as the model small@{candidate}."
    listed = (await said("candidates", "--application", "small")).splitlines()
    assert listed[1].split()[:5] == [candidate, "small", "prompt", "tone", "1"]
    assert "no candidates" in await said("candidates", "--application", "large")
    assert f"{candidate} gets copies of 0.25" in await said("shadow", candidate, "--share", "0.25")
    assert f"{candidate} answers 1 of the requests of small" in await said("canary", candidate, "--share", "1")
    assert "canary 100%" in await said("list")
    assert (await ask(world, key))[1] == "candidate"
    assert f"small uses prompt {candidate} (tone 1)" in await said("promote", candidate)
    assert "Be terse." in (await ask(world, key))[0]
    assert "what the settings say" in await said("undo", "small")
    assert "Be terse." not in (await ask(world, key))[0]
    await said("promote", candidate)
    withdrawn = await said("withdraw", candidate, "--reason", "too terse")
    assert withdrawn.strip() == f"{candidate} is withdrawn: small uses what the settings say."
    assert "too terse" in await said("candidates")

    (tmp_path / "value.json").write_text(json.dumps({"text": "Be polite.", "sources": []}))
    told = json.loads(await said("admit", "small", "prompt", "--file", str(tmp_path / "value.json"), "--json"))
    assert "Be polite." in (await ask(world, key, told["data"]["model"]))[0]


async def test_what_is_wrong_is_told(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def said(*words: str) -> str:
        return await asked(monkeypatch, world, world.keys["red"], "variants", *words)

    for words, told in (
        (("admit", "small", "model"), "needs its value"),
        (("admit", "small", "model", "model=large", "--file", "x"), "needs its value"),
        (("admit", "small", "model", "large"), "no name and value"),
        (("admit", "small", "model", "--file", str(tmp_path / "none.json")), "cannot be read"),
    ):
        with pytest.raises(InvalidRequest, match=told):
            await said(*words)
    with pytest.raises(ServerRefused, match="kind"):
        await said("admit", "small", "modell", "model=large")
    with pytest.raises(ServerRefused, match="hugest"):
        await said("admit", "small", "model", "model=hugest")
    with pytest.raises(ServerRefused, match="cand_"):
        await said("promote", "cand_" + "0" * 24)
