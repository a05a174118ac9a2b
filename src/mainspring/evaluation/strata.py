"""Which answers are looked at: all of some strata, and a known share of the rest.

Every answer is in one stratum. The certain strata (errors, refusals, thumbs-down) are taken in full, the rest with a
known probability. The draw depends on the answer's id alone: a smaller share is a part of a larger one, so that people
label answers that a judge has scored.
"""

from __future__ import annotations

import hashlib
from typing import Literal, get_args

from mainspring.core.facts.answers import GIVEN_AGAIN, AnswerFacts
from mainspring.core.facts.outcomes import outcome_of

Stratum = Literal["error", "refusal", "down", "rest"]
STRATA: tuple[Stratum, ...] = get_args(Stratum)
CERTAIN: tuple[Stratum, ...] = ("error", "refusal", "down")
"""The strata that can be taken in full."""
_CUT = ("content_filter",)


def stratum_of(facts: AnswerFacts) -> Stratum | None:
    """The stratum of an answer when it is settled; None for what is no answer to a user: a replay, a repeated answer
    from the cache, or a request that its caller gave up or that was at fault itself. A thumbs-down moves it later."""
    if facts.operation != "chat" or facts.replay_of or facts.cache in GIVEN_AGAIN:
        return None
    if (outcome := outcome_of(facts)) != "ok":
        return "error" if outcome == "failed" else None
    return "refusal" if facts.answered is False or set(facts.finish) & set(_CUT) else "rest"


def chosen(answer_id: str, share: float, salt: str = "") -> bool:
    """Whether an answer belongs to a share of all: always the same for one answer and ``salt``."""
    drawn = int.from_bytes(hashlib.blake2b((salt + answer_id).encode(), digest_size=8).digest(), "big")
    return drawn < share * 2**64
