"""A home with a key, a worker of training jobs, and recipes that need no torch (``line_recipe``, as a plugin)."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import random
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mainspring import stores
from mainspring.core.settings import ModelsSettings, Settings
from mainspring.core.types import Principal
from mainspring.features.train.service import Training
from mainspring.features.train.working import training
from mainspring.stores import Stores
from mainspring.training.ports import JobView, Order

PLUGINS = ("line_recipe", "serving_recipes")
LOCAL = Principal("default", "local", frozenset({"admin"}))


def points(count: int = 40, slope: float = 2.0) -> list[dict[str, float]]:
    """Points near the line ``slope * x + 1``."""
    drawn = random.Random(7)
    return [{"x": x, "y": slope * x + 1 + drawn.gauss(0, 0.01)} for x in (drawn.random() for _ in range(count))]


def write(folder: Path, rows: Sequence[Any], side: str = "train") -> Path:
    """A folder with these rows as one side."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{side}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def install(folder: Path) -> None:
    """The plugins with the recipes, as pip installs them."""
    for name in PLUGINS:
        info = folder / f"{name}-1.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        (info / "entry_points.txt").write_text(f"[mainspring.plugins]\n{name} = {name}\n")
        shutil.copyfile(Path(__file__).with_name(f"{name}.py"), folder / f"{name}.py")


@dataclasses.dataclass
class World:
    """``who`` has all scopes of its tenant; ``data`` is a folder with points."""

    stores: Stores
    service: Training
    who: Principal
    data: Path

    async def order(self, recipe: str = "line", **more: Any) -> JobView:
        """Order a run over the points."""
        who = more.pop("who", self.who)
        if "export" not in more:
            more.setdefault("folder", self.data)
        return await self.service.order(who, Order(recipe, more.pop("options", {}), **more))

    async def until(self, job_id: str, wanted: Callable[[JobView], bool], seconds: float = 60.0) -> JobView:
        """Wait until the job is so."""
        async with asyncio.timeout(seconds):
            while not wanted(found := await self.service.training_job(self.who.tenant, job_id)):
                await asyncio.sleep(0.05)
        return found

    async def over(self, job_id: str, seconds: float = 60.0) -> JobView:
        return await self.until(job_id, lambda job: job.state in ("succeeded", "failed", "cancelled"), seconds)

    async def events(self, job_id: str) -> list[str]:
        return [row.message for row in await self.service.jobs.events(self.who.tenant, job_id)]


@asynccontextmanager
async def world(home: Path, *, works: bool = True, **settings: Any) -> AsyncIterator[World]:
    """A world whose jobs are worked on, unless not ``works``."""
    given = Settings.model_validate({"home": home, **settings})
    async with stores.open(given) as opened:
        keys = [each for each in await opened.keys.list("acme") if each.name == "me"]
        info = keys[0] if keys else (await opened.keys.create("me", tenant="acme", scopes=frozenset({"admin"})))[0]
        service = Training(given, opened, LOCAL)
        made = World(opened, service, info.principal(), write(home / "data", points()))
        if not works:
            yield made
            return
        async with training(service):
            yield made


def fake_model(home: Path, name: str = "tiny") -> ModelsSettings:
    """Settings with a chat model in the catalogue that lies in ``home`` as if it had been pulled."""
    entry = {"kind": "chat", "license": "MIT", "format": "gguf", "convert": ["openvino"], "context_window": 512}
    entry |= {"files": [{"name": "tiny.gguf", "sources": ["file:/nowhere/tiny.gguf"]}]}
    home.mkdir(parents=True, exist_ok=True)
    (home / "models.yaml").write_text(json.dumps({"models": {name: entry}}))
    folder = home / "models" / name
    folder.mkdir(parents=True)
    (folder / "model.gguf").write_bytes(b"GGUF")
    files = {"model.gguf": {"sha256": "0" * 64, "bytes": 4}}
    told = {"name": name, "files": files, "roles": {"gguf": "model.gguf"}, "fingerprint": "f", "described": {}}
    (folder / "manifest.json").write_text(json.dumps(told))
    return ModelsSettings(directory=home / "models", catalogues=(home / "models.yaml",))
