"""Cost against quality of routing between two models that are really asked, on SQuAD and on GSM8K.

    python benchmarks/routing_at_hand.py [--squad 150] [--gsm8k 25]

Both are the default model, at one price a token: *small* is asked the question alone, *large* the same behind three
worked examples of the set, which takes several times the tokens. So shares right and costs are measured on both sides,
set by set, and nothing stands in for anything; what it shows is this pair, in which the large one need not be better.
The questions are of the half that ``routing_cost`` reports on, the examples and the packaged classifier of the other.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import random
import re
from collections.abc import Sequence

from _library import data
from _report import Figure, report
from mainspring import engines
from mainspring.core.settings import Settings
from mainspring.core.types import ChatRequest, Context, Message, Request, Responder, Response
from mainspring.features.evaluate.fit import routing
from mainspring.features.evaluate.fit.routing import Priced, Question, Row
from mainspring.serving.route.auto import confidence
from mainspring.serving.route.auto.classifier import Classifier
from routing_cost import SHIPPED, SIZES, asked, drawn, judged, squad

EXAMPLES = 3


class WithExamples:
    """The model, with worked examples before what it is asked."""

    def __init__(self, inner: Responder, examples: Sequence[Message]) -> None:
        self._inner, self._examples = inner, tuple(examples)

    async def respond(self, request: Request, context: Context) -> Response:
        assert isinstance(request, ChatRequest)
        messages = (*self._examples, *request.messages)
        return await self._inner.respond(dataclasses.replace(request, messages=messages), context)

    def fingerprint(self, request: Request, context: Context) -> str | None:  # noqa: ARG002
        return None


def examples(source: str) -> list[Message]:
    """Short questions of the half that is fitted on, each with the answer that it should get."""
    generator = random.Random(11)
    if source == "gsm8k":
        lines = (data("qa/gsm8k") / "test.jsonl").read_text(encoding="utf-8").splitlines()[0::2]
        brief = [row for row in map(json.loads, lines) if len(row["question"] + row["answer"]) < 400]
        pairs = [
            (row["question"], re.sub(r"<<.*?>>", "", row["answer"]).replace("####", "The answer is"))
            for row in generator.sample(brief, EXAMPLES)
        ]
    else:
        short = [question for question in squad()[0] if len(question.prompt) < 500]
        pairs = [(each.prompt, each.answers[0]) for each in generator.sample(short, EXAMPLES)]
    return [each for asked, said in pairs for each in (Message("user", asked), Message("assistant", said))]


def figures(source: str, rows: Sequence[Priced]) -> dict[str, Figure]:
    """Each policy's share right and tokens, the latter over those of asking the large one always."""
    found = routing.outcomes(rows)
    whole = next(each for each in found if each.policy == "always large")
    made: dict[str, Figure] = {}
    for each in found:
        quality, cost = routing.by_chance(rows, each.large)
        against = f"{len(rows)} prompts, {each.large:.2f} go to the large one; a coin: {quality:.3f}"
        made[f"{source}, {each.policy}: right"] = Figure(each.quality, "", "higher", against=against)
        against = f"{each.cost:.0f} tokens a prompt; a coin: {cost / whole.cost:.3f}"
        made[f"{source}, {each.policy}: cost"] = Figure(
            each.cost / whole.cost, "of always large's", "lower", against=against
        )
    return made


async def main(sizes: dict[str, int]) -> None:
    reported = drawn()[1]
    classifier = Classifier.load(SHIPPED)
    found: dict[str, Figure] = {}
    async with engines.open(Settings()) as opened:
        name, chat = next(iter(opened.chat.items()))
        for source in SIZES:
            questions: list[Question] = [each for each in reported if each.source == source][: sizes[source]]

            async def ask(
                model: Responder, said: str, mine: Sequence[Question] = questions, source: str = source
            ) -> list[Row]:
                return await asked(model, name, confidence.Logprob(), mine, f"{said}, {source}")

            small = await ask(chat.responder, "small")
            large = await ask(WithExamples(chat.responder, examples(source)), "large")
            chances = [classifier.chance(each.vector, each.text) for each in await judged(opened.embedder, small)]
            rows = [
                Priced(source, one.good, two.good, one.tokens, two.tokens, one.confidence or 0.0, chance)
                for one, two, chance in zip(small, large, chances, strict=True)
            ]
            found |= figures(source, rows)
    report("routing_at_hand", found)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--squad", type=int, default=150)
    parser.add_argument("--gsm8k", type=int, default=25)
    arguments = parser.parse_args()
    asyncio.run(main({"squad": arguments.squad, "gsm8k": arguments.gsm8k}))
