"""Interactions for tests of exports."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

from mainspring.evaluation.interactions import Interaction

WORDS = (
    "boat order return refund invoice parcel courier address colour size shoe lamp garden hose printer cable battery "
    "warranty screen keyboard engine ticket hotel breakfast museum river castle winter summer apple lemon butter"
).split()


def interaction(name: str, question: str, answer: str = "Yes, it does [1].", **more: Any) -> Interaction:
    """A clean row named ``name`` with two events."""
    made = Interaction(
        tenant="acme",
        answer_id=f"ans_{name}",
        trace_id=f"trace_{name}",
        at=1_790_000_000.0,
        event_ids=(f"ans_{name}", f"call_{name}"),
        messages=({"role": "system", "content": "You help."}, {"role": "user", "content": question}),
        answer=answer,
        subject=f"user-{name}",
        model="small",
        application="desk",
        consent=True,
    )
    return dataclasses.replace(made, **more)


def sentence(drawn: random.Random, length: int = 14) -> str:
    """Random words."""
    return " ".join(drawn.choice(WORDS) for _ in range(length)) + f" {drawn.randrange(10**6)}?"


def grounded(count: int) -> list[Interaction]:
    """Answers over two passages each, the first of which they cite."""
    return [
        interaction(
            str(number),
            f"What is the rule number {number} about {WORDS[number % len(WORDS)]}?",
            f"Rule {number} says it is allowed [1].",
            passages=(f"Rule {number}: it is allowed on day {number}.", f"Day {number} is a holiday."),
            cited=(1,),
        )
        for number in range(count)
    ]
