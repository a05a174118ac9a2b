"""Data residency: which models, and which of their endpoints, a request may be sent to.

Three may ask for regions, and a model must be in one of each: the request (``x-region``), its key or token, and its
tenant (``serving.residency``). An engine without a region is in none of the requested ones. Every model call passes
``Resident``, including fallbacks, shadows, hedges, judges and summaries. A router asks ``permits`` first, so that it
chooses a permitted model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mainspring.core.errors import NoRegion
from mainspring.core.path import Layer
from mainspring.core.types import Context, Request, Responder, Response


class Residency:
    """The tenants' requirements and the models' regions: ``regions`` by model name, one for each of its endpoints."""

    def __init__(
        self, tenants: Mapping[str, Iterable[str]] | None = None, regions: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self._tenants = {name: frozenset(each) for name, each in (tenants or {}).items()}
        self._regions = {name: tuple(each) for name, each in (regions or {}).items()}

    def place(self, model: str, regions: Sequence[str]) -> None:
        """Report the location of a model that was added later."""
        self._regions[model] = tuple(regions)

    def wanted(self, context: Context) -> list[tuple[str, frozenset[str]]]:
        """(who asks, the regions that they accept), each to be met."""
        principal = context.principal
        asked = (
            ("the request", context.regions),
            ("the key", principal.reach.regions),
            ("the tenant", self._tenants.get(principal.tenant, frozenset())),
        )
        return [(who, regions) for who, regions in asked if regions]

    def permits(self, region: str, context: Context) -> bool:
        """Whether ``context`` permits processing in ``region`` (empty: unknown)."""
        # Most requests ask for nothing: they pay for three look-ups.
        return all(region in regions for _, regions in self.wanted(context))

    def serves(self, model: str, context: Context) -> bool:
        """Whether some endpoint of ``model`` may answer."""
        return any(self.permits(region, context) for region in self._regions.get(model, ("",)))

    def scope(self, context: Context) -> list[list[str]]:
        """The regions that an answer may have depended on, for its cache key."""
        return [sorted(regions) for _, regions in self.wanted(context)]

    def check(self, model: str, regions: Sequence[str], context: Context) -> None:
        """Raises ``NoRegion`` if none of ``regions``, those of the endpoints of ``model``, may be used."""
        wanted = self.wanted(context)
        if not wanted or any(all(region in each for _, each in wanted) for region in regions):
            return
        asked = " and ".join(f"{who} asks for {', '.join(sorted(each))}" for who, each in wanted)
        known = sorted({region for region in regions if region})
        where = f"is in {', '.join(known)}" if known else "has no configured region"
        raise NoRegion(
            f"{asked}; {model} {where}",
            remedy="Ask for another model or region, or give an endpoint of it a `region` in the configuration",
            param="x-region" if context.regions else "model",
        )


class Resident(Layer):
    """The outermost layer of a model's call ring: passes requests that one of its ``regions`` may process."""

    def __init__(self, inner: Responder, model: str, regions: Sequence[str], residency: Residency) -> None:
        super().__init__(inner)
        self._model = model
        self._regions = tuple(regions)
        self._residency = residency

    async def respond(self, request: Request, context: Context) -> Response:
        """Raises ``NoRegion``."""
        self._residency.check(self._model, self._regions, context)
        return await self.inner.respond(request, context)
