"""Adapts requests and answers of llama.cpp's server where they differ from OpenAI's format."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from mainspring.core.settings import EnginesSettings
from mainspring.core.types import Event, Grammar, Sampling, Text


def body(tokens: list[int], sampling: Sampling, settings: EnginesSettings) -> dict[str, Any]:
    """llama.cpp's request. Its own defaults (temperature 0.8, top_k 40 ...) are set aside."""

    def chosen(value: float | None, default: float) -> float:
        return default if value is None else value

    asked: dict[str, Any] = {
        "prompt": tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
        "cache_prompt": settings.prefix_cache,
        "max_tokens": -1 if sampling.max_tokens is None else sampling.max_tokens,
        "temperature": chosen(sampling.temperature, 1.0),
        "top_p": chosen(sampling.top_p, 1.0),
        "top_k": chosen(sampling.top_k, 0),
        "min_p": chosen(sampling.min_p, 0.0),
        "repeat_penalty": chosen(sampling.repetition_penalty, 1.0),
        "presence_penalty": chosen(sampling.presence_penalty, 0.0),
        "frequency_penalty": chosen(sampling.frequency_penalty, 0.0),
        "repeat_last_n": settings.kv_tokens,
        # Its own order filters before the temperature, which keeps other tokens than everybody else's.
        "samplers": ["penalties", "temperature", "top_k", "top_p", "min_p"],
        "n": sampling.n,
        "ignore_eos": sampling.ignore_eos,
    }
    if sampling.seed is not None:
        # The largest 32-bit seed asks llama.cpp for a random one.
        asked["seed"] = sampling.seed % 0xFFFFFFFF
    if sampling.logprobs is not None:
        asked["n_probs"] = max(1, sampling.logprobs)
    if sampling.logit_bias:
        asked["logit_bias"] = [list(each) for each in sampling.logit_bias]
    if sampling.grammar is not None:
        asked |= constraint(sampling.grammar)
    return asked


def constraint(grammar: Grammar) -> dict[str, Any]:
    """The fields that hold an answer to ``grammar``."""
    if grammar.kind == "ebnf":
        return {"grammar": grammar.source}
    return {"json_schema": json.loads(grammar.source)}


def fewer(event: Event, alternatives: int | None) -> Event:
    """llama.cpp gives at least one alternative; 0 asks for the chosen token alone."""
    if alternatives != 0 or not isinstance(event, Text) or not event.logprobs:
        return event
    return dataclasses.replace(
        event, logprobs=tuple(dataclasses.replace(logprob, top=()) for logprob in event.logprobs)
    )
