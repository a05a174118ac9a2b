"""What became of versions and candidates that answer no more."""

from __future__ import annotations

import logging

from mainspring.core.errors import NotFound, UnknownModel
from mainspring.core.types import Principal
from mainspring.core.variants import CURRENT, split
from mainspring.features.variants.kinds import readers
from mainspring.features.variants.kinds.making import Making
from mainspring.features.variants.store import Place, StoredCandidate, VariantStore
from mainspring.serving.ring.registry import Registry
from mainspring.training.gone import gone
from mainspring.training.ports import Candidate

_log = logging.getLogger(__name__)


async def of(place: Place, making: Making) -> list[tuple[StoredCandidate, str]]:
    """What is in a placement and cannot answer, since its version was withdrawn or deleted; with the reason."""
    found = []
    for kept in (*place.currents, *([] if place.candidate is None else [place.candidate])):
        for label in _labels(kept.candidate, making):
            if told := await _lost(place.tenant, label, making):
                _log.warning("%s: %s is taken back: %s", place.application, kept.id, told)
                found.append((kept, told))
    return found


def _labels(candidate: Candidate, making: Making) -> list[str]:
    """The versions of training that it answers by."""
    if candidate.kind not in ("model", "reranker"):
        return []
    return [each for name in ("model", "version") if making.trained(each := str(candidate.value.get(name, "")))]


async def _lost(tenant: str, label: str, making: Making) -> str:
    if making.versions is None:
        return ""
    try:
        found = await making.versions.version(tenant, label)
    except NotFound:
        return f"{label} was deleted"
    return f"{label} was withdrawn" + (f": {found.stale}" if found.stale else "") if found.withdrawn else ""


class Gone:
    """Says what became of names that were served: ``Registry.gone``."""

    def __init__(self, registry: Registry, store: VariantStore, making: Making) -> None:
        self._registry = registry
        self._store = store
        self._making = making

    async def __call__(self, name: str, principal: Principal) -> str:
        """Empty: it was not withdrawn, or was never there for the principal."""
        if told := await gone(self._making.versions, principal, name):
            return told
        application, variant = split(name)
        if not variant or variant == CURRENT:
            return ""
        try:
            kept = await self._store.get(principal.tenant, variant)
            await self._registry.plain(application, principal)
        except (NotFound, UnknownModel):
            return ""
        seen = kept.candidate.application == application and readers.may_read(kept, principal)
        if not seen or kept.status == "admitted":
            return ""
        return f"{application}@{variant} was {kept.status}" + (f": {kept.reason}" if kept.reason else "")
