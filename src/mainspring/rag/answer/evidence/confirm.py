"""Has a chat model read the best passages one by one and say whether each answers the question.

Words, cosines and small cross-encoders miss an answer in other words than the question's, and mistake a passage on the
subject for an answer. A model of a billion weights makes neither mistake as often. It writes nothing: the probability
of "yes" as its first word orders the passages (pointwise relevance generation; Liang et al. 2022, Zhuang et al. 2023).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from mainspring.core.errors import MainspringError
from mainspring.core.types import Context
from mainspring.guards.rewrite.spotlight import neutralise
from mainspring.rag.answer.verbatim import extract, unit_rerank
from mainspring.rag.answer.verbatim.choice_weights import ChoiceWeights
from mainspring.rag.answer.verbatim.extract import Passage
from mainspring.rag.answer.write.answer_form import wish
from mainspring.rag.query.model import ModelAsk
from mainspring.rag.text import terms

log = logging.getLogger("mainspring.rag")
MOST = 6
"""The number of passages that are read at most."""
# The model reads this many at first. If it is this sure of one of them, it reads no more.
_FIRST, _SURE = 3, 0.8
INSTRUCTION = "Does the text answer this question? Reply yes or no."
# What one unit of the model's logit adds to a passage's score, and the logit beyond which it is certain.
_WEIGHT, _CERTAIN = 0.3, 6.0
# After a reading this many passages are shown, since the right ones come earlier; and their scores may be this much
# further below the best, since readings spread the scores.
_SHOWN, _SPREAD = 3, 0.3
# Passages that were not read come after all that were.
_UNREAD = 10.0


@dataclass(frozen=True, slots=True)
class Confirm:
    """``ask`` asks the model within a request's context; passages stay as they are if it takes more than ``within_s``
    seconds. ``fingerprint`` changes with the model."""

    ask: Callable[[Context], ModelAsk]
    within_s: float
    fingerprint: str = ""

    async def read(self, question: str, ranked: Sequence[Passage], context: Context) -> list[Passage]:
        """``ranked`` (best first) in a new order: those with ``confirmed`` first, at most ``MOST``. If the model fails
        or is too slow, the order stays."""
        ask = self.ask(context)
        texts = list(dict.fromkeys(unit_rerank.form(passage, question) for passage in ranked[:MOST]))
        if not texts:
            return []
        try:
            async with asyncio.timeout(self.within_s):
                said = await _said(ask, question, texts[:_FIRST])
                if not any(likely is not None and likely >= _SURE for likely in said.values()):
                    said |= await _said(ask, question, texts[_FIRST:])
        except TimeoutError:
            log.warning("the chat model took longer than %g s to read passages", self.within_s)
            return list(ranked)
        except MainspringError as error:
            log.warning("the chat model did not read passages: %s", error.message)
            return list(ranked)
        return ordered(question, ranked, said)


def fits(question: str) -> bool:
    """Whether one passage may answer ``question`` alone: a summary, a comparison and a sum need several, and the model
    was measured with English."""
    wished = wish(question)
    return wished.form in ("plain", "yes_no") and wished.language == "en"


def ordered(question: str, ranked: Sequence[Passage], said: Mapping[str, float | None]) -> list[Passage]:
    """``ranked`` in the new order, with the probabilities ``said`` of some of them."""
    found = []
    for passage in ranked:
        form = unit_rerank.form(passage, question)
        if form not in said:
            found.append(replace(passage, score=passage.score - _UNREAD))
            continue
        likely = said[form]
        # Neither yes nor no is no sign.
        gain = 0.0 if likely is None else _WEIGHT * max(-_CERTAIN, min(_CERTAIN, unit_rerank.logit(likely)))
        found.append(replace(passage, score=passage.score + gain, confirmed=likely))
    found.sort(key=lambda passage: -passage.score)
    return extract.by_key(found, terms.content(question))


def best(passages: Sequence[Passage]) -> float | None:
    """The highest probability that a passage answers; None if none was read."""
    return max((each.confirmed for each in passages if each.confirmed is not None), default=None)


def narrowed(passages: Sequence[Passage], most: int, choice: ChoiceWeights) -> tuple[int, ChoiceWeights]:
    """How many of ``passages`` are shown, at most ``most``, and the weights that choose them."""
    if best(passages) is None:
        return most, choice
    return min(most, _SHOWN), replace(choice, near=choice.near + _SPREAD)


async def _said(ask: ModelAsk, question: str, texts: Sequence[str]) -> dict[str, float | None]:
    """The model's probability for each text. The first is read alone: then the common beginning of all prompts is in
    the engine's cache."""
    asked = neutralise(question)

    async def one(text: str) -> float | None:
        return await ask.yes(INSTRUCTION, f"Question: {asked}\nText: {neutralise(text)}")

    if not texts:
        return {}
    first = await one(texts[0])
    tasks = [asyncio.create_task(one(text)) for text in texts[1:]]
    try:
        return dict(zip(texts, [first, *await asyncio.gather(*tasks)], strict=True))
    finally:
        for task in tasks:
            task.cancel()
