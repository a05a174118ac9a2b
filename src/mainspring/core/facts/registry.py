"""All kinds of events, and the reading of their facts."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from mainspring.core.facts.answers import AnswerFacts, ReplayFacts
from mainspring.core.facts.base import Facts
from mainspring.core.facts.calls import CallFacts
from mainspring.core.facts.cases import CaseFacts
from mainspring.core.facts.dialogues import DialogueFacts
from mainspring.core.facts.guards import ApprovalFacts, GuardFacts, ToolFacts
from mainspring.core.facts.memories import MemoryFacts
from mainspring.core.facts.operations import CostFacts, ErasedFacts, RefusalsFacts, RepairFacts, ScalingFacts
from mainspring.core.facts.opinions import FeedbackFacts, LabelFacts, OutcomeFacts, ScoreFacts, VoteFacts
from mainspring.core.facts.retrievals import RetrievalFacts
from mainspring.core.facts.trials import AdviceFacts, ImprovementFacts, ShadowFacts, TrialFacts, VariantFacts

KINDS: Mapping[str, type[Facts]] = {
    kind.EVENT: kind
    for kind in (
        *(CallFacts, AnswerFacts, ReplayFacts, RetrievalFacts, GuardFacts, ToolFacts, ApprovalFacts, FeedbackFacts),
        *(
            CaseFacts,
            DialogueFacts,
            MemoryFacts,
            ScoreFacts,
            LabelFacts,
            VoteFacts,
            OutcomeFacts,
            TrialFacts,
            ImprovementFacts,
            VariantFacts,
            ShadowFacts,
            AdviceFacts,
            ErasedFacts,
            RepairFacts,
            ScalingFacts,
            CostFacts,
            RefusalsFacts,
        ),
    )
}
"""The dataclass of each kind of event."""


def read(kind: str, facts: Mapping[str, Any]) -> Facts:
    """The facts of an event, from its JSON. All facts of an unknown kind are ``unknown``."""
    return (KINDS.get(kind) or foreign(kind)).from_json(facts)


@functools.lru_cache(64)
def foreign(kind: str) -> type[Facts]:
    """The facts of a kind that another version of the program wrote."""
    return type("ForeignFacts", (Facts,), {"EVENT": kind, "__slots__": ()})
