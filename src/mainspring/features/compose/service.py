"""Suggestions for callers: the model in one thread, results that are remembered, and what came of them."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson
from cachetools import LRUCache, TTLCache

from mainspring.core.errors import NoConsent, NotFound, Overloaded, Unsupported
from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.facts.opinions import FeedbackFacts
from mainspring.core.fair.threads import FairThreads
from mainspring.core.types import EventRecord, Principal
from mainspring.evaluation.examples import Example
from mainspring.feature import Rooms
from mainspring.features.compose.learnable import learnable
from mainspring.features.compose.model.ngrams import OwnPhrases
from mainspring.features.compose.model.packed import load
from mainspring.features.compose.rules.trigger import Reason, Triggering, waits
from mainspring.features.compose.settings import ComposeSettings
from mainspring.features.compose.store.persons import Agreed, Writer, Writers
from mainspring.features.compose.store.sent_mails import SentMail, SentMails
from mainspring.features.compose.store.shown_suggestions import Outcome, ShownSuggestion, ShownSuggestions, mail_name
from mainspring.features.compose.suggesting import MailDraft, Suggested, Suggesting
from mainspring.features.compose.trained import TrainedModels
from mainspring.stores.sql import ids

NAME = "compose"
_log = logging.getLogger(__name__)
_OWN, _OWN_S = 1000, 5.0
_OPENED = 4
"""Trained models that are kept open: some 10 MB each."""
_TIDY_S = 3600.0


@dataclass(frozen=True, slots=True)
class Result:
    """Suggestions of ``model``: the label of a version, or a digest of the server's model. ``personal``: own phrases
    were used; ``cached``: the same text was asked about before."""

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
        self._events = rooms.stores.events
        self._triggering = Triggering(self.settings.least_words, self.settings.pause_ms)
        self.shown = ShownSuggestions(rooms.stores.database, self.settings)
        self.sent = SentMails(rooms.stores.database, self.settings.sent_mails, self.settings.sent_days)
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

    def waits(self, asked: MailDraft) -> Reason | None:
        """Why nothing is looked for; None: it is. It needs no model."""
        return waits(asked.before, asked.after, asked.pause_ms, self._triggering)

    async def suggest(
        self,
        principal: Principal,
        asked: MailDraft,
        *,
        user: str = "",
        personal: bool = True,
        named: str = "",
        preferred: str = "",
    ) -> Result:
        """``named`` is a version that the tenant has trained; empty: ``preferred`` if it is there, and otherwise the
        model of the settings. Raises ``Unsupported`` if it is off, ``NotFound``, ``Overloaded``, ``ModelError``."""
        self.check_enabled()
        who = Writer.of(principal, user)
        label, suggesting = await self._by(principal, named, preferred)
        model = suggesting.packed.version
        told = label or model
        reason = suggesting.waits(asked)
        if reason is not None:
            return Result(Suggested(waits=reason), told)
        own = await self._phrases(who, suggesting) if personal else _Own(None, "")
        # The model gets the same question after any sufficient wait: its length does not change the text.
        name = _name(who.tenant, model, own.version and f"{who.owner}\0{who.person}\0{own.version}", asked)
        found = self._results.get(name) if self.settings.cached else None
        cached = found is not None
        if found is None:
            found = await self._work(lambda: suggesting.suggest(asked, own.phrases))
            self._results[name] = found
        return Result(found, told, bool(own.version), cached)

    def note(
        self, principal: Principal, answer: str, *, user: str, session: str, characters: int, confidence: float
    ) -> None:
        """An ``answer`` was shown, whose first suggestion has so many characters and this confidence."""
        who = Writer.of(principal, user)
        self.shown.note(
            ShownSuggestion(
                who.tenant, answer, who.owner, who.person, mail_name(who.tenant, session), time.time(), characters,
                confidence,
            )
        )  # fmt: skip

    async def tell(
        self, principal: Principal, name: str, outcome: Outcome, characters: int | None
    ) -> Mapping[str, Any]:
        """Raises ``NotFound``, ``Conflict``."""
        try:
            answer: EventRecord | None = await self._events.answer_for(principal, name)
        except NotFound:
            # Retention may delete answers sooner than what came of them is told.
            answer = None
        return await self.shown.tell(principal, name, outcome, characters, answer)

    async def sent_mail(self, principal: Principal, mail: SentMail) -> tuple[str, str]:
        """Keep a mail to learn from; its id, and that of the event of feedback. Raises ``NotFound`` for a suggestion
        that is not the caller's, ``NoConsent`` for one that was asked for without the consent to learn from it."""
        self.check_enabled()
        answer = await self._events.answer_for(principal, mail.answer)
        if AnswerFacts.of(answer.facts).requested != NAME:
            raise NotFound(f"there is no suggestion {mail.answer:.100} of yours", param="suggestion_id")
        if not answer.consent:
            raise NoConsent(
                "the suggestion was asked for without consent to learn from the mail",
                remedy="Send the header x-training-consent: true with the requests of this mail",
                param="consent",
            )
        facts = FeedbackFacts(key_id=principal.key_id, rating=None, comment=None, edited=True, person=principal.person)
        record = EventRecord(
            id=ids.new("evt_"), at=time.time(), tenant=principal.tenant, trace_id=answer.trace_id, subject=mail.answer,
            facts=facts, parent_id=answer.id, consent=True,
        )  # fmt: skip
        return await self.sent.add(principal, mail, record, answer.person), record.id

    def edits_kind(self, application: str) -> str:
        """See ``training.stages.LearnableEdits``."""
        return "text" if application == NAME else ""

    async def learnable_edits(self, principal: Principal, application: str) -> Sequence[Example]:
        """See ``training.stages.LearnableEdits``."""
        return learnable(await self.sent.learnable(principal)) if application == NAME else ()

    async def decide(self, principal: Principal, user: str, *, consent: bool) -> None:
        """Write down whether the person agrees; own phrases of who refuses are deleted. Raises ``QuotaExceeded``."""
        who = Writer.of(principal, user)
        decided: Agreed = "granted" if consent else "refused"
        await self.writers.decide(who, decided)
        self._own.pop(who, None)

    async def learn(self, principal: Principal, user: str, text: str) -> int:
        """Keep a text that a person sent; how many are kept. Raises ``NoConsent``, ``QuotaExceeded``."""
        self.check_enabled()
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
                await self.sent.tidy(time.time())
            except Exception:
                _log.exception("old suggestions were not deleted; the next round repeats it")
            await asyncio.sleep(_TIDY_S)

    async def close(self) -> None:
        await self.shown.close()
        await asyncio.to_thread(self._thread.shutdown)

    def check_enabled(self) -> None:
        if not self.settings.enabled:
            raise Unsupported("Smart Compose is off", remedy="Set compose.enabled (MAINSPRING_COMPOSE__ENABLED=true)")

    async def _by(self, principal: Principal, named: str, preferred: str = "") -> tuple[str, Suggesting]:
        """The label of a version (empty: the server's model) with what suggests by it."""
        first = await self.trained.folder(principal, named) if named else None
        if first is None and preferred:
            first = await self.trained.named(principal, preferred)
        if first is None:
            ready = "suggesting" in self.__dict__
            return "", self.suggesting if ready else await self._work(lambda: self.suggesting)
        label, folder = first
        found = self._named.get(folder)
        if found is None:
            found = self._named[folder] = await self._work(lambda: Suggesting(load(str(folder)), self.settings))
        return label, found

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
