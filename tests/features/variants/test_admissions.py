"""What others know and withdraw of candidates that they admit for a while."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mainspring.core.errors import NotFound
from mainspring.core.types import Principal
from mainspring.training.ports import Admissions, Candidate
from tests.features.variants.test_door import ADMIN, door, repeating
from tests.world import World, opened, use_engines


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    use_engines(monkeypatch, repeating("small"))
    async with opened(tmp_path) as found:
        yield found


async def test_what_is_used_is_not_withdrawn_as_unused(world: World) -> None:
    variants = door(world)
    assert isinstance(variants, Admissions)

    async def made(text: str) -> Candidate:
        candidate = Candidate("prompt", "small", {"text": text, "sources": []})
        assert not await variants.is_admitted("default", candidate)
        await variants.admit(ADMIN, candidate)
        assert await variants.is_admitted("default", candidate)
        return candidate

    async def withdrawn(candidate: Candidate, key: str = "root") -> bool:
        who = Principal("default", key, frozenset({"advise"}))
        done = await variants.withdraw_unused(who, "small", candidate.id, "not recommended")
        assert done is not await variants.is_admitted("default", candidate)
        return done

    current, tried, past, unused = [await made(f"Be {word}.") for word in ("terse", "kind", "calm", "bold")]
    await variants.promote(ADMIN, past)
    await variants.promote(ADMIN, current)
    await variants.canary(ADMIN, tried, 0.5)
    assert not any([await withdrawn(each) for each in (current, tried, past)])
    placed = await variants.placement("default", "small")
    assert (placed.current, placed.candidate) == (current, tried)
    # Whoever admitted it may use it by its name.
    assert not await withdrawn(unused, "another")
    assert await withdrawn(unused)
    with pytest.raises(NotFound):
        await withdrawn(Candidate("prompt", "small", {"text": "Be odd.", "sources": []}))


async def test_a_version_is_used_as_long_as_a_candidate_has_it(world: World) -> None:
    variants = door(world)
    for candidate in (
        Candidate("model", "small", {"model": "tuned@1"}),
        Candidate("reranker", "docs", {"version": "order@2"}),
        Candidate("model", "other", {"model": "named@3"}, "named@3"),
    ):
        label = next(iter(candidate.value.values()))
        assert not await variants.version_is_used("default", label)
        await variants.store.admit("default", candidate, (), "root")
        assert await variants.version_is_used("default", label)
        assert not await variants.version_is_used("else", label)
        await variants.withdraw(ADMIN, candidate, "done")
        assert not await variants.version_is_used("default", label)
