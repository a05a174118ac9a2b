"""The systems whose exports are read."""

from __future__ import annotations

from collections.abc import Mapping

from mainspring.core.errors import InvalidRequest
from mainspring.features.imports.drafts import Source
from mainspring.features.imports.sources.langfuse import Langfuse
from mainspring.features.imports.sources.langsmith import LangSmith
from mainspring.features.imports.sources.openai import OpenAI
from mainspring.features.imports.sources.tensorzero import TensorZero

# No parts of the registry: names of systems, although two are also providers of models.
SOURCES: Mapping[str, Source] = {
    "langfuse": Langfuse(),
    "langsmith": LangSmith(),
    "openai": OpenAI(),
    "tensorzero": TensorZero(),
}


def source(name: str) -> Source:
    """Raises ``InvalidRequest`` with the known names."""
    if name not in SOURCES:
        known = ", ".join(SOURCES)
        raise InvalidRequest(f"there is no source {name!r}", remedy=f"Choose one of {known}", param="source")
    return SOURCES[name]
