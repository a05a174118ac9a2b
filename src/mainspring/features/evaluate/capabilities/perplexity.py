"""Perplexity of texts under a model that tells the log-probabilities of a prompt: exp of the mean negative
log-probability of a token.

A long text is read in pieces. The end of the piece before stands in front of each as context, and is not counted again.
The first token of a text has nothing before it, and is not counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from mainspring.core.errors import InvalidRequest
from mainspring.core.path import collect
from mainspring.core.types import CompletionRequest, Sampling, TokenLogprob
from mainspring.features.evaluate.capabilities.asking import Target, prompt_logprobs
from mainspring.statistics.significance import Estimate

_TOLD = Sampling(max_tokens=1, temperature=0.0, logprobs=0, prompt_logprobs=True)
# The normal quantile of a 95 % interval.
_Z = 1.959963984540054


@dataclass(frozen=True, slots=True)
class TextLoss:
    """The summed negative log-probability (nats) of ``tokens`` tokens of a text, its words and its UTF-8 bytes."""

    name: str
    nats: float
    tokens: int
    words: int
    bytes: int

    @property
    def perplexity(self) -> float:
        return math.exp(self.nats / self.tokens)


@dataclass(frozen=True, slots=True)
class Perplexity:
    """Over all texts: by token with an interval over texts, by word, and in bits a byte. Only the first depends on the
    tokenizer of the model: compare models of several tokenizers by the others."""

    by_token: Estimate
    by_word: float
    bits_per_byte: float
    tokens: int
    texts: tuple[TextLoss, ...]


def pieces(text: str, characters: int, overlap: int) -> Iterator[tuple[str, str]]:
    """``(context, piece)``, whose pieces make up ``text``. Cut before a space where there is one in the second half of
    a piece."""
    start = 0
    while start < len(text):
        end = min(len(text), start + characters)
        if end < len(text):
            space = text.rfind(" ", start + characters // 2, end)
            end = space if space > 0 else end
        yield text[max(0, start - overlap) : start], text[start:end]
        start = end


def counted(told: Sequence[TokenLogprob], context: int) -> tuple[float, int]:
    """The nats and the number of the tokens that begin behind ``context`` characters."""
    nats, tokens, at = 0.0, 0, 0
    for each in told:
        if at >= context and not math.isnan(each.logprob):
            nats -= each.logprob
            tokens += 1
        at += len(each.token)
    return nats, tokens


async def loss(target: Target, name: str, text: str, *, characters: int, overlap: int) -> TextLoss:
    """Raises ``Unsupported`` if the responder does not tell log-probabilities of a prompt, ``PromptTooLong``."""
    nats, tokens = 0.0, 0
    for context, piece in pieces(text, characters, overlap):
        request = CompletionRequest(target.model, context + piece, _TOLD, store=False)
        answer = await collect(await target.responder.respond(request, target.context()))
        more, count = counted(prompt_logprobs(answer), len(context))
        nats, tokens = nats + more, tokens + count
    return TextLoss(name, nats, tokens, len(text.split()), len(text.encode()))


async def measure(
    target: Target,
    texts: Sequence[tuple[str, str]],
    *,
    characters: int = 4_000,
    overlap: int = 1_000,
    progress: Callable[[int, int], None] | None = None,
) -> Perplexity:
    """Of ``texts`` (name, text). Raises ``InvalidRequest`` if no token can be counted, and what ``loss`` raises."""
    found: list[TextLoss] = []
    for number, (name, text) in enumerate(texts, 1):
        found.append(await loss(target, name, text, characters=characters, overlap=overlap))
        if progress is not None:
            progress(number, len(texts))
    return summed([each for each in found if each.tokens])


def summed(texts: Sequence[TextLoss]) -> Perplexity:
    """The interval is that of a ratio of sums over texts (delta method); of one text it is without end."""
    tokens = sum(each.tokens for each in texts)
    if not tokens:
        raise InvalidRequest("the texts have no second token", remedy="Give texts of some words", param="file")
    nats = sum(each.nats for each in texts)
    mean, count = nats / tokens, len(texts)
    spread = math.inf
    if count > 1:
        residuals = [(each.nats - mean * each.tokens) / (tokens / count) for each in texts]
        spread = _Z * math.sqrt(sum(each * each for each in residuals) / (count - 1) / count)
    low, high = math.exp(mean - spread), math.exp(mean + spread) if spread < math.inf else math.inf
    words, length = sum(each.words for each in texts), sum(each.bytes for each in texts)
    return Perplexity(
        Estimate(math.exp(mean), low, high, count),
        math.exp(nats / words),
        nats / math.log(2) / length,
        tokens,
        tuple(texts),
    )
