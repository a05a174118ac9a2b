"""All benchmarks by name."""

from __future__ import annotations

from collections.abc import Mapping

from mainspring.core.errors import InvalidRequest
from mainspring.features.evaluate.capabilities.benchmark import Benchmark
from mainspring.features.evaluate.capabilities.sets import mathematics

BENCHMARKS: Mapping[str, Benchmark] = {each.name: each for each in (*mathematics.BENCHMARKS,)}


def benchmark(name: str) -> Benchmark:
    """Raises ``InvalidRequest`` with the known names."""
    if name not in BENCHMARKS:
        raise InvalidRequest(
            f"there is no benchmark {name:.50}",
            param="benchmark",
            remedy=f"Use {', '.join(BENCHMARKS)}",
        )
    return BENCHMARKS[name]
