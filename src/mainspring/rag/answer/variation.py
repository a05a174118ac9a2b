"""The differences of one tenant's answers from the settings."""

from __future__ import annotations

from dataclasses import dataclass

from mainspring.core.types import Responder
from mainspring.engines import ChatModel
from mainspring.engines.base import Reranker
from mainspring.rag.answer.evidence.calibration import Calibration
from mainspring.rag.answer.verbatim.choice_weights import ChoiceWeights


@dataclass(frozen=True, slots=True)
class Variation:
    """Other evidence with its threshold, other weights of choosing sentences, another chat ``model`` that writes (a
    served name) or a ``writer`` that is served under none, with what answers by it, another reranker, another reader of
    ``near_misses`` with what it refuses below. What is None or empty is as the settings say."""

    calibration: Calibration | None = None
    choice: ChoiceWeights | None = None
    model: str = ""
    reranker: Reranker | None = None
    writer: tuple[ChatModel, Responder] | None = None
    near_misses: Reranker | None = None
    read_below: float | None = None


SETTINGS = Variation()
