"""A served name whose requests are shared out among models: split, canary, shadow, fallback."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any

from mainspring.core.settings.serving.routing import RouteSettings
from mainspring.core.types import Context, Request, Responder, Response
from mainspring.serving.route.fallback import Fallback
from mainspring.serving.route.residency import Residency
from mainspring.serving.route.shadow import Shadows
from mainspring.serving.route.traffic_split import arm_of, copied, unit
from mainspring.telemetry.routing_metrics import ArmMetrics


class Route:
    """A responder over ``models`` by name, as ``settings`` say.

    ``since`` is when its arms became what they are (Unix seconds; 0: the settings name them), ``label`` its name in
    metrics. The arm depends only on the request and its context. The fingerprint, under which answers are cached,
    belongs to the arm that would answer, so one arm's answer is never given as another's.
    """

    def __init__(
        self,
        name: str,
        settings: RouteSettings,
        models: Mapping[str, Responder],
        metrics: ArmMetrics,
        shadows: Shadows,
        shown: Mapping[str, Responder],
        residency: Residency | None = None,
        since: float = 0.0,
        label: str = "",
    ) -> None:
        self.name = name
        self.since = since
        self._label = label or name
        self.settings = settings
        self._residency = residency or Residency()
        self._metrics = metrics
        self._shadows = shadows
        self._answer_by(models, shown)
        self._allocated: dict[str, RouteSettings] = {}
        self.given = dict.fromkeys(settings.arms, 0)
        self.models = tuple(arm.model for arm in settings.arms.values())

    def over(self, models: Mapping[str, Responder], shown: Mapping[str, Responder]) -> Route:
        """The same route over other responders of the same names."""
        other = copy.copy(self)
        other._answer_by(models, shown)
        return other

    def _answer_by(self, models: Mapping[str, Responder], shown: Mapping[str, Responder]) -> None:
        settings = self.settings
        # A shadow's recorded answer passes the same guard as a shown one.
        self._copies = {each: shown[shadow.model] for each, shadow in settings.shadows.items()}
        further = {"failures": settings.fallback, "too_long": settings.context_fallback}
        self._arms = {
            each: Fallback(arm.model, models, self._metrics, **further) for each, arm in settings.arms.items()
        }

    def fingerprint(self, request: Request, context: Context) -> str | None:
        arm = self._arm(request, context)
        found = self._arms[arm].fingerprint(request, context)
        return None if found is None else f"{self.name}/{arm}:{found}"

    async def respond(self, request: Request, context: Context) -> Response:
        """Answer by the arm that the request belongs to."""
        arm = self._arm(request, context)
        self.given[arm] += 1
        # A tenant's arms of a route are around the route's own.
        within = context
        if self.name not in context.arms:
            within = dataclasses.replace(context, arms={**context.arms, self.name: arm})
        # Inner requests (an application's calls) are never copied: their texts come from documents and must be erased
        # with them.
        if context.depth == 0:
            self._copy(request, context)
        try:
            response = await self._arms[arm].respond(request, within)
        except Exception as error:
            self._metrics.routed(self._label, arm, getattr(error, "code", "internal_error"))
            raise
        self._metrics.routed(self._label, arm, "")
        return response.with_head(arm=arm)

    def allocate(self, tenants: Mapping[str, Mapping[str, float]]) -> None:
        """Share out the traffic of these tenants by other weights than the settings', in place of all earlier ones.
        Arms without a weight keep their own."""
        arms = self.settings.arms
        self._allocated = {}
        for tenant, weights in tenants.items():
            own = {name: arm.model_copy(update={"weight": weights.get(name, arm.weight)}) for name, arm in arms.items()}
            if any(arm.weight for arm in own.values()):
                self._allocated[tenant] = self.settings.model_copy(update={"arms": own})

    def arm_of_unit(self, tenant: str, name: str) -> str:
        """The arm that a tenant's unit of this name (``traffic_split.unit``) gets now."""
        return arm_of(self._allocated.get(tenant, self.settings), name)

    def _arm(self, request: Request, context: Context) -> str:
        settings = self._allocated.get(context.principal.tenant, self.settings)
        near = {name: arm for name, arm in settings.arms.items() if self._residency.serves(arm.model, context)}
        if len(near) < len(settings.arms) and any(arm.weight for arm in near.values()):
            # Arms that may not answer leave their share to the others.
            settings = settings.model_copy(update={"arms": near})
        return arm_of(settings, unit(self.name, settings, request, context))

    def _copy(self, request: Request, context: Context) -> None:
        for name, shadow in self.settings.shadows.items():
            if not self._residency.serves(shadow.model, context):
                self._metrics.shadowed(self._label, name, "region")
            elif copied(shadow.share, name, context):
                self._shadows.start(self.name, name, shadow, self._copies[name], request, context, self._label)

    def view(self) -> dict[str, Any]:
        """It, for operators."""
        return {
            "name": self.name,
            "arms": [
                {"name": name, "model": arm.model, "weight": arm.weight, "given": self.given[name]}
                for name, arm in self.settings.arms.items()
            ],
            "shadows": [
                {"name": name, "model": arm.model, "share": arm.share} for name, arm in self.settings.shadows.items()
            ],
            "fallback": list(self.settings.fallback),
            "context_fallback": list(self.settings.context_fallback),
        }
