"""A chat model as the judge of the RAG triad: one question a claim, an answer or a passage, replied to by a schema.

Use a model that the catalogue marks ``grounded``: a small one guesses, and ``ChatJudge`` refuses it. Judged texts are
data: each is between delimiters that it cannot imitate. A judge is no proof either; ``benchmarks/triad.py --judge
MODEL`` measures one on the same labels as the heuristics.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.core.errors import EngineError, Unsupported
from mainspring.core.path import collect
from mainspring.core.types import (
    ChatRequest,
    Context,
    Grammar,
    Message,
    Principal,
    Priority,
    Responder,
    Sampling,
)
from mainspring.engines import ChatModel
from mainspring.guards.rewrite.spotlight import Spotlight

VERDICTS: Mapping[str, float] = {"supported": 1.0, "partly": 0.5, "not_mentioned": 0.0, "contradicted": 0.0}
GRADES: Mapping[str, float] = {"fully": 1.0, "mostly": 0.75, "partly": 0.5, "hardly": 0.25, "not_at_all": 0.0}

_SUPPORT = (
    "You check whether passages support a claim. Go by the passages alone, not by what you know. First write down in "
    "`reason` the words of the passages that decide. Then give the `verdict`: supported (the passages say it, in any "
    "words), partly (they say a part of it and nothing against the rest), contradicted (they say otherwise: another "
    "number, name, date, place, direction or a negation), not_mentioned (they do not say)."
)
_ANSWER = (
    "You grade whether an answer answers the question that was asked. Whether it is true does not matter. An answer "
    "that evades, refuses, or is about something else does not answer at all; extra statements make it worse. First "
    "write down in `reason` what was asked and what was given, then the `grade`."
)
_PASSAGE = (
    "You grade how much of what is needed to answer a question a passage holds. A passage on the same subject without "
    "the answer holds hardly anything of it. First write down in `reason` what is asked for and where the passage has "
    "it, then the `grade`."
)
_MAX_TOKENS = 256


def version() -> str:
    """Changes with the judge's questions and with the weights of its replies."""
    told = (_SUPPORT, _ANSWER, _PASSAGE, _MAX_TOKENS, sorted(VERDICTS.items()), sorted(GRADES.items()))
    return hashlib.sha256(repr(told).encode()).hexdigest()


def schema(key: str, values: Sequence[str]) -> dict[str, Any]:
    """The JSON schema of a reply: a ``reason``, then ``key`` with one of ``values``."""
    return {
        "type": "object",
        "properties": {
            "reason": {"type": "string", "maxLength": 400},
            key: {"type": "string", "enum": list(values)},
        },
        "required": ["reason", key],
        "additionalProperties": False,
    }


class ChatJudge:
    """Judges with a chat model. ``tokens`` counts its input and output; its calls run within
    ``context``, which pays for them (None: a new, uncharged one for each question).

    Every method raises ``EngineError`` if the model's reply does not fit the schema, and the model's errors.
    """

    def __init__(self, responder: Responder, model: str, *, context: Context | None = None) -> None:
        self._responder = responder
        self._model = model
        self._context = context
        self.tokens = 0

    @classmethod
    def of(cls, model: ChatModel) -> ChatJudge:
        """Raises ``Unsupported`` for a model that is not marked ``grounded``."""
        if not model.grounded:
            raise Unsupported(
                f"{model.name} is too weak to judge: the catalogue does not mark it grounded",
                remedy="Configure a capable model in models.chat, or go without a judge",
                param="judge",
            )
        return cls(model.responder, model.name)

    async def supported(self, claim: str, passages: Sequence[str]) -> float:
        """How well the passages support the claim: 1, 0.5 for a part, 0."""
        texts = [("passage", passage) for passage in passages]
        return VERDICTS[await self._ask(_SUPPORT, [*texts, ("claim", claim)], "verdict", tuple(VERDICTS))]

    async def answers(self, question: str, answer: str) -> float:
        """How fully the answer answers the question, true or not, from 0 to 1 by quarters."""
        return GRADES[await self._ask(_ANSWER, [("question", question), ("answer", answer)], "grade", tuple(GRADES))]

    async def useful(self, question: str, passage: str) -> float:
        """How much of the answer the passage holds, from 0 to 1 by quarters."""
        return GRADES[await self._ask(_PASSAGE, [("question", question), ("passage", passage)], "grade", tuple(GRADES))]

    async def _ask(self, task: str, texts: Sequence[tuple[str, str]], key: str, values: Sequence[str]) -> str:
        spotlight = Spotlight()
        request = ChatRequest(
            self._model,
            (
                Message("system", f"{task} {spotlight.instruction} Reply in JSON."),
                Message("user", "\n\n".join(spotlight.wrap(text, label) for label, text in texts)),
            ),
            sampling=Sampling(
                max_tokens=_MAX_TOKENS,
                temperature=0.0,
                grammar=Grammar("json_schema", json.dumps(schema(key, values))),
            ),
            store=False,
        )
        nobody = Context(Principal("default", "evaluation"), priority=Priority.BATCH)
        context = nobody if self._context is None else self._context.nested()
        answer = await collect(await self._responder.respond(request, context))
        self.tokens += answer.usage.total_tokens
        try:
            value = json.loads(answer.text)[key]
        except (ValueError, KeyError, TypeError):
            value = None
        if value not in values:
            raise EngineError(f"the judge {self._model} did not reply by the schema: {answer.text[:80]!r}")
        return str(value)
