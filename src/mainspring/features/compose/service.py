"""Suggestions for callers: the model in one thread, results that are remembered, and what came of them."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson
from cachetools import LRUCache, TTLCache

import mainspring.stores.sql.ids as ids
from mainspring.core.errors import Overloaded, Unsupported
from mainspring.core.fair.threads import FairThreads
from mainspring.core.types import Context, Principal
from mainspring.feature import Rooms
from mainspring.features.compose.model.ngrams import OwnPhrases
from mainspring.features.compose.model.packed import load
from mainspring.features.compose.settings import ComposeSettings
from mainspring.features.compose.store.persons import Agreed, Writer, Writers
from mainspring.features.compose.store.shown_suggestions import Outcome, ShownSuggestion, ShownSuggestions, mail_name
from mainspring.features.compose.suggesting import MailDraft, Suggested, Suggesting
from mainspring.features.compose.trained import TrainedModels

_log = logging.getLogger(__name__)
PREFIX = "cmp_"
_OWN, _OWN_S = 1000, 5.0
_OPENED = 4
"""Trained models that are kept open: some 10 MB each."""
_TIDY_S = 3600.0


@dataclass(frozen=True, slots=True)
class Result:
    """Suggestions under an id (empty: there are none). ``personal``: own phrases were used; ``cached``: the same text
    was asked about before."""

    id: str
    found: Suggested
    model: str
    personal: bool = False
    cached: bool = False


@dataclass(frozen=True, slots=True)
class _Own:
    """A person's phrases; ``version`` changes with them."""

    phrases: OwnPhrases | None
    version: str


