"""Cost against quality of routing: always small, always large, classifier, cascade, hybrid.

    python benchmarks/routing_cost.py [--ship] [--rows FILE]

The small model is the default one, really asked: SQuAD questions over their paragraph (a gold answer must stand in
what it says) and GSM8K (the last number must be right). There is no large model here: a stand-in that is always right,
for ten times the price a token and as many tokens. So the shares right under ``large`` are logic, not quality; what is
measured is what the small model can do and how well each signal tells when; ``routing_at_hand`` has a real pair.
Classifier and thresholds are fitted on one half of the articles and problems and reported on the other. ``--ship``
writes the packaged classifier, ``--rows`` keeps the small model's answers, so that a second run does not ask again.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from _library import data
from _report import Figure, report
from mainspring import engines
from mainspring.core.settings import Settings
from mainspring.core.types import Context, Principal, Responder, Sampling
from mainspring.engines.base import Embedder
from mainspring.features.evaluate.fit import routing
from mainspring.features.evaluate.fit.routing import Priced, Question, Row
from mainspring.serving.route.auto import confidence
from mainspring.serving.route.auto.classifier import Classifier, JudgedPrompt, fit

SHIPPED = Path(__file__).parent.parent / "src/mainspring/serving/route/auto/router.json"
LARGE_PRICE = 10
RIDGES = (10.0, 30.0, 100.0, 300.0, 1000.0)
SIZES = {"squad": 300, "gsm8k": 50}
AGREEMENT = 100
AT_ONCE = 16
MAX_TOKENS = {"squad": 32, "gsm8k": 200}


def squad() -> list[list[Question]]:
    """Two halves: of the even articles, and of the odd ones."""
    articles = json.loads((data("qa/squad") / "dev-v2.0.json").read_text(encoding="utf-8"))["data"]
    halves: list[list[Question]] = [[], []]
    for number, article in enumerate(articles):
        for paragraph in article["paragraphs"]:
            for each in paragraph["qas"]:
                if each["answers"] and not each.get("is_impossible"):
                    prompt = f"{paragraph['context']}\n\n{each['question']} Answer in a few words."
                    answers = tuple(sorted({answer["text"] for answer in each["answers"]}))
                    halves[number % 2].append(Question(prompt, answers, "contains", "squad"))
    return halves


def gsm8k() -> list[list[Question]]:
    lines = (data("qa/gsm8k") / "test.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    made = [Question(row["question"], (row["answer"].rsplit("####", 1)[1].strip(),), "number", "gsm8k") for row in rows]
    return [made[0::2], made[1::2]]


def drawn() -> list[list[Question]]:
    generator = random.Random(7)
    halves: list[list[Question]] = [[], []]
    for name, both in (("squad", squad()), ("gsm8k", gsm8k())):
        for half, questions in zip(halves, both, strict=True):
            half += generator.sample(questions, SIZES[name])
    return halves


async def asked(
    model: Responder, name: str, signal: confidence.Confidence, questions: Sequence[Question], said: str
) -> list[Row]:
    context, gate = Context(Principal("benchmark", "benchmark")), asyncio.Semaphore(AT_ONCE)
    done = 0

    async def one(question: Question) -> Row:
        nonlocal done
        sampling = Sampling(max_tokens=MAX_TOKENS[question.source], temperature=0)
        async with gate:
            row = await routing.ask(model, name, signal, question, context, sampling)
        done += 1
        if done % 50 == 0:
            print(f"{said}: {done} of {len(questions)}", file=sys.stderr)
        return row

    return list(await asyncio.gather(*map(one, questions)))


async def judged(embedder: Embedder, rows: Sequence[Row]) -> list[JudgedPrompt]:
    vectors = (await embedder.embed([row.prompt for row in rows], "query")).vectors
    return [JudgedPrompt(vector, row.prompt, row.good) for vector, row in zip(vectors, rows, strict=True)]


def chosen_ridge(rows: Sequence[JudgedPrompt]) -> float:
    """The prior that predicts best in five-fold cross-validation (log-loss)."""
    order = random.Random(3).sample(range(len(rows)), len(rows))
    losses: dict[float, float] = {}
    for ridge in RIDGES:
        total = 0.0
        for fold in range(5):
            out = set(order[fold::5])
            model = fit([row for n, row in enumerate(rows) if n not in out], embedder="", model="", ridge=ridge)
            for n in out:
                chance = min(max(model.chance(rows[n].vector, rows[n].text), 1e-9), 1 - 1e-9)
                total -= float(np.log(chance if rows[n].good else 1 - chance))
        losses[ridge] = total
    return min(losses, key=losses.__getitem__)


def priced(rows: Sequence[Row], model: Classifier, of: Sequence[JudgedPrompt]) -> list[Priced]:
    return [
        Priced(
            row.source,
            row.good,
            True,
            float(row.tokens),
            float(row.tokens * LARGE_PRICE),
            row.confidence or 0.0,
            model.chance(each.vector, each.text),
        )
        for row, each in zip(rows, of, strict=True)
    ]


def signal_figures(name: str, pairs: Sequence[tuple[float, bool]], against: str) -> dict[str, Figure]:
    quality = routing.signal_quality(pairs)
    if quality is None:
        return {}
    return {f"{name}: AUROC": Figure(quality.value, "", "higher", against=f"{against}, {quality.text()}")}


async def main(ship: bool, kept: Path | None) -> None:
    halves = drawn()
    settings = Settings()
    async with engines.open(settings) as opened:
        name, chat = next(iter(opened.chat.items()))
        if kept is not None and kept.exists():
            rows = routing.read_rows(kept)
        else:
            questions = halves[0] + halves[1]
            rows = await asked(chat.responder, name, confidence.Logprob(), questions, "small model")
            if kept is not None:
                routing.write_rows(kept, rows)
        fitting, reported = rows[: len(halves[0])], rows[len(halves[0]) :]
        fit_rows, report_rows = await judged(opened.embedder, fitting), await judged(opened.embedder, reported)
        some = [q for q in halves[1] if q.source == "squad"][:AGREEMENT]
        agreement = await asked(
            chat.responder, name, confidence.Agreement(chat.responder, samples=3), some, "agreement"
        )
    ridge = chosen_ridge(fit_rows)
    model = fit(fit_rows, embedder=opened.embedder.name, model=name, ridge=ridge)
    seen = [each for each, row in zip(fit_rows, fitting, strict=True) if row.source == "squad"]
    alone = fit(seen, embedder="", model="", ridge=ridge)
    figures = rights(reported) | signals(reported, report_rows, agreement, model, alone)
    if ship:
        worth = {label: dataclasses.asdict(figure) for label, figure in figures.items() if "classifier" in label}
        card = {
            "prompts": len(fitting),
            "good": sum(row.good for row in fitting),
            "sources": sorted(SIZES),
            "ridge": ridge,
            "held_out": worth,
        }
        dataclasses.replace(model, card=card).save(SHIPPED)
    report("routing_cost", figures | policies(priced(reported, model, report_rows)))


def rights(rows: Sequence[Row]) -> dict[str, Figure]:
    shares = {source: [row.good for row in rows if row.source == source] for source in SIZES}
    return {
        f"small model, {source}: share right": Figure(
            float(np.mean(goods)), "", "higher", against=f"{len(goods)} prompts"
        )
        for source, goods in shares.items()
    }


def signals(
    rows: Sequence[Row], of: Sequence[JudgedPrompt], agreement: Sequence[Row], model: Classifier, alone: Classifier
) -> dict[str, Figure]:
    """How well each tells right from wrong, on what nothing was fitted on."""
    logprobs = [(row.confidence or 0.0, row.good) for row in rows]
    agreed = [(row.confidence or 0.0, row.good) for row in agreement]
    chances = [(model.chance(each.vector, each.text), each.good) for each in of]
    squad_only = [n for n, row in enumerate(rows) if row.source == "squad"]
    figures = signal_figures("logprob, squad", [logprobs[n] for n in squad_only], "squad")
    figures |= signal_figures("logprob, both", logprobs, "squad and gsm8k")
    figures |= signal_figures("agreement, squad", agreed, f"{len(agreed)} prompts of squad")
    figures |= signal_figures("classifier, squad", [chances[n] for n in squad_only], "squad")
    figures |= signal_figures("classifier, both", chances, "squad and gsm8k")
    means = {
        source: float(
            np.mean([alone.chance(e.vector, e.text) for e, r in zip(of, rows, strict=True) if r.source == source])
        )
        for source in SIZES
    }
    for source, mean in means.items():
        figures[f"classifier fitted on squad alone, {source}: mean chance"] = Figure(
            mean, "", "lower" if source == "gsm8k" else "higher", against="gsm8k: a set that it has not seen"
        )
    return figures


def policies(rows: Sequence[Priced]) -> dict[str, Figure]:
    """Each policy's share right, beside what a coin with the same share would reach, and its cost."""
    found = routing.outcomes(rows)
    whole = next(each for each in found if each.policy == "always large")
    figures: dict[str, Figure] = {}
    for each in found:
        coin, _ = routing.by_chance(rows, each.large)
        against = f"{each.large:.2f} go to the large one, a coin: {coin:.3f}"
        figures[f"{each.policy}: right, with a stand-in"] = Figure(each.quality, "", "higher", against=against)
        figures[f"{each.policy}: cost"] = Figure(
            each.cost / whole.cost, "of always large's", "lower", against=f"{LARGE_PRICE} times the price a token"
        )
    return figures


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ship", action="store_true", help="write the packaged classifier")
    parser.add_argument("--rows", type=Path, metavar="FILE", help="the small model's answers, kept and read again")
    arguments = parser.parse_args()
    asyncio.run(main(arguments.ship, arguments.rows))
