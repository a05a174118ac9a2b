"""What was trained answers without a restart, for its tenant alone, once the engine gives what the training gave."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from mainspring.core.errors import Conflict, ConversionRejected, InvalidRequest, MainspringError
from mainspring.core.settings import ModelsSettings, ServingSettings, Settings
from mainspring.core.types import Principal
from mainspring.features.train.adopting import Adoption, adopt
from mainspring.features.train.service import Training
from mainspring.gateway.mount import mount
from mainspring.stores.events.audit_log import Actor
from mainspring.system import System
from mainspring.training.ports import Order
from tests.features.train.serving_recipes import PASSAGES, QUERY, write_adapter
from tests.features.train.world import write
from tests.world import Key, World

# Conversions take minutes on a busy machine.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
WEIGHTS = "adapter_model.safetensors"
CHAT, RERANKER = "smollm2-135m-instruct", "ms-marco-minilm-l12-v2-int8"


@asynccontextmanager
async def served(tmp_path: Path) -> AsyncIterator[tuple[World, Training, Principal]]:
    """A system without chat models, whose folder of models has those of this machine."""
    here = Settings().models.directory.expanduser()
    models = tmp_path / "models"
    models.mkdir(exist_ok=True)
    for name in (CHAT, RERANKER, "all-minilm-l6-v2"):
        if not (here / name / "manifest.json").exists():
            pytest.skip(f"{name} is not pulled")
        if not (models / name).exists():
            (models / name).symlink_to(here / name)
    settings = Settings(
        home=tmp_path,
        models=ModelsSettings(directory=models, chat=(), reranker="", answers=""),
        serving=ServingSettings(requests_per_minute=10**6, tokens_per_minute=10**9, semantic_cache=False),
    )
    async with (
        System.open(settings) as system,
        system.working(),
        httpx.AsyncClient(transport=httpx.ASGITransport(mount(system)), base_url="http://here", timeout=60) as client,
    ):
        world = World(system, client, {})
        for name, tenant in (("mine", "acme"), ("other", "else")):
            info, secret = await system.stores.keys.create(name, tenant=tenant, scopes=frozenset({"admin"}))
            world.keys[name] = Key(name, tenant, frozenset(), secret)
            if name == "mine":
                who = info.principal()
        yield world, system.services[Training], who


async def trained(
    service: Training, who: Principal, recipe: str, base: str, data: Path, *, serve: bool = False, **options: object
) -> str:
    """The label of what a recipe made."""
    job = await service.order(who, Order(recipe, options, folder=data, base=base, suffix=recipe, serve=serve))
    async with asyncio.timeout(600 if serve else 60):
        while (job := await service.training_job(who.tenant, job.id)).state not in ("succeeded", "failed"):
            await asyncio.sleep(0.05)
    assert job.state == "succeeded", job
    return job.version


async def test_an_adapter_answers_for_its_tenant_alone_and_again_after_a_restart(tmp_path: Path) -> None:
    data = write(tmp_path / "data", [{"text": f"Row {n} is here."} for n in range(12)])
    ask = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 4, "temperature": 0}
    async with served(tmp_path) as (world, service, who):
        label = await trained(service, who, "adapter", CHAT, data, size=0.5)
        began = time.monotonic()
        assert await service.serve_version(who, label) == label
        taken = time.monotonic() - began
        body = {"model": label, **ask}
        answer = await world.call(world.keys["mine"], "POST", "/v1/chat/completions", body)
        assert answer.status_code == 200, answer.text
        assert answer.json()["model"]
        models = (await world.call(world.keys["mine"], "GET", "/v1/models")).json()["data"]
        assert label in {each["id"] for each in models}
        # It is nobody else's, and `auto` does not choose it.
        assert (await world.call(world.keys["other"], "POST", "/v1/chat/completions", body)).status_code == 404
        listed = (await world.call(world.keys["other"], "GET", "/v1/models")).json()["data"]
        assert label not in {each["id"] for each in listed}
        assert (await service.version("acme", label)).served == label
        # Done again it is the same.
        assert await service.serve_version(who, label) == label
        print(f"served after {taken:.1f} s")
    async with served(tmp_path) as (world, service, _):
        # It is served again after a restart.
        await service.follow()
        row = await service.kept.find("acme", label)
        info, secret = await world.system.stores.keys.create("again", tenant="acme", scopes=frozenset({"admin"}))
        key = Key("again", "acme", frozenset(), secret)
        assert (await world.call(key, "POST", "/v1/chat/completions", body)).status_code == 200
        await service.withdraw(info.principal(), label, Actor("me", ""))
        assert (await world.call(key, "POST", "/v1/chat/completions", body)).status_code == 404
        with pytest.raises(Conflict, match="withdrawn"):
            await service.serve_version(info.principal(), label)
        assert row.served not in {each.name for each in (tmp_path / "models").iterdir()}


async def test_an_adapter_that_peft_wrote_is_adopted_and_answers(tmp_path: Path) -> None:
    folder = tmp_path / "lora"
    folder.mkdir()
    write_adapter(Settings().models.directory.expanduser() / CHAT, folder, 1, 0.5)
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 2, "lora_alpha": 4, "base_model_name_or_path": CHAT}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    ask = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 4, "temperature": 0}
    async with served(tmp_path) as (world, service, who):
        # A base of other sizes is refused before anything is copied.
        tensors = dict(load_file(folder / "adapter_model.safetensors"))
        narrow = {name: each[:, :8] if "lora_A" in name else each for name, each in tensors.items()}
        (tmp_path / "narrow").mkdir()
        save_file({name: np.ascontiguousarray(each) for name, each in narrow.items()}, tmp_path / "narrow" / WEIGHTS)
        (tmp_path / "narrow" / "adapter_config.json").write_text(json.dumps(config))
        with pytest.raises(InvalidRequest, match=f"does not fit {CHAT}"):
            await adopt(service, who, Adoption(tmp_path / "narrow"))
        job = await adopt(service, who, Adoption(folder, name="theirs"))
        async with asyncio.timeout(60):
            while (view := await service.training_job(who.tenant, job)).state not in ("succeeded", "failed"):
                await asyncio.sleep(0.05)
        assert view.version == "theirs@1", view
        assert await service.serve_version(who, "theirs@1") == "theirs@1"
        answer = await world.call(world.keys["mine"], "POST", "/v1/chat/completions", {"model": "theirs@1", **ask})
        assert answer.status_code == 200, answer.text


async def test_whole_weights_are_put_in_the_place_of_the_base_s(tmp_path: Path) -> None:
    data = write(tmp_path / "data", [{"text": f"Row {n} is here."} for n in range(12)])
    async with served(tmp_path) as (_, service, who):
        # It answers when the job is over: nobody has to ask for it apart.
        label = await trained(service, who, "whole", CHAT, data, serve=True)
        row = await service.kept.find("acme", label)
        assert service.chat_model("acme", label)
        manifest = (tmp_path / "models" / row.served / "manifest.json").read_text()
        assert '"reference"' in manifest
        # The engine itself solves the task as well as the recipe says, or the version does not answer.
        lies = await trained(service, who, "whole", CHAT, data, lies=True)
        with pytest.raises(ConversionRejected, match=r"lost 1\.000 of its score exact in 8 answers"):
            await service.serve_version(who, lies)
        assert not (await service.kept.find("acme", lies)).served


async def test_a_reranker_is_compared_with_what_was_trained(tmp_path: Path) -> None:
    data = write(tmp_path / "data", [{"text": f"Row {n} is here."} for n in range(12)])
    async with served(tmp_path) as (world, service, who):
        label = await trained(service, who, "reranker", RERANKER, data)
        await service.serve_version(who, label)
        engine = await service.engine("acme", label)
        assert hasattr(engine, "rerank")
        body = {"model": label, "query": QUERY, "documents": list(PASSAGES)}
        found = await world.call(world.keys["mine"], "POST", "/v1/rerank", body)
        assert found.status_code == 200, found.text
        assert found.json()["results"][0]["index"] == 0
        assert (await world.call(world.keys["other"], "POST", "/v1/rerank", body)).status_code == 404
        lies = await trained(service, who, "reranker", RERANKER, data, lies=True)
        assert lies == "reranker@2"
        with pytest.raises(ConversionRejected, match="away from the trained model"):
            await service.serve_version(who, lies)
        row = await service.kept.find("acme", lies)
        assert "refused" in row.problem or "away" in row.problem
        assert not row.served
        with pytest.raises(MainspringError):
            await service.engine("acme", lies)