class Compose:
    """Suggests while a mail is typed."""

    def __init__(self, rooms: Rooms) -> None:
        self.settings = rooms.settings.section(ComposeSettings)
        self.shown = ShownSuggestions(rooms.stores.database, self.settings)
        self.writers = Writers(rooms.stores.database, self.settings)
        # One thread: the search is short, and several at once would only wait for each other's memory.
        self._thread = FairThreads(1, "compose")
        self._results: TTLCache[bytes, Suggested] = TTLCache(max(1, self.settings.cached), self.settings.cached_s)
        self._own: TTLCache[Writer, dict[str, _Own]] = TTLCache(_OWN, _OWN_S)
        self._made: LRUCache[tuple[Writer, str, str], OwnPhrases] = LRUCache(_OWN)
        self.trained = TrainedModels()
        self._named: LRUCache[Path, Suggesting] = LRUCache(_OPENED)

    @cached_property
    def suggesting(self) -> Suggesting:
        """Loads the model. Raises ``ModelError``."""
        return Suggesting(load(self.settings.folder), self.settings)

    async def suggest(
        self,
        context: Context,
        asked: MailDraft,
        *,
        user: str = "",
        session: str = "",
        personal: bool = True,
        named: str = "",
    ) -> Result:
        """``named`` is a version that the tenant has trained; empty: the model of the settings. Raises ``Unsupported``
        if it is off, ``NotFound``, ``Overloaded``, ``ModelError``."""
        self._check_enabled()
        principal = context.principal
        who = Writer.of(principal, user)
        suggesting = await self._by(principal, named)
        model = suggesting.packed.version
        reason = suggesting.waits(asked)
        if reason is not None:
            return Result("", Suggested(waits=reason), model)
        own = await self._phrases(who, suggesting) if personal else _Own(None, "")
        # The model gets the same question after any sufficient wait: its length does not change the text.
        name = _name(who.tenant, model, own.version and f"{who.owner}\0{who.person}\0{own.version}", asked)
        found = self._results.get(name) if self.settings.cached else None
        cached = found is not None
        if found is None:
            found = await self._work(lambda: suggesting.suggest(asked, own.phrases))
            self._results[name] = found
        if not found.suggestions:
            return Result("", found, model, bool(own.version), cached)
        first = found.suggestions[0]
        told = ShownSuggestion(
            who.tenant, ids.new(PREFIX), who.owner, who.person, mail_name(who.tenant, session), time.time(),
            len(first.text), round(first.confidence, 4),
        )  # fmt: skip
        self.shown.note(told)
        return Result(told.id, found, model, bool(own.version), cached)

    async def tell(
        self, principal: Principal, name: str, outcome: Outcome, characters: int | None
    ) -> Mapping[str, Any]:
        """Raises ``NotFound``, ``Conflict``."""
        return await self.shown.tell(principal, name, outcome, characters)

    async def decide(self, principal: Principal, user: str, *, consent: bool) -> None:
        """Write down whether the person agrees; own phrases of who refuses are deleted. Raises ``QuotaExceeded``."""
        who = Writer.of(principal, user)
        decided: Agreed = "granted" if consent else "refused"
        await self.writers.decide(who, decided)
        self._own.pop(who, None)

    async def learn(self, principal: Principal, user: str, text: str) -> int:
        """Keep a text that a person sent; how many are kept. Raises ``NoConsent``, ``QuotaExceeded``."""
        self._check_enabled()
        who = Writer.of(principal, user)
        kept = await self.writers.add(who, text)
        self._own.pop(who, None)
        return kept

    async def personal(self, principal: Principal, user: str) -> tuple[Agreed, int]:
        """What the person decided, and how many texts are kept."""
        who = Writer.of(principal, user)
        return await self.writers.agreed(who), len(await self.writers.texts(who))

    async def forget(self, principal: Principal, user: str) -> int:
        """Delete the person's texts; how many."""
        who = Writer.of(principal, user)
        count = await self.writers.forget(who)
        self._own.pop(who, None)
        return count

    async def keep_tidy(self) -> None:
        """Delete old rows each hour, for ever."""
        while True:
            try:
                await self.shown.tidy(time.time())
            except Exception:
                _log.exception("old suggestions were not deleted; the next round repeats it")
            await asyncio.sleep(_TIDY_S)

    async def close(self) -> None:
        await self.shown.close()
        await asyncio.to_thread(self._thread.shutdown)

    def _check_enabled(self) -> None:
        if not self.settings.enabled:
            raise Unsupported("Smart Compose is off", remedy="Set compose.enabled (MAINSPRING_COMPOSE__ENABLED=true)")

    async def _by(self, principal: Principal, named: str) -> Suggesting:
        if not named:
            return self.suggesting if "suggesting" in self.__dict__ else await self._work(lambda: self.suggesting)
        folder = await self.trained.folder(principal, named)
        found = self._named.get(folder)
        if found is None:
            found = self._named[folder] = await self._work(lambda: Suggesting(load(str(folder)), self.settings))
        return found

    async def _phrases(self, who: Writer, by: Suggesting) -> _Own:
        """Own phrases of a person who agreed, in the tokens of the model."""
        model = by.packed.version
        found = self._own.get(who, {}).get(model)
        if found is not None:
            return found
        own = _Own(None, "")
        if await self.writers.agreed(who) == "granted":
            texts = await self.writers.texts(who)
            version = hashlib.sha256("\0".join(texts).encode("utf-8", "replace")).hexdigest()[:16]
            made = self._made.get((who, version, model))
            if made is None:
                tokenizer, share = by.packed.tokenizer, self.settings.own_share

                def make() -> OwnPhrases:
                    read = tokenizer.encode_batch(list(texts), add_special_tokens=False)
                    names = " ".join(sorted({word for text in texts for word in re.findall(r"\b[A-Z][\w'’]*", text)}))
                    return OwnPhrases((each.ids for each in read), share=share, names=names)

                made = self._made[who, version, model] = await self._work(make)
            own = _Own(made, version)
        self._own[who] = {**self._own.get(who, {}), model: own}
        return own

    async def _work(self, work: Any) -> Any:
        """Do it in the thread, in the tenant's turn. Raises ``Overloaded``."""
        if (waiting := self._thread.waiting()) >= self.settings.most_waiting:
            raise Overloaded(
                f"{waiting} requests of this tenant wait for suggestions",
                remedy="Ask again after the next pause in typing",
            )
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _name(tenant: str, model: str, own: str, asked: MailDraft) -> bytes:
    told = replace(asked, pause_ms=None)
    parts = [tenant, model, own, told.before, told.after, told.subject, told.to, told.most, told.least]
    return hashlib.sha256(orjson.dumps(parts)).digest()
