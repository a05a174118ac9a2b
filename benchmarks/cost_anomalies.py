"""The signal of hours that cost too much, on synthetic traffic: false alarms, and spikes of known size that it finds.

Requests come as a Poisson process with a day's and a week's rhythm and slow growth, and cost log-normally (a few are
twenty times the usual). 300 tenants over six weeks; the settings were chosen on other seeds (``--tune``).
"""

from __future__ import annotations

import argparse

import numpy as np

from _report import Figure, report
from mainspring.serving.money import cost_anomalies

HOURS = 6 * cost_anomalies.WEEK
JUDGED = range(3 * cost_anomalies.WEEK, HOURS)
SPIKES = (2.0, 3.0, 5.0, 10.0)
RATES = (5.0, 30.0, 200.0)
"""Mean requests an hour."""


def traffic(seed: int, rate: float) -> dict[int, int]:
    """Six weeks of hourly costs."""
    chosen = np.random.default_rng(seed)
    hours = np.arange(HOURS)
    swing, peak = chosen.uniform(0.2, 0.95), chosen.uniform(0, 24)
    day = 1 + swing * np.cos((hours % 24 - peak) / 24 * 2 * np.pi)
    weekend = np.where(hours // 24 % 7 >= 5, chosen.uniform(0.2, 1.0), 1.0)
    growth = (1 + chosen.uniform(-0.005, 0.015)) ** (hours / 24)
    counts = chosen.poisson(rate * day * weekend * growth)
    return {int(hour): int(chosen.lognormal(13.5, 1.0, count).sum()) for hour, count in zip(hours, counts, strict=True)}


def measured(seeds: range, rate: float) -> tuple[float, dict[float, float]]:
    """False alarms a tenant and week, and the share of spikes that were found, by their size."""
    alarms = 0
    found = dict.fromkeys(SPIKES, 0)
    for seed in seeds:
        series = traffic(seed, rate)
        alarms += len(cost_anomalies.find(series, list(JUDGED)))
        chosen = np.random.default_rng(seed + 10**6)
        for size in SPIKES:
            hour = int(chosen.integers(JUDGED.start, JUDGED.stop))
            # A spike is that much more than such an hour costs, not than this one happens to.
            usual = np.mean([series[hour - cost_anomalies.WEEK * weeks] for weeks in (1, 2, 3)])
            spiked = series | {hour: int(usual * (size - 1)) + series[hour]}
            found[size] += cost_anomalies.judge(spiked, hour) is not None
    weeks = len(seeds) * len(JUDGED) / cost_anomalies.WEEK
    return alarms / weeks, {size: count / len(seeds) for size, count in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tune", action="store_true", help="on the seeds that the settings were chosen on")
    seeds = range(5000, 5060) if parser.parse_args().tune else range(100)
    figures: dict[str, Figure] = {}
    for rate in RATES:
        alarms, found = measured(seeds, rate)
        name = f"{rate:g} requests an hour"
        figures[f"{name}: false alarms a tenant and week"] = Figure(
            alarms, "", "lower", against=f"{len(seeds)} tenants"
        )
        for size, share in found.items():
            against = f"one hour at {size:g} times its usual cost"
            figures[f"{name}: {size:g}x found"] = Figure(share, "share", "higher", against=against)
    report("cost_anomalies", figures)


if __name__ == "__main__":
    main()
