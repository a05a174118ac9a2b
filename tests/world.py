"""A whole system behind its HTTP interface, scripted: keys of several groups and tenants, and documents."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from mainspring import engines
from mainspring.core.settings import RagSettings, ServingSettings, Settings
from mainspring.engines import ChatModel, Engines
from mainspring.engines.base import Reranker
from mainspring.engines.chat.responder import ModelResponder
from mainspring.engines.scripted import ScriptedEngine
from mainspring.gateway.mount import mount
from mainspring.rag.workers import Workers
from mainspring.system import System
from tests import replayed
from tests.rag.conftest import WordEmbedder
from tests.reading import ask_here

# Far from each other, so that none is a misspelling of another.
MARKS = (
    *("brovandil", "chistumer", "dolpraken", "fenglowit", "gurtimask", "hazpolind", "jectrowan", "kifblenor"),
    *("lumprikat", "mosdevign", "nafquiler", "pongrusta"),
)
EVERYONE: frozenset[str] = frozenset()


class Pieces(WordEmbedder):
    """No word is one token: so every word that documents lack counts as misspelt."""

    max_tokens = 512

    def count_tokens(self, texts: Any) -> list[int]:
        return [sum(max(1, len(word) // 3) for word in text.split()) for text in texts]


@dataclass
class Doc:
    """A document with its marks, and who may see it: ``shelf`` is its collection's list, ``groups`` its own."""

    number: int
    tenant: str
    store: str
    shelf: frozenset[str]
    groups: frozenset[str] = EVERYONE
    file_id: str = ""
    document_id: str = ""
    path: Path | None = None
    alive: bool = True

    @property
    def mark(self) -> str:
        return MARKS[self.number]

    @property
    def topic(self) -> str:
        return f"subject{self.number}"

    @property
    def acronym(self) -> str:
        return f"{self.mark[0].upper()}QZ"

    @property
    def film(self) -> str:
        return f"The {self.mark.title()} Pier"

    @property
    def text(self) -> str:
        return (
            f"The {self.topic} was looked into. About {self.topic} we know the word {self.mark} and no other one.\n\n"
            f"It is the work of the {self.mark.title()} Quarry Zone ({self.acronym}), of which {self.topic} is one.\n\n"
            f"{self.film} is a drama film directed by {self.mark.title()} Holm. "
            f"{self.mark.title()} Holm was born in {self.mark.title()}stad."
        )

    def seen_by(self, key: Key) -> bool:
        lists = [each for each in (self.shelf, self.groups) if each]
        return self.alive and key.tenant == self.tenant and all(each & key.groups for each in lists)


@dataclass
class Key:
    name: str
    tenant: str
    groups: frozenset[str]
    secret: str = ""


