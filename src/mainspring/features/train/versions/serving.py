"""Has versions answer without a restart, each for its tenant alone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from mainspring.core.errors import Conflict, MainspringError, ModelError, QuotaExceeded
from mainspring.core.path import collect
from mainspring.core.types import ChatRequest, Context, Message, Principal, Priority, Responder, Sampling
from mainspring.engines.catalogue import convert
from mainspring.engines.catalogue.pull import PulledModel, Puller
from mainspring.engines.catalogue.sources import silent
from mainspring.engines.chat.chat_model import ChatModel
from mainspring.engines.chat.responder import EmbedResponder
from mainspring.engines.encode.reader import PassageReader
from mainspring.engines.encode.reranker import RerankResponder
from mainspring.engines.encode.support_check import SupportCheck
from mainspring.engines.encode.text_classes import TextClasses
from mainspring.feature import Rooms
from mainspring.features.train.jobs.orders import usable
from mainspring.features.train.settings import TrainSettings
from mainspring.features.train.versions import agreeing, entering
from mainspring.features.train.versions.keeping import Places
from mainspring.features.train.versions.store import Row, VersionStore
from mainspring.serving.ring.registry import Served
from mainspring.stores.events.audit_log import Actor
from mainspring.stores.sql import rows
from mainspring.training.ports import Encoder

_log = logging.getLogger(__name__)
_AGAIN_S = 60.0
_KINDS = {"chat": "chat", "adapter": "chat", "embedding": "embedding", "reranker": "reranker"}


@dataclass(slots=True)
class _Loaded:
    """What answers for a version: ``engine`` is a chat model or an encoder. ``served`` is None for encoders that
    applications alone ask."""

    tenant: str
    label: str
    groups: frozenset[str]
    served: Served | None
    engine: ChatModel | Encoder


class Serving:
    """Serves versions, and is a source of the registry (``TenantCollections``): a version answers under its label, and
    exists for its tenant and for those with its groups alone. Other processes follow within seconds."""

    def __init__(self, rooms: Rooms, store: VersionStore, places: Places) -> None:
        self._rooms = rooms
        self._store = store
        self._places = places
        self._settings = rooms.settings.section(TrainSettings)
        self._loaded: dict[str, _Loaded] = {}
        self._names: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._tenants: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._conversions = asyncio.Semaphore(self._settings.conversions)
        self._failed: dict[str, float] = {}
        self._cleared: tuple[int, frozenset[str]] | None = None
        rooms.path.registry.attach(self)

    async def find(self, name: str, principal: Principal) -> Served | None:
        """See ``TenantCollections``."""
        for each in self._loaded.values():
            if each.label == name and each.tenant == principal.tenant and each.groups <= principal.groups:
                return each.served
        return None

    async def visible(self, principal: Principal) -> list[Served]:
        """See ``TenantCollections``."""
        mine = [each for each in self._loaded.values() if each.tenant == principal.tenant]
        return [each.served for each in mine if each.served is not None and each.groups <= principal.groups]

    def engine(self, tenant: str, label: str) -> Encoder:
        """The encoder of a version that is served. Raises ``Conflict``."""
        for each in self._loaded.values():
            if each.tenant == tenant and each.label == label and not isinstance(each.engine, ChatModel):
                return each.engine
        raise Conflict(f"{label} is not served", remedy="Serve it first", param="version")

    def chat(self, tenant: str, label: str) -> tuple[ChatModel, Responder]:
        """The chat model of a version that is served, in its call ring. Raises ``Conflict``."""
        for each in self._loaded.values():
            mine = each.tenant == tenant and each.label == label
            if mine and isinstance(each.engine, ChatModel) and each.served is not None:
                return each.engine, each.served.responder
        raise Conflict(f"{label} is not served", remedy="Serve it first", param="version")

    async def serve(self, row: Row, by: Actor) -> str:
        """Convert a version, compare it with what was trained, and have it answer. Returns its label. Raises
        ``Conflict`` for one that was withdrawn, ``QuotaExceeded``, ``Unsupported``, ``ConversionRejected``,
        ``ModelError``."""
        label = f"{row.name}@{row.number}"
        if row.withdrawn_at is not None:
            raise Conflict(f"{label} was withdrawn: {row.stale or 'by hand'}", remedy="Train another", param="version")
        name = entering.name_of(row)
        if name in self._loaded:
            return label
        # A tenant's second waits for its first, and not before others' first.
        tenant, alone = self._tenants.setdefault(row.tenant, asyncio.Lock()), self._alone(name)
        async with tenant, alone, self._conversions:
            if name in self._loaded:
                return label
            await self._room(row)
            folder = self._places.version(row.tenant, row.name, row.number)
            base = await self._base(row)
            fields = await asyncio.to_thread(entering.entry_of, row, base, folder, self._rooms.settings)
            await asyncio.to_thread(entering.enter, self._rooms.settings.home, name, fields)
            try:
                pulled = await asyncio.to_thread(self._pull, name)
                loaded = await self._load(row, pulled)
                try:
                    gaps = await self._agrees(row, folder, pulled, loaded)
                except BaseException:
                    await _close(loaded.engine)
                    raise
            except MainspringError as error:
                await asyncio.to_thread(self._drop, name)
                await self._store.change(row.tenant, row.name, row.number, problem=error.told[:1000])
                raise
            self._loaded[name] = loaded
            if not await self._store.serve(row.tenant, row.name, row.number, name):
                # It was taken away while it was converted.
                await self._unload(name)
                await asyncio.to_thread(self._drop, name)
                raise Conflict(f"{label} was withdrawn meanwhile", remedy="Train another", param="version")
        await self._audit(row, by, "training.version.served", {"version": label, "gaps": gaps})
        return label

    async def withdraw(self, row: Row, by: Actor) -> None:
        """It answers no more, from now on and for good."""
        name = entering.name_of(row)
        await self._store.change(row.tenant, row.name, row.number, withdrawn_at=time.time())
        await self._unload(name)
        await asyncio.to_thread(self._drop, name)
        await self._audit(row, by, "training.version.withdrawn", {"version": f"{row.name}@{row.number}"})

    async def follow(self) -> None:
        """Load what other processes, or this one before its restart, serve; unload what was withdrawn."""
        wanted = {entering.name_of(row): row for row in await self._store.in_service()}
        for name in set(self._loaded) - set(wanted):
            await self._unload(name)
        for name, row in wanted.items():
            if name not in self._loaded and time.monotonic() >= self._failed.get(name, 0.0):
                await self._taken_up(name, row)
        await self._clear(frozenset(wanted))

    async def _taken_up(self, name: str, row: Row) -> None:
        """Load what another process has converted; where the models are its own, convert it here, too."""
        async with self._alone(name):
            if name in self._loaded:
                return
            try:
                pulled = await asyncio.to_thread(self._pull, name)
                loaded = await self._load(row, pulled)
            except MainspringError as error:
                # Another process may be converting it.
                self._failed[name] = time.monotonic() + _AGAIN_S
                _log.warning("%s@%s cannot be served: %s", row.name, row.number, error)
                return
            self._loaded[name] = loaded
            if (await self._store.row(row.tenant, row.name, row.number)).withdrawn_at is not None:
                await self._unload(name)

    def _alone(self, name: str) -> asyncio.Lock:
        """Who converts or loads a version; it is there as long as somebody holds it or waits for it."""
        return self._names.setdefault(name, asyncio.Lock())

    async def _clear(self, wanted: frozenset[str]) -> None:
        """Drop the entries and the weights of versions that are gone: withdrawn by a process that was killed, deleted,
        or erased with their tenant. Nothing is read while neither they nor the file have changed."""
        home = self._rooms.settings.home
        seen = await asyncio.to_thread(entering.changed, home), wanted
        if seen == self._cleared:
            return
        entered = frozenset(await asyncio.to_thread(entering.read, home))
        for name in await self._store.gone(entered - wanted, entering.name_of):
            await self._unload(name)
            await asyncio.to_thread(self._drop, name)
        left = frozenset(await asyncio.to_thread(entering.read, home))
        await self._store.bury(lambda row: entering.name_of(row) not in left)
        self._cleared = seen

    async def close(self) -> None:
        """End the encoders; chat models end with the engines."""
        for each in self._loaded.values():
            if not isinstance(each.engine, ChatModel):
                await each.engine.close()
        self._loaded.clear()

    async def _room(self, row: Row) -> None:
        there = [each for each in await self._store.in_service() if each.tenant == row.tenant and each.job != row.job]
        if len(there) >= self._settings.served:
            raise QuotaExceeded(
                f"{len(there)} versions are served, the maximum (train.served)",
                remedy="Withdraw one of them first",
                param="version",
            )

    async def _base(self, row: Row) -> str:
        """The name of its base in the catalogue; empty: it has none. Raises ``Conflict`` for a version that is not
        there."""
        if not usable(row.base):
            return str(row.base)
        below = await self._store.find(row.tenant, row.base)
        if row.makes == "adapter" and not below.served:
            raise Conflict(f"{row.base}, which it changes, is not served", remedy="Serve that first", param="version")
        return str(below.served)

    def _pull(self, name: str) -> PulledModel:
        return Puller(self._rooms.settings).pull(name)

    def _drop(self, name: str) -> None:
        with contextlib.suppress(MainspringError):
            Puller(self._rooms.settings).remove(name)
        entering.enter(self._rooms.settings.home, name, None)

    async def _unload(self, name: str) -> None:
        if (loaded := self._loaded.pop(name, None)) is not None:
            await _close(loaded.engine)

    async def _load(self, row: Row, pulled: PulledModel) -> _Loaded:
        name, label = pulled.entry.name, f"{row.name}@{row.number}"
        engines, path = self._rooms.engines, self._rooms.path
        engine: ChatModel | Encoder
        groups = frozenset(rows.load(row.groups))
        if row.makes in ("reader", "nli", "classifier"):
            engine = await asyncio.to_thread(self._encoder, row, pulled)
            return _Loaded(row.tenant, label, groups, None, engine)
        if _KINDS[row.makes] == "chat":
            if engines.load_chat is None:
                raise ModelError("these engines load no chat model")
            engine = await engines.load_chat(name)
            responder = path.beside(engine)
        elif row.makes == "embedding":
            if engines.load_embedder is None:
                raise ModelError("these engines load no embedder")
            engine = await asyncio.to_thread(engines.load_embedder, name)
            responder = path.charged.ring(EmbedResponder(engine, model_name=name), name, "mainspring.openvino")
        else:
            if engines.load_reranker is None:
                raise ModelError("these engines load no reranker")
            engine = await asyncio.to_thread(engines.load_reranker, name)
            responder = path.charged.ring(RerankResponder(engine), name, "mainspring.reranker")
        kind: Any = _KINDS[row.makes]
        served = Served(label, kind, responder, int(row.created_at), row.tenant, sampled=kind == "chat")
        return _Loaded(row.tenant, label, groups, served, engine)

    def _encoder(self, row: Row, pulled: PulledModel) -> Encoder:
        threads = self._rooms.settings.engines.threads
        if row.makes == "reader":
            return PassageReader(pulled, threads)
        if row.makes == "nli":
            return SupportCheck(pulled, threads)
        labels = self._places.version(row.tenant, row.name, row.number) / "labels.json"
        return TextClasses(pulled, json.loads(labels.read_text(encoding="utf-8")), threads)

    async def _agrees(self, row: Row, folder: Path, pulled: PulledModel, loaded: _Loaded) -> Mapping[str, float]:
        told = await asyncio.to_thread(agreeing.told, folder)
        tasks = await asyncio.to_thread(agreeing.scored, folder)
        changes: dict[str, float] = {}
        if isinstance(loaded.engine, ChatModel) and tasks:
            ask = _asking(row, loaded.engine)
            changes = await agreeing.of_scores(ask, tasks, self._settings.difference, loaded.label)
        if not told:
            return changes
        engine, label, most = loaded.engine, loaded.label, self._settings.difference
        if not isinstance(engine, ChatModel):
            if row.makes == "reranker":
                return await agreeing.of_reranker(engine, told, most, label)  # type: ignore[arg-type]
            if row.makes == "embedding":
                return await agreeing.of_embedder(engine, told, label)  # type: ignore[arg-type]
            # Their step of the conversion compares them with the weights.
            return {}
        if "ir" not in pulled.files:
            return changes
        job = {"step": "losses", "model": str(pulled.files["ir"]), "texts": [str(each["text"]) for each in told]}
        found = await asyncio.to_thread(convert.run, job, silent)
        return {**changes, **agreeing.of_texts(found["losses"], told, most, label)}

    async def _audit(self, row: Row, by: Actor, action: str, details: Mapping[str, Any]) -> None:
        stores = self._rooms.stores

        def work(connection: Any) -> None:
            stores.audit.append(connection, row.tenant, action, by, object=f"{row.name}@{row.number}", details=details)

        await stores.database.write(work, durable=True)


def _asking(row: Row, model: ChatModel) -> Callable[[Sequence[Message], int], Coroutine[Any, Any, str]]:
    """Asks the engine itself: nobody is charged, and nothing is recorded."""

    async def ask(messages: Sequence[Message], tokens: int) -> str:
        request = ChatRequest(model.name, tuple(messages), Sampling(max_tokens=tokens, temperature=0.0), store=False)
        context = Context(Principal(row.tenant, "local"), priority=Priority.BATCH, replay=row.job)
        return (await collect(await model.responder.respond(request, context))).text

    return ask


async def _close(engine: ChatModel | Encoder) -> None:
    if isinstance(engine, ChatModel):
        for replica in engine.all_replicas():
            await replica.engine.close()
    else:
        await engine.close()
