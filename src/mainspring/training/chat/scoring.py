"""Scorers of the features, made without a server: those that only compare texts and forms.

They serve as rewards and as figures on the side ``test``. Those that need models or a tenant's data are refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from mainspring.core import slices
from mainspring.core.errors import InvalidRequest, MissingExtra, Unsupported
from mainspring.core.nearest import nearest
from mainspring.core.types import Context, Principal
from mainspring.evaluation.examples import Example, ExampleAnswer
from mainspring.evaluation.scorers import Scorer
from mainspring.rag.answer.generate import REFUSAL
from mainspring.training.chat.options import WantedScore


class _NoRooms:
    """Stands where a server would be: whatever asks it for a room is refused."""

    def __getattr__(self, name: str) -> Any:
        raise Unsupported(
            "the scorer needs a server, and the process that trains has none",
            remedy="Use one that compares texts or forms: exact, f1, contains, regex, refusal, json-schema",
            param="options.scorers",
        )


def make(wanted: WantedScore) -> Scorer:
    """The scorer. Raises ``InvalidRequest`` for an unknown name or option, ``Unsupported`` if it needs a server."""
    factories: dict[str, Any] = {}
    for _, found in slices.declared("scorers", "SCORERS"):
        factories.update(found)
    if wanted.name not in factories:
        known = sorted(factories)
        close = nearest(wanted.name, known)
        hint = f"Did you mean {close}?" if close else f"There are: {', '.join(known)}"
        raise InvalidRequest(f"there is no scorer {wanted.name}", remedy=hint, param="options.scorers")
    made: Scorer = factories[wanted.name](_NoRooms(), wanted.options)
    return made


class Scoring:
    """Several scorers over answers. Raises what ``make`` raises."""

    def __init__(self, wanted: Sequence[WantedScore]) -> None:
        names = [each.name for each in wanted]
        if len(set(names)) < len(names):
            raise InvalidRequest("a scorer is named twice", param="options.scorers")
        self.wanted = tuple(wanted)
        self._scorers = [(each, make(each)) for each in wanted]
        self._context = Context(Principal("training", "training"))

    def each(self, examples: Sequence[Example], answers: Sequence[str]) -> dict[str, list[float | None]]:
        """The scores of each scorer; None where it has nothing to say. Raises what a scorer raises."""
        return asyncio.run(self._each(examples, answers))

    async def _each(self, examples: Sequence[Example], answers: Sequence[str]) -> dict[str, list[float | None]]:
        found: dict[str, list[float | None]] = {}
        for wanted, scorer in self._scorers:
            values: list[float | None] = []
            for example, text in zip(examples, answers, strict=True):
                try:
                    score = await scorer.score(example, ExampleAnswer(text, refused=refuses(text)), self._context)
                except AttributeError as error:
                    raise MissingExtra(f"the scorer {wanted.name} cannot be used here: {error}") from None
                values.append(None if score is None else score.value)
            found[wanted.name] = values
        return found

    def rewards(self, examples: Sequence[Example], answers: Sequence[str]) -> list[float]:
        """The weighted sum of the scores of each answer; a scorer that has nothing to say counts nothing."""
        found = self.each(examples, answers)
        weights = {wanted.name: wanted.weight for wanted, _ in self._scorers}
        return [
            sum(weights[name] * (values[place] or 0.0) for name, values in found.items())
            for place in range(len(answers))
        ]


def refuses(text: str) -> bool:
    """Whether an answer says that the documents do not say."""
    said = text.strip()
    return said.startswith((REFUSAL, "The documents do not say"))
