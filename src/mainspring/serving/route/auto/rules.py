"""The features of a request that a router sees before any answer, and the configured rules over them."""

from __future__ import annotations

import re
from dataclasses import dataclass

import mainspring.serving.admit.token_estimate as estimate
from mainspring.core.settings import RouteRule
from mainspring.core.types import ChatRequest, CompletionRequest


@dataclass(frozen=True, slots=True)
class RouterInput:
    """``text`` is the last user message, or the prompt; ``tokens`` an estimate of the whole prompt."""

    text: str
    tokens: int
    output_tokens: int
    turns: int
    tools: bool
    grammar: str

    @classmethod
    def of(cls, request: ChatRequest | CompletionRequest, default_output: int) -> RouterInput:
        """``default_output`` is what an answer may take if the request does not say."""
        sampling = request.sampling
        wanted = default_output if sampling.max_tokens is None else sampling.max_tokens
        grammar = sampling.grammar.kind if sampling.grammar else ""
        tokens = estimate.prompt_tokens(request)
        if isinstance(request, CompletionRequest):
            return cls(request.said, tokens, wanted, 1, tools=False, grammar=grammar)
        said = [message.content for message in request.messages if message.role == "user"]
        return cls(said[-1] if said else "", tokens, wanted, len(said), tools=bool(request.tools), grammar=grammar)


def holds(rule: RouteRule, asked: RouterInput) -> bool:
    """Whether every condition of ``rule`` holds."""
    if rule.words and not any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", asked.text, re.I) for word in rule.words):
        return False
    if rule.pattern and not re.search(rule.pattern, asked.text):
        return False
    if rule.tokens_above is not None and asked.tokens <= rule.tokens_above:
        return False
    if rule.turns_above is not None and asked.turns <= rule.turns_above:
        return False
    if rule.tools is not None and rule.tools != asked.tools:
        return False
    return rule.structured is None or rule.structured == bool(asked.grammar)


def first(rules: tuple[RouteRule, ...], asked: RouterInput) -> tuple[int, RouteRule] | None:
    """The first rule that holds, with its number from 1."""
    return next(((number, rule) for number, rule in enumerate(rules, 1) if holds(rule, asked)), None)
