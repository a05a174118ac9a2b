"""What became of versions and candidates that answer no more."""

from __future__ import annotations

import logging

from mainspring.core.errors import MainspringError, NotFound, UnknownModel
from mainspring.core.types import Principal, PromptUse
from mainspring.core.variants import CURRENT, split
from mainspring.features.variants.kinds import readers
from mainspring.features.variants.kinds.making import Making
from mainspring.features.variants.store import Place, StoredCandidate, VariantStore
from mainspring.serving.ring.registry import Registry
from mainspring.training.gone import gone
from mainspring.training.ports import Candidate

_log = logging.getLogger(__name__)


async def of(place: Place, making: Making) -> list[tuple[StoredCandidate, str]]:
    """What is in a placement and cannot answer, since its version was withdrawn or deleted, or its prompt was; with the
    reason."""
    found = []
    for kept in (*place.currents, *([] if place.candidate is None else [place.candidate])):
        told = await _prompt_lost(place.tenant, kept.candidate, making)
        for label in _labels(kept.candidate, making):
            told = told or await _lost(place.tenant, label, making)
        if told:
            _log.warning("%s: %s is taken back: %s", place.application, kept.id, told)
            found.append((kept, told))
    return found


async def _prompt_lost(tenant: str, candidate: Candidate, making: Making) -> str:
    name, version = candidate.value.get("prompt"), candidate.value.get("version")
    if candidate.kind != "prompt" or not name or making.prompts is None:
        return ""
    try:
        await making.prompts.resolve(tenant, PromptUse(str(name), str(version)))
    except NotFound:
        return f"the prompt {name}@{version} was deleted"
    except MainspringError:
        # It is there, and asks for variables.
        return ""
    return ""


def _labels(candidate: Candidate, making: Making) -> list[str]:
    """The versions of training that it answers by."""
    if candidate.kind not in ("model", "reranker", "reader"):
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