@dataclass
class World:
    """A system behind its HTTP interface, its keys, and all documents that there ever were."""

    system: System
    client: httpx.AsyncClient
    keys: dict[str, Key] = field(default_factory=dict)
    docs: list[Doc] = field(default_factory=list)
    responses: dict[tuple[str, int], str] = field(default_factory=dict)

    async def call(self, key: Key, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {key.secret}", **more.pop("headers", {})}
        if "content" in more:
            headers["content-type"] = "application/json"
        else:
            more["json"] = body
        answer = await self.client.request(method, path, headers=headers, **more)
        assert answer.status_code < 500, answer.text
        return answer

    async def store(self, key: Key, name: str, groups: frozenset[str] = EVERYONE) -> str:
        answer = await self.call(key, "POST", "/v1/vector_stores", {"name": name, "groups": sorted(groups)})
        return str(answer.json()["id"])

    async def add(self, key: Key, store: str, shelf: frozenset[str]) -> Doc:
        """Upload a file and attach it, over HTTP."""
        doc = Doc(len(self.docs), key.tenant, store, shelf)
        self.docs.append(doc)
        files = {"file": (f"{doc.mark}.txt", doc.text.encode()), "purpose": (None, "assistants")}
        answer = await self.call(key, "POST", "/v1/files", files=files)
        doc.file_id = answer.json()["id"]
        await self.attach(key, doc, {"label": doc.mark})
        return doc

    async def attach(self, key: Key, doc: Doc, attributes: dict[str, str]) -> None:
        """Put an uploaded file into its collection, and wait until it was read."""
        path = f"/v1/vector_stores/{doc.store}/files"
        await self.call(key, "POST", path, {"file_id": doc.file_id, "attributes": attributes})
        async with asyncio.timeout(30):
            while (found := (await self.call(key, "GET", f"{path}/{doc.file_id}")).json())["status"] != "completed":
                await asyncio.sleep(0.01)
        doc.document_id = found["document_id"]

    async def narrow(self, doc: Doc, groups: frozenset[str]) -> None:
        """Give an uploaded document another access list, by a key that is in every group."""
        key = next(each for each in self.keys.values() if each.tenant == doc.tenant and len(each.groups) > 1)
        path = f"/v1/vector_stores/{doc.store}/files/{doc.file_id}"
        answer = await self.call(key, "POST", path, {"groups": sorted(groups)})
        assert answer.json()["groups"] == sorted(groups)
        doc.groups = groups

    async def chat(self, key: Key, doc: Doc, *, stream: bool = False, **more: Any) -> httpx.Response:
        body = {
            "model": "document-qa",
            "messages": [{"role": "user", "content": f"What do we know about {doc.topic}?"}],
            "options": {"collections": [doc.store]},
            "stream": stream,
            **more.pop("body", {}),
        }
        return await self.call(key, "POST", "/v1/chat/completions", body, **more)

    async def round(self) -> None:
        """Let what was deleted be forgotten now rather than soon."""
        await self.system.library.forgetter.round()


@asynccontextmanager
async def opened(
    home: Path, keys: dict[str, Key] | None = None, *, whole: bool = True, **sections: Any
) -> AsyncIterator[World]:
    """A system over HTTP. At its end its runs of agents are replayed, unless it is not ``whole`` any more by then."""
    free = ServingSettings(requests_per_minute=10**6, tokens_per_minute=10**9, semantic_cache=True)
    settings = Settings(home=home, **{"rag": RagSettings(refuse_below=0.0), "serving": free, **sections})
    async with System.open(settings) as system:
        transport = httpx.ASGITransport(mount(system))
        async with httpx.AsyncClient(transport=transport, base_url="http://here", timeout=60) as client:
            world = World(system, client, keys or {})
            if keys is None:
                for name, tenant, groups in (
                    ("red", "default", frozenset({"red"})),
                    ("blue", "default", frozenset({"blue"})),
                    ("both", "default", frozenset({"red", "blue"})),
                    ("stranger", "elsewhere", frozenset({"red", "blue"})),
                ):
                    _, secret = await system.stores.keys.create(
                        name, tenant=tenant, scopes=frozenset({"admin"}), groups=groups
                    )
                    world.keys[name] = Key(name, tenant, groups, secret)
            yield world
            if whole:
                await replayed.check(system)


def use_engines(monkeypatch: pytest.MonkeyPatch, chat: dict[str, ChatModel], reranker: Reranker | None = None) -> None:
    """Let every system that is opened have these engines, and read documents within this process."""
    monkeypatch.setattr(Workers, "ask", ask_here)

    @asynccontextmanager
    async def given(settings: Settings, prepared: object = None) -> AsyncIterator[Engines]:
        yield Engines(chat, Pieces(), reranker)

    monkeypatch.setattr(engines, "open", given)


def echoing(*names: str) -> dict[str, ChatModel]:
    """Models that repeat what they are told."""

    def model(name: str) -> ChatModel:
        engine = ScriptedEngine(templates=True)
        return ChatModel(name, engine, ModelResponder(engine, model_name=name, fingerprint=name), False, "scripted")

    return {name: model(name) for name in names}
