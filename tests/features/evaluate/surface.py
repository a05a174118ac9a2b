"""The routes and commands of the feature ``evaluate``."""

from tests.surfaces import Surface

SURFACE = Surface(
    answering=(
        "eval benchmarks",
        "eval collections",
        "routes explain hello",
    ),
    elsewhere=(
        "eval answers",
        "eval benchmark",
        "eval calibrate",
        "eval gate",
        "eval import-log",
        "eval online",
        "eval perplexity",
        "eval rag",
        "eval refusal",
        "eval texts",
        "routes collect",
        "routes judge",
        "routes train",
    ),
)
