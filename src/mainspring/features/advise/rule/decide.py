"""The rule: from rows to a recommendation, or to ``unsure``.

1. A way that another one beats beyond doubt, by what may be more than the margin, is out.
2. Weights alone are out if facts change more often than a retraining pays.
3. Of those that are left, the cheapest at the told volume is recommended, if none of the others is better by more than
   the margin. Where that is not known, the advice is ``unsure``, and says how many more questions would settle it; and
   so it is where several are left and what one of them costs is not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from mainspring.features.advise.rule import money
from mainspring.features.advise.rule.pairs import Pair, pairs
from mainspring.features.advise.rule.rows import DOCUMENTS, WAYS, WEIGHTS_ALONE, Row, Terms, Unit, Way

Verdict = Literal["recommended", "unsure", "nothing"]


@dataclass(frozen=True, slots=True)
class Decision:
    """``way`` is recommended; with ``unsure`` it is the cheapest of those that may be the best. ``out`` has the reasons
    why others are not, ``open`` the ways that may be better. ``more``: questions beyond the sample's that would settle
    it, about (None: not known). ``verdict`` is ``nothing`` if nothing could be tried."""

    verdict: Verdict
    way: Way | None
    reasons: tuple[str, ...]
    out: dict[Way, str] = field(default_factory=dict)
    open: tuple[Way, ...] = ()
    more: int | None = None
    unit: Unit = "usd"
    pairs: tuple[Pair, ...] = ()


def decide(rows: Sequence[Row], terms: Terms) -> Decision:
    """Decide from what was measured."""
    tried = [row for row in rows if row.tried]
    unit = money.unit_of(rows)
    if not tried:
        return Decision("nothing", None, ("No way could be tried: see the reason of each row.",), unit=unit)
    out, left = _ruled_out(tried, terms, unit)
    if not left:
        return Decision("nothing", None, tuple(f"{way} is out: {why}." for way, why in out.items()), out, unit=unit)
    if not any(score for row in left for score in row.scores):
        asked = max(len(row.scores) for row in left)
        said = f"No way scored anything ({asked} question{'s' * (asked != 1)}): look at the answers first."
        return Decision("nothing", None, (said,), out, unit=unit)
    found = pairs(left, terms)
    for each in found:
        if each.beyond_doubt and not each.within(terms.margin) and each.other not in out:
            out[each.other] = f"{each.better} is better beyond doubt, by {each.difference.text()}"
    standing = [row for row in left if row.way not in out]
    order = {way: place for place, way in enumerate(WAYS)}
    known = [row for row in standing if row.known(unit)]
    best = min(known or standing, key=lambda row: (round(money.monthly(row, terms, unit), 9), order[row.way]))
    dark = [row.way for row in standing if row not in known] if len(standing) > 1 else []
    reasons = [*(f"{way} is out: {why}." for way, why in out.items())]
    cost = money.amount(money.monthly(best, terms, unit), unit) if best in known else "an unknown amount"
    at = f"at {terms.queries:,.0f} queries a month, with a quality of {_mean(best):.3f}"
    rivals = [each for each in found if each.other == best.way and each.better not in out]
    undecided = [each for each in rivals if not each.within(terms.margin)]
    # Where the cheaper one is the better one too, a rival may still be better by chance.
    turned = [each.turned() for each in found if each.better == best.way and each.other not in out]
    undecided += [each for each in turned if not each.within(terms.margin)]
    if not undecided and not dark:
        if len(standing) > 1:
            others = ", ".join(row.way for row in standing if row is not best)
            reasons.append(f"{others}: not better than {best.way} by more than {terms.margin:g}.")
        which = "is the cheapest of" if len(standing) > 1 else "is"
        reasons.append(f"{best.way} {which} what is left: {cost} a month {at}.")
        return Decision("recommended", best.way, tuple(reasons), out, (), None, unit, tuple(found))
    for each in undecided:
        reasons.append(
            f"{each.better} may be better than {best.way} by more than {terms.margin:g}: "
            f"{each.difference.text()} on {each.difference.n} questions."
        )
    if dark:
        reasons.append(
            f"What {', '.join(dark)} cost{'s' if len(dark) == 1 else ''} is not known, so the cheapest is not known "
            "either: say what an hour of the machine costs (--usd-per-hour)."
        )
    which = "is the cheapest" if not dark else "is the cheapest whose costs are known" if known else "comes first"
    reasons.append(f"Of those that may be the best, {best.way} {which}: {cost} a month {at}.")
    more = _more(undecided, terms.margin) if undecided else None
    if more is not None:
        reasons.append(f"About {more:,} more questions would settle it, if the differences stay as they are.")
    rest = tuple(dict.fromkeys([*(each.better for each in undecided), *(way for way in dark if way != best.way)]))
    return Decision("unsure", best.way, tuple(reasons), out, rest, more, unit, tuple(found))


def _ruled_out(tried: Sequence[Row], terms: Terms, unit: Unit) -> tuple[dict[Way, str], list[Row]]:
    """What facts that change, and failures, rule out; and what is left."""
    out: dict[Way, str] = {}
    documents = [row for row in tried if row.way in DOCUMENTS and row.failed < len(row.scores)]
    alone = [row for row in tried if row.way == WEIGHTS_ALONE]
    # Documents that answer worse are no cheaper way to the same answers.
    beaten = {
        each.other
        for each in pairs([*alone, *documents], terms)
        if each.better == WEIGHTS_ALONE and each.beyond_doubt and not each.within(terms.margin)
    }
    for row in tried:
        if row.scores and row.failed >= len(row.scores):
            out[row.way] = "every answer failed"
        elif all(score is None for score in row.scores):
            out[row.way] = "the scorer had nothing to say about its answers"
        elif row.way == WEIGHTS_ALONE and (why := money.retraining_pays(row, documents, terms, unit, beaten)):
            out[row.way] = why
    return out, [row for row in tried if row.way not in out]


def _mean(row: Row) -> float:
    known = [score for score in row.scores if score is not None]
    return sum(known) / max(1, len(known))


def _more(undecided: Sequence[Pair], margin: float) -> int | None:
    """How many questions more than the sample has settle all that is open; None: no number is known."""
    wanted = [each.needed(margin) for each in undecided]
    known = [number - each.difference.n for number, each in zip(wanted, undecided, strict=True) if number is not None]
    return max(1, *known) if len(known) == len(wanted) and known else None


def plain(made: Decision) -> dict[str, Any]:
    """As JSON values."""
    return {
        "verdict": made.verdict,
        "way": made.way,
        "reasons": list(made.reasons),
        "out": dict(made.out),
        "open": list(made.open),
        "more_questions": made.more,
        "unit": made.unit,
        "pairs": [each.plain() for each in made.pairs],
    }
