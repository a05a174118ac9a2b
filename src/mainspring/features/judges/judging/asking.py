"""Asks a chat model for one reply of a scale, about texts that are data."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mainspring.core.errors import EngineError, Unsupported
from mainspring.core.path import collect
from mainspring.core.types import ChatRequest, Context, Grammar, Message, Responder, Response, Sampling
from mainspring.features.judges.judging.replies import Reply, named, read
from mainspring.guards.rewrite.spotlight import Spotlight

_SECRET = os.urandom(16)
_TEMPERATURE = 0.7
_ALTERNATIVES = 20
# A reply in words: the first one decides.
_TOKENS = 4


@dataclass(slots=True)
class LogprobSupport:
    """How many probabilities a token an engine tells: found out by asking (None: none)."""

    alternatives: int | None = _ALTERNATIVES


@dataclass(frozen=True, slots=True)
class Asking:
    """The chat model ``model`` behind its call ring, at batch priority. ``told`` outlives it."""

    responder: Responder
    model: str
    told: LogprobSupport = field(default_factory=LogprobSupport)

    def state(self, context: Context) -> str:
        """Of the model; its name where its responder does not tell it."""
        request = ChatRequest(self.model, (Message("user", ""),), sampling=Sampling(temperature=0.0))
        return self.responder.fingerprint(request, context) or self.model

    async def ask(
        self,
        task: str,
        texts: Sequence[tuple[str, str]],
        labels: Sequence[str],
        context: Context,
        *,
        samples: int = 1,
    ) -> list[Reply]:
        """``samples`` replies to ``task``, each one of ``labels``; one is greedy. Each of ``texts``, (name, text), is
        between delimiters that it cannot imitate. Raises ``EngineError`` if the model replies otherwise."""
        # Equal for equal first texts, the passages, so that judging several answers by them reads them once.
        light = Spotlight.over(_SECRET, [text for name, text in texts if name == texts[0][0]])
        listed = ", ".join(labels[:-1]) + f" or {labels[-1]}"
        asked = "\n\n".join(f"{name[:1].upper()}{name[1:]}:\n{light.wrap(text, name)}" for name, text in texts)
        messages = (
            Message("system", f"You judge texts. {light.instruction}"),
            # Last: what a text asks for has been said before this.
            Message("user", f"{asked}\n\n{task}\nReply with one word: {listed}."),
        )
        return [await self._one(messages, labels, context, samples > 1) for _ in range(samples)]

    async def _one(self, messages: tuple[Message, ...], labels: Sequence[str], context: Context, drawn: bool) -> Reply:
        sampling = Sampling(max_tokens=_TOKENS, temperature=_TEMPERATURE if drawn else 0.0)
        if not drawn:
            graded = await self._graded(messages, labels, context)
            if graded is not None:
                return graded
        reply = {"type": "string", "enum": list(labels)}
        schema = {"type": "object", "properties": {"reply": reply}, "required": ["reply"]}
        grammar = Grammar("json_schema", json.dumps({**schema, "additionalProperties": False}))
        wanted = Sampling(max_tokens=64, temperature=sampling.temperature, grammar=grammar)
        answer = await collect(await self._respond(messages, wanted, context))
        try:
            said = named(str(json.loads(answer.text)["reply"]), labels)
        except (ValueError, KeyError, TypeError):
            said = None
        if said is None:
            raise EngineError(f"the judge {self.model} did not reply by the scale: {answer.text[:80]!r}")
        return Reply({label: float(label == said) for label in labels}, graded=False)

    async def _graded(self, messages: tuple[Message, ...], labels: Sequence[str], context: Context) -> Reply | None:
        """By the probabilities of the first word; None where the engine has none that say enough."""
        while self.told.alternatives is not None and not (self.told.alternatives < 2 < len(labels)):
            sampling = Sampling(max_tokens=_TOKENS, temperature=0.0, logprobs=self.told.alternatives)
            try:
                return read(await collect(await self._respond(messages, sampling, context)), labels)
            except Unsupported:
                self.told.alternatives = 1 if self.told.alternatives > 1 else None
        return None

    async def _respond(self, messages: tuple[Message, ...], sampling: Sampling, context: Context) -> Response:
        request = ChatRequest(self.model, messages, sampling=sampling, store=False)
        return await self.responder.respond(request, context.nested())


def scaled(scale: Mapping[str, float]) -> list[str]:
    """The replies of a scale, from the lowest score."""
    return sorted(scale, key=lambda label: scale[label])
