"""Log-probabilities of tokens, as the child sends them."""

from __future__ import annotations

import math

from mainspring.core.types import TokenLogprob


def generated(rows: list[tuple[str, float, bool]]) -> tuple[TokenLogprob, ...]:
    """Of generated tokens: (text, log-probability, whether it is asked for as the likeliest of its place)."""
    # Alternatives are granted to greedy requests only: there the chosen token is the likeliest.
    return tuple(
        TokenLogprob(token, logprob, ((token, logprob),) if likeliest else ()) for token, logprob, likeliest in rows
    )


def of_prompt(rows: list[tuple[str, float]]) -> tuple[TokenLogprob, ...]:
    """Of a prompt's tokens: (text, log-probability)."""
    # Nothing precedes the first token: what the runtime says of it is no log-probability.
    return tuple(TokenLogprob(token, logprob if place else math.nan) for place, (token, logprob) in enumerate(rows))
