"""A trained translator comes in by the door of all candidates: refused with a reason, tried, promoted and undone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

import tests.world as worlds
from mainspring.core.errors import InvalidRequest
from mainspring.core.types import Principal
from mainspring.features.translate.engine.trained import TrainedTranslators
from mainspring.features.translate.feature import Translation
from mainspring.features.translate.settings import TranslateSettings
from mainspring.features.variants.service import Variants
from mainspring.training.ports import Candidate, Version, Versions
from tests.features.translate.test_service import Trained
from tests.features.translate.tiny import translator

ADMIN = Principal("default", "root", frozenset({"admin"}))
MINE = Candidate("model", "translate", {"model": "mine@1"})


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[worlds.World]:
    worlds.use_engines(monkeypatch, worlds.echoing("echo"))
    translator(tmp_path / "folder" / "general")
    translator(tmp_path / "version" / "translator", seed=1, pairs=("en-fr",))
    own = TranslateSettings(folder=str(tmp_path / "folder"))
    async with worlds.opened(tmp_path / "home", translate=own) as opened:
        told = cast(Any, None)
        made = Version("default", "mine", 1, "translator", told, tmp_path / "version", "translate", "job")
        trained = opened.system.services[Translation].translators.trained = TrainedTranslators()
        trained.versions = cast(Versions, Trained(made))
        yield opened


async def by(world: worlds.World, target: str = "fr", key: str = "red", **more: Any) -> tuple[str, str]:
    """What translates, and the arm."""
    body = {"text": "The house is red.", "source": "en", "target": target, **more}
    answer = await world.call(world.keys[key], "POST", "/v1/translate", body)
    assert answer.status_code == 200, answer.text
    return answer.json()["model"], answer.headers.get("x-mainspring-arm", "")


async def test_a_version_is_tried_promoted_and_undone(world: worlds.World) -> None:
    door = world.system.services[Variants]
    assert await by(world) == ("general", "")
    await door.admit(ADMIN, MINE)
    assert await by(world) == ("general", "")
    await door.canary(ADMIN, MINE, 0.5)
    found = {await by(world, user=f"u{number}") for number in range(20)}
    assert found == {("general", "current"), ("mine@1", "candidate")}
    await door.promote(ADMIN, MINE)
    assert (await by(world))[0] == "mine@1"
    # It keeps to what it knows, and whoever names another one gets that one; other tenants have their own.
    assert (await by(world, target="es"))[0] == "general"
    assert (await by(world, model="general"))[0] == "general"
    assert (await by(world, key="stranger"))[0] == "general"
    await door.undo(ADMIN, "translate", "as it was")
    assert (await by(world))[0] == "general"


@pytest.mark.parametrize("model", ["mine@2", "nobody@1", "echo", "general"])
async def test_what_was_not_trained_to_translate_is_refused(world: worlds.World, model: str) -> None:
    with pytest.raises(InvalidRequest, match="can answer by no version"):
        await world.system.services[Variants].admit(ADMIN, Candidate("model", "translate", {"model": model}))
