"""The work that a request is expected to cause in an engine."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from mainspring.core.types import Usage
from mainspring.engines.chat.output_lengths import OutputLengths

INPUT_COST = 0.5
"""The cost of an input token relative to an output token (VTC's weights: 1 and 2)."""
LEARNT = 0.1
TENANTS = 1024
TOLD = 4096
"""A cap up to this tells something about the answer: a tenant uses some share of it. Clients send a larger one by
default."""


@dataclass(frozen=True, slots=True)
class Work:
    """The estimated work of a request: tokens to read, the maximum to write in each of ``width`` sequences."""

    prompt: int
    output: int
    width: int = 1

    @property
    def reads(self) -> float:
        """The cost of reading it."""
        return INPUT_COST * self.prompt

    @property
    def most(self) -> float:
        """The most that it can cost."""
        return self.reads + self.output * self.width


class Expected:
    """The share of their maximum that requests use, learnt from finished ones."""

    def __init__(self, prompt: float = 1.0, output: float = 1.0) -> None:
        self.prompt = prompt
        self.output = output

    def cost(self, work: Work) -> float:
        return work.reads * self.prompt + work.output * work.width * self.output

    def learn(self, work: Work, usage: Usage) -> None:
        if work.prompt and usage.prompt_tokens:
            self.prompt += LEARNT * (usage.prompt_tokens / work.prompt - self.prompt)
        if work.output:
            share = min(1.0, usage.completion_tokens / (work.output * work.width))
            self.output += LEARNT * (share - self.output)


class Expectations:
    """Expectations by tenant: one tenant's long answers say nothing about another's. A new one gets the average of
    all."""

    def __init__(self) -> None:
        self._all = Expected()
        self._tenants: dict[str, Expected] = {}
        self._lengths = OutputLengths()

    def within(self, tenant: str, work: Work) -> Work:
        """``work`` with the length that an answer will probably have at most, instead of a cap above ``TOLD``."""
        if work.output <= TOLD:
            return work
        return dataclasses.replace(work, output=self._lengths.expected((tenant,), work.output, TOLD))

    def tokens(self, tenant: str, work: Work) -> int:
        """The cache that ``work`` will probably occupy at most."""
        likely = self._lengths.expected((tenant,), work.output)
        return round(work.prompt * self.of(tenant).prompt) + likely * work.width

    def of(self, tenant: str) -> Expected:
        return self._tenants.get(tenant, self._all)

    def learn(self, tenant: str, work: Work, usage: Usage) -> None:
        """Learn the actual usage of ``work``, which is that of ``within``."""
        self._lengths.learn((tenant,), usage.completion_tokens // work.width)
        own = self._tenants.pop(tenant, None) or Expected(self._all.prompt, self._all.output)
        # The tenant that was seen last stands last.
        self._tenants[tenant] = own
        if len(self._tenants) > TENANTS:
            del self._tenants[next(iter(self._tenants))]
        for each in (self._all, own):
            each.learn(work, usage)
