"""The slots and the cache of an engine, and what each tenant holds of them.

A few slots and an eighth of the cache are kept for tenants that hold less than their share: whoever fills an engine
with long answers cannot keep the next one waiting until they end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

KEPT_TOKENS = 1 / 8
"""The part of the cache that only those below their share may take, where slots are kept for them too."""
SPARE_SLOTS = 1 / 8


def spare_of(sequences: int) -> int:
    """How many slots an engine that runs ``sequences`` for one tenant has beyond them, for the others."""
    return max(1, round(sequences * SPARE_SLOTS)) if sequences > 1 else 0


@dataclass(slots=True)
class TenantShare:
    """What one tenant holds: slots and tokens of cache."""

    slots: int = 0
    tokens: int = 0


class SlotCapacity:
    """``sequences`` slots and ``kv_tokens`` of cache, and ``spare`` slots beyond for tenants below their share.

    A tenant's share goes by its weight among those that hold something; one that is alone counts with another one,
    which may come. Who holds nothing is below its share whatever it asks for.
    """

    def __init__(
        self, sequences: int, kv_tokens: int, *, spare: int = 0, weigh: Callable[[str], float] = lambda _: 1.0
    ) -> None:
        self.sequences = sequences
        self.kv_tokens = kv_tokens
        self.spare = spare
        self.slots = 0
        self.tokens = 0
        self.held: dict[str, TenantShare] = {}
        self._weigh = weigh
        self._kept = int(kv_tokens * KEPT_TOKENS) if spare else 0

    def copy(self) -> SlotCapacity:
        """The same, to try out what would become of it."""
        twin = SlotCapacity(self.sequences, self.kv_tokens, spare=self.spare, weigh=self._weigh)
        twin.slots, twin.tokens = self.slots, self.tokens
        twin.held = {tenant: TenantShare(held.slots, held.tokens) for tenant, held in self.held.items()}
        return twin

    def below(self, tenant: str, width: int, tokens: int) -> bool:
        """Whether ``tenant`` is within its share with that much more."""
        held = self.held.get(tenant)
        if held is None:
            return True
        weight = self._weigh(tenant)
        others = sum(self._weigh(each) for each in self.held if each != tenant)
        part = weight / (weight + (others or 1.0))
        return held.slots + width <= part * self.sequences and held.tokens + tokens <= part * self.kv_tokens

    def fits(self, tenant: str, width: int, tokens: int) -> bool:
        """Whether that much may begin for ``tenant`` now."""
        slots, cache = self.slots + width, self.tokens + tokens
        if slots > self.sequences + self.spare or cache > self.kv_tokens:
            return False
        regular = slots <= self.sequences and cache <= self.kv_tokens - self._kept
        return regular or self.below(tenant, width, tokens)

    def take(self, tenant: str, width: int, tokens: int) -> None:
        """It begins."""
        held = self.held.setdefault(tenant, TenantShare())
        for each in (self, held):
            each.slots += width
            each.tokens += tokens

    def give(self, tenant: str, width: int, tokens: int) -> None:
        """It has ended."""
        held = self.held[tenant]
        for each in (self, held):
            each.slots -= width
            each.tokens -= tokens
        if not held.slots and not held.tokens:
            del self.held[tenant]
