"""Images: refused by name, in OpenAI's envelope."""

from __future__ import annotations

from pathlib import Path

import openai
import pytest

import tests.world as worlds
from tests.gateway.knowledge.clients import client_of


async def test_no_model_makes_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worlds.use_engines(monkeypatch, {})
    async with client_of(tmp_path / "home") as (client, _):
        with pytest.raises(openai.NotFoundError) as refused:
            await client.images.generate(prompt="A lamp", model="gpt-image-1", size="1024x1024", n=2)
        assert (refused.value.code, refused.value.param) == ("model_not_found", "model")
        assert "'gpt-image-1' makes images here" in refused.value.message
        for pictures in (b"a lamp", [b"a lamp", b"a room"]):
            with pytest.raises(openai.NotFoundError, match="'gpt-image-1' makes images here"):
                await client.images.edit(image=pictures, prompt="Brighter", model="gpt-image-1", mask=b"x", stream=True)
        with pytest.raises(openai.NotFoundError, match="no model makes images here"):
            await client.images.create_variation(image=b"a lamp")
        with pytest.raises(openai.BadRequestError):
            await client.images.generate(prompt="")
