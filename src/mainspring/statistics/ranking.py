"""Ranking metrics with graded judgements: hit rate, recall, precision, MRR, MAP and nDCG, computed by trec_eval.

``ir-measures`` computes them through trec_eval's own code, so figures compare with published ones. This module settles
the points that the conventions leave open:

- A ranking is a sequence of document ids, best first, so there are no ties in it. ``ranked`` makes one of scores and
  puts equal scores in the order of their ids.
- A document that is listed twice counts where it stands first.
- A document without a judgement is not relevant. A gain of 0 or less is a judgement of "not relevant".
- A query without a relevant document is left out: nothing could be found. ``Scores.unjudged`` names it.
- A query without a ranking, or with an empty one, scores 0 everywhere.
- Precision at k divides by k even where fewer documents came back.
- nDCG takes the gain as it is (not 2^gain - 1) over log2(rank + 1).

Hit rate is not recall: they are equal only if a query has one relevant document.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mainspring.core.errors import InvalidRequest, MissingExtra

Judgements = Mapping[str, Mapping[str, int]]
"""The gain of each judged document, by query id and document id."""
Rankings = Mapping[str, Sequence[str]]
"""Document ids, best first, by query id."""

DEFAULT = ("hit@5", "recall@10", "precision@5", "mrr", "map", "ndcg@10")
_NAMES = {"hit": "Success", "recall": "R", "precision": "P", "mrr": "RR", "map": "AP", "ndcg": "nDCG"}
_NEEDS_CUT = frozenset({"hit", "recall", "precision"})
_NAME = re.compile(r"(?P<measure>[a-z]+)(?:@(?P<cut>[1-9]\d*))?")


@dataclass(frozen=True, slots=True)
class Scores:
    """``values[metric][query id]`` in [0, 1]; ``unjudged`` are the queries that could not be scored."""

    values: Mapping[str, Mapping[str, float]]
    unjudged: tuple[str, ...] = ()

    def mean(self, metric: str) -> float:
        """The mean over the scored queries. Raises ``InvalidRequest`` if no query could be scored."""
        found = self.values[metric]
        if not found:
            raise InvalidRequest("no query has a relevant document", remedy="Check the judgements", param="judgements")
        return sum(found.values()) / len(found)


def score(judgements: Judgements, rankings: Rankings, metrics: Sequence[str] = DEFAULT) -> Scores:
    """Every metric for every judged query.

    Metrics are named ``hit@k``, ``recall@k``, ``precision@k``, ``mrr``, ``map`` and ``ndcg``; the last three take a
    ``@k`` too. Raises ``InvalidRequest`` for an unknown name and ``MissingExtra`` without the extra ``eval``.
    """
    loaded = library()
    measures = {name: _measure(loaded, name) for name in metrics}
    qrels = {query: dict(gains) for query, gains in judgements.items() if any(gain > 0 for gain in gains.values())}
    run = {query: _scores(rankings.get(query, ())) for query in qrels}
    values = {name: dict.fromkeys(qrels, 0.0) for name in metrics}
    by_measure = {str(measure): name for name, measure in measures.items()}
    listed = {query: scores for query, scores in run.items() if scores}
    if listed:
        for found in loaded.iter_calc(list(measures.values()), qrels, listed):
            values[by_measure[str(found.measure)]][found.query_id] = float(found.value)
    return Scores(values, tuple(query for query in judgements if query not in qrels))


def ranked(scores: Mapping[str, float]) -> list[str]:
    """The ids of ``scores`` from the highest to the lowest; equal scores in the order of their ids."""
    return sorted(scores, key=lambda name: (-scores[name], name))


def check(name: str) -> str:
    """``name`` if it is a metric. Raises ``InvalidRequest``."""
    match = _NAME.fullmatch(name)
    if match is None or match["measure"] not in _NAMES or (match["measure"] in _NEEDS_CUT and not match["cut"]):
        known = ", ".join(f"{each}@k" if each in _NEEDS_CUT else each for each in _NAMES)
        raise InvalidRequest(f"there is no metric {name}", remedy=f"Use {known}", param="metrics")
    return name


def _measure(library: Any, name: str) -> Any:
    match = _NAME.fullmatch(check(name))
    assert match is not None
    measure = getattr(library, _NAMES[match["measure"]])
    return measure @ int(match["cut"]) if match["cut"] else measure


def _scores(ranking: Sequence[str]) -> dict[str, float]:
    # trec_eval sorts by score and breaks ties by id: strictly falling scores keep the order that was given.
    names = list(dict.fromkeys(ranking))
    return {name: float(len(names) - place) for place, name in enumerate(names)}


def library() -> Any:
    """The library of ranking metrics. Raises ``MissingExtra``."""
    try:
        import ir_measures
    except ImportError:
        raise MissingExtra("ranking metrics need ir-measures", remedy="Install mainspring[eval]") from None
    return ir_measures
