"""What answers cite, as OpenAI's client fetches it: documents that came from a folder have no file of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openai
import pytest

import tests.world as worlds
from mainspring.core.types import Principal, Reach
from tests.gateway.knowledge.clients import client_for, client_of

TEXT = "# Fees\n\nAbout returns we know the fee of seven marks and no other one."
QUESTION = "What do we know about returns?"
LOOKUP = {"type": "function", "name": "lookup", "parameters": {"type": "object", "properties": {}}}


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    worlds.use_engines(monkeypatch, {})


async def ingested(world: worlds.World, folder: Path, groups: frozenset[str] = frozenset()) -> str:
    """The document id of a file of ``folder``, read into the collection ``fees`` of ``groups``."""
    folder.mkdir()
    (folder / "fees.md").write_text(TEXT)
    library, asker = world.system.library, Principal(world.keys["red"].tenant, "test", groups=groups)
    await library.create(asker, "fees", groups)
    report = await library.ingest(asker, "fees", [folder])
    assert len(report.added) == 1, report
    [document] = await library.documents(asker, "fees")
    assert document.file_id is None
    return document.document_id


async def test_what_an_answer_cites_can_be_fetched(tmp_path: Path) -> None:
    async with client_of(tmp_path / "home") as (client, world):
        await ingested(world, tmp_path / "docs")
        answer = await client.responses.create(model="fees", input=QUESTION)
        cited = answer.output[-1].content[0].annotations[0]
        info = await client.files.retrieve(cited.file_id)
        assert (info.id, info.filename, info.bytes) == (cited.file_id, "fees.md", len(TEXT))
        content = (await client.files.content(cited.file_id)).text
        assert content[cited.start : cited.end] == cited.quote


async def test_it_is_for_those_who_may_read_the_document(tmp_path: Path) -> None:
    async with client_of(tmp_path / "home") as (client, world):
        document_id = await ingested(world, tmp_path / "docs", frozenset({"red"}))
        assert (await client.files.retrieve(document_id)).id == document_id
        for name in ("blue", "stranger"):
            for fetched in (client_for(world, name).files.retrieve, client_for(world, name).files.content):
                with pytest.raises(openai.NotFoundError):
                    await fetched(document_id)
        for name, only in (("elsewhere", "other"), ("here", "fees")):
            reach, groups = Reach(collections=frozenset({only})), frozenset({"red"})
            _, secret = await world.system.stores.keys.create(
                name, scopes=frozenset({"ingest"}), groups=groups, reach=reach
            )
            world.keys[name] = worlds.Key(name, "default", groups, secret)
        with pytest.raises(openai.NotFoundError):
            await client_for(world, "elsewhere").files.content(document_id)
        assert (await client_for(world, "here").files.content(document_id)).text == TEXT
        with pytest.raises(openai.NotFoundError):
            await client.files.delete(document_id)
        assert (await client.files.content(document_id)).text == TEXT
        with pytest.raises(openai.NotFoundError):
            await client.batches.create(
                input_file_id=document_id, endpoint="/v1/chat/completions", completion_window="24h"
            )


async def test_tools_beside_a_collection_are_offered_and_not_called(tmp_path: Path) -> None:
    async with client_of(tmp_path / "home") as (client, world):
        await ingested(world, tmp_path / "docs")
        chat: dict[str, Any] = {"model": "fees", "messages": [{"role": "user", "content": QUESTION}]}
        chat["tools"] = [{"type": "function", "function": {"name": "lookup"}}]
        responses: dict[str, Any] = {"model": "fees", "input": QUESTION, "tools": [LOOKUP]}
        for resource, body in ((client.chat.completions, chat), (client.responses, responses)):
            for choice, told in (({}, "tools"), ({}, "tools"), ({"tool_choice": "none"}, None)):
                raw = await resource.with_raw_response.create(**body, **choice)
                assert "seven marks" in raw.text
                assert raw.headers.get("x-mainspring-ignored") == told
            with pytest.raises(openai.BadRequestError, match="call no tools") as refused:
                await resource.create(**body, tool_choice="required")
            assert refused.value.param == "tool_choice"
