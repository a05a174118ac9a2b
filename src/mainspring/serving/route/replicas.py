"""The served replicas and routes: creates them, reports their state, and drains them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mainspring.core.errors import Conflict, EngineDied, NotFound
from mainspring.core.path import Layer
from mainspring.core.settings import ServingSettings
from mainspring.core.settings.serving.routing import RouteSettings
from mainspring.core.types import Context, Request, Responder, Response
from mainspring.engines import ChatModel
from mainspring.engines import Replica as Engine
from mainspring.serving.money.side_reservation import CopyReservation
from mainspring.serving.ring.ports import EventLog
from mainspring.serving.route.balance import Balance
from mainspring.serving.route.replica_state import Arm, Replica
from mainspring.serving.route.residency import Residency
from mainspring.serving.route.retry_budget import Budget
from mainspring.serving.route.route import Route
from mainspring.serving.route.shadow import Shadows
from mainspring.telemetry.routing_metrics import ArmMetrics


class Replicas:
    """All that is balanced and routed, by name."""

    def __init__(
        self,
        settings: ServingSettings,
        metrics: ArmMetrics,
        events: EventLog,
        residency: Residency | None = None,
        purse: CopyReservation | None = None,
    ) -> None:
        self._settings = settings
        self._residency = residency or Residency()
        self._metrics = metrics
        self._balances: dict[str, Balance] = {}
        self._routes: dict[str, Route] = {}
        self._own: dict[tuple[str, str], Route] = {}
        self._shadows = Shadows(events, metrics, purse)

    def budget(self) -> Budget:
        """The further attempts of one model's calls."""
        return Budget(self._settings.balance.retry_share, self._settings.balance.retry_burst)

    def core(
        self,
        model: ChatModel,
        budget: Budget,
        *,
        side: Callable[[Responder], Responder],
        admit: Callable[[str, Responder], Responder],
    ) -> Responder | None:
        """A balancer over the replicas of ``model``; None if its only one runs here and needs none. ``admit`` puts
        the admission of the replica of that name before its responder."""
        every = model.all_replicas()
        replicas = [
            Replica(
                each.name,
                admit(each.name, _Alive(each, every) if each.local else each.responder),
                each.weight,
                each.concurrency,
                each.patience_s,
                each.local,
                each.engine.healthy if each.local else (lambda: True),
                each.region,
            )
            for each in every
        ]
        if len(replicas) == 1 and replicas[0].local:
            return None
        balance = Balance(
            replicas,
            model.name,
            self._settings.balance,
            self._metrics,
            budget,
            side=side,
            default_output_tokens=self._settings.unbounded_output,
            residency=self._residency,
        )
        self._balances[model.name] = balance
        self._metrics.watch(model.name, lambda: [arm.view(time.monotonic()) for arm in balance.arms])
        return balance

    def routes(self, models: Mapping[str, Responder], shown: Mapping[str, Responder]) -> dict[str, Route]:
        """The configured routes over ``models`` in their call rings; ``shown`` are those within the output guard.

        A route without all of its models is left out: commands that need no chat model load none.
        """
        self._routes = {
            name: Route(name, settings, models, self._metrics, self._shadows, shown, self._residency)
            for name, settings in self._settings.routes.items()
            if models.keys() >= set(settings.models)
        }
        return self._routes

    def route(self, name: str, tenant: str = "") -> Route | None:
        """A route that is served, the tenant's own first; None: there is none of this name."""
        return self._own.get((tenant, name)) or self._routes.get(name)

    def made(
        self, name: str, settings: RouteSettings, models: Mapping[str, Responder], *, since: float, label: str
    ) -> Route:
        """A route that is made at run time, called ``label`` in metrics."""
        return Route(name, settings, models, self._metrics, self._shadows, models, self._residency, since, label)

    def own(self, tenant: str, name: str, route: Route | None) -> None:
        """Have ``route`` be a tenant's own of this name; None: it has none any more."""
        if route is None:
            self._own.pop((tenant, name), None)
        else:
            self._own[tenant, name] = route

    @property
    def owned(self) -> dict[tuple[str, str], Route]:
        """The routes of tenants, by tenant and name."""
        return dict(self._own)

    @property
    def route_names(self) -> list[str]:
        """The routes that are served, sorted."""
        return sorted(self._routes)

    def view(self) -> dict[str, Any]:
        """The replicas of each model and the arms of each route, as they are now."""
        now = time.monotonic()
        return {
            "models": [
                {"model": name, "policy": self._settings.balance.policy, "replicas": [a.view(now) for a in each.arms]}
                for name, each in self._balances.items()
            ],
            "routes": [route.view() for route in self._routes.values()],
        }

    def drain(self, model: str, replica: str, *, force: bool = False) -> dict[str, Any]:
        """Give ``replica`` no more calls; its running calls end by themselves. Raises ``NotFound``, and ``Conflict``
        for the last one that takes calls unless ``force``."""
        arm = self._find(model, replica)
        others = [each for each in self._balances[model].arms if each is not arm and not each.drained]
        if not others and not force:
            raise Conflict(
                f"{replica} is the last replica of {model} that takes calls",
                remedy="Send force to drain it anyway",
            )
        arm.drained = True
        return arm.view(time.monotonic())

    def undrain(self, model: str, replica: str) -> dict[str, Any]:
        """Send calls to ``replica`` again. Raises ``NotFound``."""
        arm = self._find(model, replica)
        arm.drained = False
        return arm.view(time.monotonic())

    async def close(self) -> None:
        """End the copies that run as shadows."""
        await self._shadows.close()

    def _find(self, model: str, replica: str) -> Arm:
        balance = self._balances.get(model)
        if balance is None:
            names = ", ".join(self._balances) or "none"
            raise NotFound(f"{model} has no replicas", remedy=f"Models that have: {names}", param="model")
        for arm in balance.arms:
            if arm.name == replica:
                return arm
        names = ", ".join(arm.name for arm in balance.arms)
        raise NotFound(f"{model} has no replica {replica}", remedy=f"It has: {names}", param="replica")


class _Alive(Layer):
    """Moves requests that waited at the gate of a dead engine to a living one."""

    def __init__(self, engine: Engine, every: Sequence[Engine]) -> None:
        super().__init__(engine.responder)
        self._engine = engine
        self._others = [each for each in every if each is not engine]

    async def respond(self, request: Request, context: Context) -> Response:
        if not self._engine.engine.healthy() and any(each.engine.healthy() for each in self._others):
            raise EngineDied(f"replica {self._engine.name} of {request.model} is restarting", retry_after=2.0)
        return await self.inner.respond(request, context)
