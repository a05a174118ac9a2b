"""Answers under schemas of Zod, TypeBox, OpenAI's client and each keyword: how many are whole, and whether those fit.

    python benchmarks/schema_answers.py --keep FILE [--model NAME] [--minutes 20] [--first 1000] [--tokens 200]
        [--seed 0]

The schemas are those of the tests (``tests/engines/grammar/schema_corpus.py``), drawn by the seed: a run that ends
early has asked a fair sample. Outcomes are appended to FILE as they come, and a run goes on where an earlier one ended.
Each schema is asked for once, greedily. Whole answers are judged by the library jsonschema, which is no part of what
wrote or repaired them. Cut answers have used their tokens up and are no error; a wrong one is.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import jsonschema
from jsonschema.validators import validator_for

from _report import Figure, report
from code_passk import wilson
from mainspring.core.errors import MainspringError
from mainspring.core.path import collect
from mainspring.core.settings import load
from mainspring.core.types import ChatRequest, Context, Grammar, Message, Sampling
from mainspring.system import System

sys.path.append(str(Path(__file__).parents[1]))

from tests.engines.grammar.schema_corpus import KEYWORDS, generated

MODEL = "smollm2-135m-instruct"
Outcome = Literal["fits", "wrong", "no JSON", "cut", "given up", "refused", "unjudged"]


def schemas() -> list[tuple[str, Any]]:
    """All of them, by origin and name; equal ones once."""
    found: dict[str, tuple[str, Any]] = {}
    for origin, each in {**generated(), "keyword": KEYWORDS}.items():
        for name, schema in each.items():
            found.setdefault(json.dumps(schema, sort_keys=True), (f"{origin} {name}", schema))
    return list(found.values())


def judged(schema: Any, text: str) -> Outcome:
    """Of an answer that is whole."""
    try:
        value = json.loads(text)
    except ValueError:
        return "no JSON"
    if '"nullable"' in json.dumps(schema):
        # OpenAPI's word for null, which is none of JSON Schema.
        return "unjudged"
    kind = validator_for(schema, default=jsonschema.Draft202012Validator)
    try:
        return "fits" if kind(schema, format_checker=kind.FORMAT_CHECKER).is_valid(value) else "wrong"
    except Exception:
        # Patterns that Python's expressions lack, and references that the library does not resolve.
        return "unjudged"


async def asked(system: System, model: str, name: str, schema: Any, tokens: int) -> tuple[Outcome, str]:
    words = f"Give an example of {name.rpartition(' ')[2]} as JSON."
    sampling = Sampling(tokens, 0.0, grammar=Grammar("json_schema", json.dumps(schema)))
    request = ChatRequest(model, (Message("user", words),), sampling, store=False)
    try:
        answer = await collect(await system.respond(request, Context(system.local)))
    except MainspringError as error:
        cut = "max_tokens" in str(error) or "cut" in str(error)
        # What no grammar can hold is repaired for some rounds.
        late = "no valid answer" in str(error)
        return ("cut" if cut else "given up" if late else "refused"), str(error)
    if answer.choices[0].finish == "length":
        return "cut", answer.text
    return judged(schema, answer.text), answer.text


def lines(keep: Path) -> dict[str, str]:
    """The outcomes so far, by the schema's name."""
    found = map(json.loads, keep.read_text(encoding="utf-8").splitlines() if keep.exists() else ())
    return {each["name"]: each["outcome"] for each in found}


async def run(drawn: Sequence[tuple[str, Any]], model: str, minutes: float, tokens: int, keep: Path) -> None:
    known, until = lines(keep), time.monotonic() + 60 * minutes
    with tempfile.TemporaryDirectory() as home:
        settings = load().settings
        models = settings.models.model_copy(update={"chat": (model,), "larger": ""})
        settings = settings.model_copy(update={"home": Path(home), "models": models})
        async with System.open(settings) as system:
            for name, schema in (each for each in drawn if each[0] not in known):
                if time.monotonic() > until:
                    break
                outcome, text = await asked(system, model, name, schema, tokens)
                with keep.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"name": name, "outcome": outcome, "text": text[:500]}) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--keep", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--first", type=int, default=1000)
    parser.add_argument("--tokens", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    drawn = schemas()
    total = len(drawn)
    random.Random(args.seed).shuffle(drawn)
    drawn = drawn[: args.first]
    if args.minutes:
        asyncio.run(run(drawn, args.model, args.minutes, args.tokens, args.keep))
    known = lines(args.keep)
    counts = Counter(known[name] for name, _ in drawn if name in known)
    tried, whole = counts.total(), counts["fits"] + counts["wrong"] + counts["no JSON"]
    if not whole:
        parser.error("no answer was whole")
    against = f"{args.model}, n={tried}, drawn from {total} schemas, {args.tokens} tokens at most"
    low, high = wilson(counts["fits"], whole)
    figures = {
        "whole answers that fit": Figure(
            round(counts["fits"] / whole, 4), "share", "higher", floor=1.0,
            against=f"{against}; {counts['fits']} of {whole} whole ones, 95 % {low:.3f}-{high:.3f}",
        ),
    }  # fmt: skip
    for outcome in ("cut", "given up", "refused", "unjudged"):
        figures[outcome] = Figure(counts[outcome], "answers", "lower", against=against)
    report("schema_answers", figures)


if __name__ == "__main__":
    main()
