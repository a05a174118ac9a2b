"""A recorded request, rebuilt from its stored parts with changes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mainspring.core.errors import Conflict, Unsupported
from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.facts.guards import GuardFacts
from mainspring.core.types import (
    ChatRequest,
    CompletionRequest,
    Context,
    EventRecord,
    Message,
    PromptUse,
    Request,
)
from mainspring.serving.ring import request_snapshot
from mainspring.serving.ring.registry import Registry
from mainspring.stores.events.log import EventLog

_APPLICATIONS = ("application", "collection")
_SYSTEM = ("system", "developer")


@dataclass(frozen=True, slots=True)
class Changes:
    """The changes to the request. ``prompt`` without variables gets those that were recorded; ``parameters`` are fields
    of ``Sampling``."""

    model: str = ""
    prompt: PromptUse | None = None
    policy: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """For the record: only the changes."""
        changed: dict[str, Any] = {"model": self.model, "policy": self.policy, "parameters": dict(self.parameters)}
        if self.prompt is not None:
            changed["prompt"] = {"id": self.prompt.name, "version": self.prompt.wanted or None}
        return {name: value for name, value in changed.items() if value}


class RecordedRequests:
    """Makes requests of answer events."""

    def __init__(self, events: EventLog, names: Registry) -> None:
        self._events = events
        self._names = names

    async def request(self, original: EventRecord, changes: Changes, context: Context) -> tuple[Request, list[str]]:
        facts = AnswerFacts.of(original.facts)
        if facts.operation not in ("chat", "text_completion"):
            raise Unsupported(
                f"{original.id} is not a chat or completion: {facts.operation} requests are not replayed",
                param="answer_id",
            )
        if original.content is None:
            raise Conflict(
                f"the text of {original.id} is not kept: it was asked with store: false, or erased, or its time has "
                "passed",
                remedy="Only requests whose text is kept can be asked again",
                param="answer_id",
            )
        content = json.loads(original.content)
        if facts.operation == "text_completion":
            if changes.prompt is not None:
                raise Unsupported("a text completion takes no prompt of the registry", param="prompt")
            drawn = dataclasses.replace(request_snapshot.restored_sampling(facts, None), **changes.parameters)
            plain = CompletionRequest(
                changes.model or facts.requested,
                content["prompt"],
                drawn,
                facts.user,
                content.get("suffix", ""),
            )
            return plain, await self._redacted(original)
        messages, made = await self._messages(original, content)
        notices = [f"not kept, and left out: {each}" for each in made] + await self._redacted(original)
        if original.version < AnswerFacts.VERSION:
            notices.append("recorded by an earlier version: its sampling, tools and options are not kept, and left out")
        request = request_snapshot.restored(facts, content, messages)
        request = dataclasses.replace(
            request,
            model=changes.model or request.model,
            sampling=dataclasses.replace(request.sampling, **changes.parameters),
        )
        return await self._prompted(request, original, content, changes, context, notices), notices

    async def _messages(
        self, original: EventRecord, content: Mapping[str, Any]
    ) -> tuple[tuple[Message, ...], list[str]]:
        texts = await self._events.texts(original.tenant, request_snapshot.references(content))
        messages, made = request_snapshot.restored_messages(content, texts)
        before: list[tuple[Message, ...]] = []
        previous = AnswerFacts.of(original.facts).previous
        while previous is not None:
            found = await self._events.find(original.tenant, kind="answer", subject=previous, limit=1)
            if not found or found[0].content is None:
                raise Conflict(
                    f"the text of {previous}, which this answer continues, is not kept",
                    remedy="An erased request cannot be repeated",
                    param="answer_id",
                )
            said = json.loads(found[0].content)
            turn = [request_snapshot.message(each) for each in said.get("messages", ())]
            reply = [
                request_snapshot.message(
                    {"role": "assistant", "content": each.get("text", ""), "tool_calls": each.get("tool_calls", ())}
                )
                for each in said.get("choices", ())[:1]
            ]
            before.append((*(each for each in turn if each.role not in _SYSTEM), *reply))
            previous = AnswerFacts.of(found[0].facts).previous
        instructions = content.get("shown", {}).get("instructions")
        told = (Message("system", instructions),) if instructions else ()
        return (*told, *(each for turn in reversed(before) for each in turn), *messages), made

    async def _redacted(self, original: EventRecord) -> list[str]:
        guards = await self._events.find(original.tenant, kind="guard", subject=original.id)
        count = sum(
            each.count
            for each in (GuardFacts.of(each.facts) for each in guards)
            if each.stage == "input" and each.action in ("redact", "tokenise") and not each.dry_run
        )
        if not count:
            return []
        return [f"the request is kept as the guards let it pass: {count} finding{'' if count == 1 else 's'} replaced"]

    async def _prompted(
        self,
        request: ChatRequest,
        original: EventRecord,
        content: Mapping[str, Any],
        changes: Changes,
        context: Context,
        notices: list[str],
    ) -> ChatRequest:
        """The request under the prompt that it was under, in that version, or under another."""
        recorded = content.get("prompt") if isinstance(content.get("prompt"), dict) else None
        variables = dict((recorded or {}).get("variables", {}))
        if changes.prompt is not None:
            use = changes.prompt
            return dataclasses.replace(
                request, prompt=dataclasses.replace(use, variables=dict(use.variables) or variables)
            )
        if recorded is None:
            return request
        asked = AnswerFacts.of(original.facts).prompt
        assert asked is not None
        served = await self._names.find(request.model, context.principal)
        if served.kind not in _APPLICATIONS:
            # As it was rendered: the version may be deleted since, or belong to the settings.
            rendered = [request_snapshot.message(each) for each in recorded["messages"]]
            told = [each for each in (*rendered, *request.messages) if each.role in _SYSTEM]
            said = [each for each in (*rendered, *request.messages) if each.role not in _SYSTEM]
            return dataclasses.replace(request, messages=(*told, *said))
        if asked.default:
            notices.append("asked under the prompt that the settings name now")
            return request
        return dataclasses.replace(request, prompt=PromptUse(asked.name, str(asked.version), variables))
