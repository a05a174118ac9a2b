"""How often the interval of a calibration error holds the true one, against the quantiles of a plain bootstrap.

    python benchmarks/calibration_interval.py [--samples 200] [--dry]

Confidences are drawn from a beta distribution (4, 1.5), and labels by the confidence less 0, .02, .04, .06 or .1, which
is the true error but for the ten bins; it is computed of 400,000 rows. Each sample has 100, 300 or 1,500 rows of their
own groups. Wanted: 95 %.
"""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

import numpy as np

from _report import Figure, report, table
from mainspring.features.evaluate.answers import wilson
from mainspring.training.encoders.figures import calibration_error, calibration_interval, interval

OFF, ROWS = (0.0, 0.02, 0.04, 0.06, 0.1), (100, 300, 1_500)
# The true one is of a finite sample itself.
_CLOSE = 0.001


def drawn(draw: np.random.Generator, rows: int, off: float) -> tuple[Any, Any]:
    confidence = draw.beta(4, 1.5, rows)
    return confidence, draw.random(rows) < np.clip(confidence - off, 0, 1)


def at_places(confidence: Any, right: Any, places: Any) -> float:
    return calibration_error(confidence[places], right[places])


def covered(rows: int, off: float, samples: int) -> tuple[int, int]:
    """In how many samples our interval holds the true error, and that of a plain bootstrap."""
    draw = np.random.default_rng(rows + round(off * 1000))
    true = calibration_error(*drawn(draw, 400_000, off))
    ours = plain = 0
    for _ in range(samples):
        confidence, right = drawn(draw, rows, off)
        groups = [str(each) for each in range(rows)]
        low, high = calibration_interval(confidence, right, groups)
        ours += low - _CLOSE <= true <= high + _CLOSE
        low, high = interval(partial(at_places, confidence, right), groups)
        plain += low - _CLOSE <= true <= high + _CLOSE
    return ours, plain


def main(arguments: argparse.Namespace) -> None:
    made, n = {}, arguments.samples
    for rows in ROWS:
        for off in OFF:
            ours, plain = covered(rows, off, n)
            found, other = wilson(ours, n), wilson(plain, n)
            made[f"{rows:,} rows, off by {off:g}"] = Figure(
                ours / n, "share", "higher", 0.9,
                against=f"{ours} of {n}, [{found.low:.3f}, {found.high:.3f}]; plain bootstrap {plain / n:.3f} "
                f"[{other.low:.3f}, {other.high:.3f}]",
            )  # fmt: skip
    if arguments.dry:
        print(table(made))
    else:
        report("calibration_interval", made)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Coverage of the interval of a calibration error")
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--dry", action="store_true", help="write no result")
    main(parser.parse_args())
