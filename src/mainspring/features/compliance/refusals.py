"""Counts refused credentials and scopes, and writes the counts to the audit log periodically.

At most one entry a minute, of bounded size, however many requests are refused: nobody can flood the log. Addresses are
kept as keyed hashes. Counts since the last entry are lost if the process is killed; the metrics include them.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from mainspring.core.errors import Forbidden, MainspringError
from mainspring.core.types import Principal
from mainspring.features.compliance.metrics import ComplianceMetrics
from mainspring.stores.events.audit_log import ITSELF, SERVER, Audit, HashedText

MOST = 32
"""The addresses, and the keys with scopes, that an entry lists separately; the rest is summed up."""
_OTHERS = "others"


class _Counted:
    """The refusals of one tenant since ``since`` (Unix seconds)."""

    __slots__ = ("addresses", "keys", "reasons", "since")

    def __init__(self) -> None:
        self.since = time.time()
        self.reasons: Counter[str] = Counter()
        self.addresses: Counter[str] = Counter()
        self.keys: Counter[str] = Counter()

    def details(self) -> Mapping[str, Any]:
        told: dict[str, Any] = {"since": round(self.since, 3), "reasons": dict(self.reasons)}
        if self.addresses:
            told["addresses"] = [
                {"address": each if each == _OTHERS else HashedText(each), "count": count}
                for each, count in self.addresses.most_common()
            ]
        if self.keys:
            told["keys"] = dict(self.keys.most_common())
        return told


class Refusals:
    """Counts refusals; ``flush`` writes the counts."""

    def __init__(self, audit: Audit, metrics: ComplianceMetrics) -> None:
        self._audit = audit
        self._metrics = metrics
        self._counted: dict[str, _Counted] = {}

    def note(self, error: MainspringError, address: str, scope: str, principal: Principal | None = None) -> None:
        """A request was refused; ``principal`` is its caller, if the key is valid and lacks ``scope``."""
        reason = "scope" if isinstance(error, Forbidden) else "credentials"
        self._metrics.refused(reason)
        tenant = SERVER if principal is None else principal.tenant
        counted = self._counted.setdefault(tenant, _Counted())
        counted.reasons[reason] += 1
        _count(counted.addresses, address or "unknown")
        if principal is not None:
            _count(counted.keys, f"{principal.key_id} {scope}")

    async def flush(self) -> None:
        """Write an entry for each tenant with refusals. Raises ``StoreError``, and loses nothing."""
        for tenant in list(self._counted):
            counted = self._counted.pop(tenant)
            try:
                await self._audit.record(tenant, "access.refused", ITSELF, details=counted.details())
            except MainspringError:
                again = self._counted.setdefault(tenant, _Counted())
                again.since = counted.since
                for name in ("reasons", "addresses", "keys"):
                    getattr(again, name).update(getattr(counted, name))
                raise


def _count(counts: Counter[str], name: str) -> None:
    counts[name if name in counts or len(counts) < MOST else _OTHERS] += 1
