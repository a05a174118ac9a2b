"""The slots and the cache of an engine, and each tenant's share of them.

A few slots and an eighth of the cache are reserved for tenants below their share: a tenant that fills the engine with
long answers cannot make the next one wait until they end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

KEPT_TOKENS = 1 / 8
"""The fraction of the cache that only tenants below their share may take, if slots are reserved for them too."""
SPARE_SLOTS = 1 / 8


def spare_of(sequences: int) -> int:
    """How many slots an engine that runs ``sequences`` for one tenant has beyond them, for the others."""
    return max(1, round(sequences * SPARE_SLOTS)) if sequences > 1 else 0


@dataclass(slots=True)
class TenantShare:
    """The slots and the tokens of cache that one tenant holds."""

    slots: int = 0
    tokens: int = 0


class SlotCapacity:
    """``sequences`` slots and ``kv_tokens`` of cache, and ``spare`` slots beyond for tenants below their share.

    A tenant's share is proportional to its weight among the active tenants; if only one tenant is active, a second one
    that may come is counted too. A tenant that holds nothing is below its share, whatever the size of its request.
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
        """A copy, to try out an admission."""
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
