"""Fit the weights by which tools are chosen, and tell what they find on other tools.

    MAINSPRING_DATA=... python benchmarks/fit_tool_choice.py FOLDER [--embedder NAME ...] [--most 3600] [--write]

FOLDER holds the sets of ``_tool_sets.py``. What tools say of themselves: fitted on Seal-Tools' parts ``dev`` and
``test_in_domain`` and on the first half of Glaive's conversations; told for ``test_out_domain`` and the second half,
which decided between sets of features and the threshold. Examples: fitted on CLINC150, whose intents stand for tools,
with its requests out of scope; told for Banking77. ``--write`` writes ``agents/choice/weights.json``. The Berkeley
leaderboard has no part in it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize

import _tool_sets as sets
import mainspring.agents.choice as choice
from _report import data_sets
from mainspring.agents.choice.examples import Examples
from mainspring.agents.choice.reading import read
from mainspring.agents.choice.scorer import Scorer
from mainspring.agents.choice.weights import Weights, known
from mainspring.core.settings import load
from mainspring.engines.catalogue.pull import Puller
from mainspring.engines.encode.embedder import OpenVinoEmbedder

EMBEDDERS = ("all-minilm-l6-v2", "bge-small-en-v1.5-int8")
PENALTY = 1e-3
GLAIVE = 30.0
"""What a case of Glaive weighs, against one of the many of Seal-Tools, whose requests repeat the tools' words."""
NOTHING = Weights(0.0, 1.0, np.zeros(1), 0.0)

DRAWN = 150
"""Sets of tools drawn from a set of intents."""

Row = tuple[sets.Case, Any]


async def rows(scorer: Scorer, cases: Sequence[sets.Case]) -> list[Row]:
    """The features of each case's tools."""
    return [(case, await scorer.features(case.request, [read(tool) for tool in case.tools])) for case in cases]


def fitted(found: Sequence[Row]) -> Weights:
    """A logistic model over all pairs of a request and a tool."""
    x = np.concatenate([each for _, each in found])
    y = np.concatenate([np.arange(len(each)) == case.right for case, each in found]).astype(float)
    weight = np.concatenate([np.full(len(each), GLAIVE if "glaive" in case.source else 1.0) for case, each in found])
    mean, scale = x.mean(axis=0), x.std(axis=0) + 1e-6
    z, sign = (x - mean) / scale, 2 * y - 1

    def loss(p: Any) -> tuple[float, Any]:
        margin = sign * (z @ p[:-1] + p[-1])
        slope = -(weight * sign / (1 + np.exp(margin))) / weight.sum()
        value = (weight * np.logaddexp(0, -margin)).sum() / weight.sum() + PENALTY * (p[:-1] ** 2).sum()
        return value, np.r_[z.T @ slope + 2 * PENALTY * p[:-1], slope.sum()]

    best = minimize(loss, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B").x
    return Weights(mean, scale, best[:-1], float(best[-1]))


def tell(name: str, made: Weights, found: Sequence[Row]) -> None:
    """How often the best tool is the right one and is called, and how often rightly none is."""
    best: dict[str, list[tuple[float, bool]]] = {}
    for case, each in found:
        odds = made.odds(each)
        at = int(odds.argmax())
        source = case.source + (" later" if case.before else "")
        best.setdefault(source, []).append((float(odds[at]), at == case.right))
    for source, told in sorted(best.items()):
        called = np.mean([odds > 0 for odds, _ in told])
        right = np.mean([ok for _, ok in told])
        both = np.mean([ok and odds > 0 for odds, ok in told])
        print(f"{name:24} {source:18} n {len(told):5} best is right {right:.3f} called {called:.3f} both {both:.3f}")


async def described(embedder: Any, folder: Path, most: int) -> Weights:
    """The weights for what tools say of themselves."""
    scorer = Scorer(embedder, NOTHING)
    first, second = sets.halves(sets.glaive(folder))
    draw = random.Random(3)
    cases = sets.seal(folder, ("dev", "test_in_domain")), sets.seal(folder, ("test_out_domain",))
    for each in cases:
        draw.shuffle(each)
    fit = await rows(scorer, [*cases[0][:most], *(each for each in first if not each.before)])
    held = await rows(scorer, [*cases[1][: most // 2], *second])
    made = fitted(fit)
    tell(embedder.name, made, held)
    return made


async def exemplified(embedder: Any) -> Weights:
    """The weights for examples."""
    fit = await drawn(embedder, sets.clinc(data_sets()), DRAWN)
    held = await drawn(embedder, sets.banking(data_sets()), DRAWN // 3)
    made = fitted(fit)
    tell(embedder.name, made, held)
    return made


async def drawn(embedder: Any, intents: sets.Intents, times: int) -> list[Row]:
    """Sets of three to ten intents with three to eight examples each; requests for them, for others and for none."""
    draw, found = random.Random(11), []
    chooser = Examples(embedder, NOTHING)
    for _ in range(times):
        names = draw.sample(sorted(intents.requests), draw.randint(3, 10))
        several = [draw.sample(intents.requests[name], draw.randint(3, 8) + 2) for name in names]
        trained = await chooser.trained([tuple(each[2:]) for each in several])
        asked = [(text, at, "served") for at, each in enumerate(several) for text in each[:2]]
        others = [name for name in intents.requests if name not in names]
        asked += [(draw.choice(intents.requests[draw.choice(others)]), -1, "of other intents") for _ in range(6)]
        asked += [(text, -1, "out of scope") for text in draw.sample(intents.nothing, min(6, len(intents.nothing)))]
        vectors = (await embedder.embed([text for text, _, _ in asked], "query")).vectors
        for (text, at, source), vector in zip(asked, vectors, strict=True):
            found.append((sets.Case(f"{intents.name}: {source}", text, (), at), trained.features(vector)))
    return found


async def of(name: str, folder: Path, most: int) -> dict[str, Any]:
    """All weights for one embedding model, as they are stored."""
    embedder = OpenVinoEmbedder(Puller(load().settings).local(name))
    made = {"descriptions": await described(embedder, folder, most), "examples": await exemplified(embedder)}
    await embedder.close()
    return {kind: stored(each) for kind, each in made.items()}


def stored(made: Weights) -> dict[str, Any]:
    """Weights as JSON."""
    listed = {key: [round(float(v), 5) for v in getattr(made, key)] for key in ("mean", "scale", "weights")}
    return {**listed, "bias": round(made.bias, 5)}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--embedder", nargs="+", default=list(EMBEDDERS))
    parser.add_argument("--most", type=int, default=3600)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    made = {name: asyncio.run(of(name, arguments.folder, arguments.most)) for name in arguments.embedder}
    print(json.dumps(made))
    if arguments.write:
        target = Path(choice.__path__[0]) / "weights.json"
        target.write_text(json.dumps({**known(), **made}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
