"""All benchmarks by name."""

from __future__ import annotations

from collections.abc import Mapping

from mainspring.core.errors import InvalidRequest
from mainspring.core.nearest import nearest
from mainspring.features.evaluate.capabilities.benchmark import Benchmark
from mainspring.features.evaluate.capabilities.sets import bias, code, knowledge, mathematics, safety, truth

BENCHMARKS: Mapping[str, Benchmark] = {
    each.name: each for group in (knowledge, mathematics, code, truth, bias, safety) for each in group.BENCHMARKS
}


def benchmark(name: str) -> Benchmark:
    """Raises ``InvalidRequest`` with the nearest name."""
    if name not in BENCHMARKS:
        near = nearest(name, BENCHMARKS)
        raise InvalidRequest(
            f"there is no benchmark {name:.50}",
            param="benchmark",
            remedy=f"Use {near}" if near else "See `mainspring eval benchmarks`",
        )
    return BENCHMARKS[name]
