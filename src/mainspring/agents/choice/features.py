"""The evidence that a tool serves a request: similarities of embeddings and shared words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mainspring.agents.choice.reading import NUMBER, ToolText, stems

NAMES = (
    "cosine of name and description",
    "cosine of the description",
    "cosine of the name",
    "cosine of the parameters",
    "part of the name that is said",
    "part of the description that is said",
    "part of the request that name and description say",
    "part of the request that the parameters say, too",
    "a word of the name is said",
    "numbers there for the required ones",
    "numbers that no argument takes",
)


def lexical(request: str, tool: ToolText) -> list[float]:
    """The features that need no embedding."""
    said = stems(request)
    name, description = tool.name_stems, tool.description_stems
    numbers = len(NUMBER.findall(request))
    return [
        _share(name, said),
        _share(description, said),
        _share(said, description | name),
        _share(said, description | name | tool.parameter_stems),
        float(bool(name & said)),
        min(1.0, numbers / tool.numbers) if tool.numbers else 1.0,
        float(numbers > 0 and not tool.takes_numbers),
    ]


def _share(part: frozenset[str], whole: frozenset[str]) -> float:
    return len(part & whole) / max(1, len(part))


def matrix(request: str, parts: Sequence[str], asked: Any, tools: Sequence[ToolText], vectors: Any) -> Any:
    """The features of one request for each tool, float64 (tools, features).

    ``asked`` are unit vectors (1 + parts, d) of the request and its ``parts``; ``vectors`` (tools, 4, d) those of what
    a tool says (name and description, description, name, parameters). Of several parts the best counts: a request may
    say more than what the tool is for.
    """
    cosines = np.einsum("pd,tfd->tpf", asked, vectors)
    best = cosines[np.arange(len(tools)), cosines[:, :, 0].argmax(axis=1)]
    texts = [request, *parts]
    which = cosines[:, :, 0].argmax(axis=1)
    words = np.array(
        [np.maximum(lexical(request, each), lexical(texts[at], each)) for each, at in zip(tools, which, strict=True)]
    )
    # What is wrong with numbers is wrong of the whole request.
    words[:, -2:] = [lexical(request, each)[-2:] for each in tools]
    return np.concatenate([best, words], axis=1)
