"""Costs of ways: by the month, and the number of queries from which one is cheaper than another."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from mainspring.features.advise.rule.rows import Row, Terms, Unit, Way

MONTH_S = 30 * 86_400.0


def unit_of(rows: Sequence[Row]) -> Unit:
    """US dollars if anything has a price, else seconds of the machine."""
    tried = [row for row in rows if row.tried]
    return "usd" if any(row.usd or row.upfront_usd for row in tried) else "seconds"


def monthly(row: Row, terms: Terms, unit: Unit) -> float:
    """What a month costs: its queries, a share of what came first, and the renewals for facts that change."""
    renewals = (terms.changes or 0.0) * row.renewal(unit)
    return terms.queries * row.per_query(unit) + row.upfront(unit) / terms.months + renewals


def break_even(row: Row, other: Row, unit: Unit) -> float | None:
    """The queries after which ``row``, which costs more to begin with, has cost less than ``other`` in all; None:
    never, or from the first one."""
    more, saved = row.upfront(unit) - other.upfront(unit), other.per_query(unit) - row.per_query(unit)
    return more / saved if more > 0 and saved > 0 else None


def crossings(rows: Sequence[Row], unit: Unit) -> list[dict[str, Any]]:
    """Each pair in which one way costs more to begin with, and less for a query."""
    tried = [row for row in rows if row.tried and row.known(unit)]
    told = []
    for row in tried:
        for other in tried:
            if row is not other and (found := break_even(row, other, unit)) is not None:
                told.append({"way": row.way, "against": other.way, "queries": found})
    return told


def retraining_pays(
    row: Row, others: Sequence[Row], terms: Terms, unit: Unit, beaten: Collection[Way] = frozenset()
) -> str:
    """Why facts change too often for weights alone; empty: a retraining pays, or nothing speaks against it.

    It pays if what its queries save until the facts change again, against the cheapest way whose facts stand in
    documents and that is not ``beaten``, is more than the retraining costs; and it must be over before they do.
    """
    if not terms.changes or not others:
        return ""
    between_s = MONTH_S / terms.changes
    if row.renewal_seconds >= between_s:
        return (
            f"facts change every {between_s / 3600:.1f} hours, and a retraining takes "
            f"{row.renewal_seconds / 3600:.1f}: it is always out of date"
        )
    cost = row.renewal(unit)
    others = [each for each in others if each.known(unit) and each.way not in beaten]
    if not cost or not others or not row.known(unit):
        return ""
    other = min(others, key=lambda each: each.per_query(unit))
    saved = (other.per_query(unit) - row.per_query(unit)) * terms.queries / terms.changes + other.renewal(unit)
    if saved >= cost:
        return ""
    return (
        f"facts change {terms.changes:.2g} times a month; a retraining costs {amount(cost, unit)}, and saves "
        f"{amount(max(0.0, saved), unit)} against {other.way} until they change again"
    )


def amount(value: float, unit: Unit) -> str:
    """For people."""
    if unit == "seconds":
        return f"{value:,.0f} s" if value >= 100 else f"{value:.3g} s"
    return f"{value:.2f} USD" if value >= 1 else f"{value:.3g} USD"
