"""The commands, over a home."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mainspring import stores
from mainspring.core.settings import Settings
from tests.cli.command import data, run_within
from tests.features.lake.world import World


@pytest.fixture
def home(tmp_path: Path) -> Path:
    async def fill() -> None:
        async with stores.open(Settings.model_validate({"home": tmp_path})) as opened:
            world = World(opened, tmp_path)
            await world.say("How do I reset it?", "Press the button.", tenant="default")
            await world.say("May you learn this?", "No.", tenant="default", consent=False)

    asyncio.run(fill())
    return tmp_path


def lake(home: Path, *words: str) -> Any:
    environment = {"MAINSPRING_HOME": str(home), "MAINSPRING_LAKE__BUILD__WORKERS": "0"}
    done = run_within(("lake", *words, "--json"), environment)
    assert done.returncode == 0, done.stderr
    return data(done.stdout)


def test_one_command_brings_events_to_training(home: Path) -> None:
    made = lake(home, "build")
    assert (made["interactions"], made["ready"]) == (2, 1)
    (sample,) = lake(home, "funnel", "--step", "consent")
    assert sample["question"] == "May you learn this?"
    assert sample["reason"] == "no consent"
    assert lake(home, "funnel")["id"] == made["id"]
    assert lake(home, "build", "--without", "consent")["ready"] == 2
