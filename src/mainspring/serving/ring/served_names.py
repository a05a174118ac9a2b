"""Registers the served names: models in their call rings, routes, the router, scaled names, the embedder and the
reranker."""

from __future__ import annotations

from functools import partial

import mainspring.serving.route.auto as auto
from mainspring.core.types import Responder
from mainspring.engines import ChatModel, Engines, Replica
from mainspring.engines.chat.responder import EmbedResponder
from mainspring.engines.encode.reranker import RerankResponder
from mainspring.serving.admit.gate import Gate
from mainspring.serving.money.charged_models import ChargedModels
from mainspring.serving.money.pricing import Price
from mainspring.serving.money.tariffs import Tariffs
from mainspring.serving.ring.compose import Services, admit, call_ring, gate_before, meter, shown_ring
from mainspring.serving.ring.registry import Registry, Select, Served
from mainspring.serving.ring.repair import Repair
from mainspring.serving.route.replicas import Replicas
from mainspring.serving.scaling.scale import Scaled
from mainspring.telemetry import Telemetry

# Applications read long texts in parts: two million characters.
_APPLICATION = 65_536


class ServedNames:
    """Fills ``registry``; ``gates`` are those before the engines, by model and replica (None: it bounds itself).

    ``charged`` makes embedders and rerankers leave call events; what the models of ``shown`` write passes the output
    guard.
    """

    def __init__(
        self, services: Services, engines: Engines, tariffs: Tariffs, replicas: Replicas, telemetry: Telemetry
    ) -> None:
        self.registry = Registry()
        self._services = services
        self._serving = services.settings.serving
        self._engines = engines
        self._tariffs = tariffs
        self._replicas = replicas
        self._telemetry = telemetry
        self.shown: dict[str, Responder] = {}
        self.gates: dict[tuple[str, str], Gate | None] = {}
        self._doors: dict[str, Gate] = {}
        for model in engines.chat.values():
            self._gate(model)
        self._reranker = "" if engines.reranker is None else engines.reranker.name
        self.charged = ChargedModels(self._priced_ring)

    def chat(self) -> dict[str, Responder]:
        """Serve the chat models and the routes over them; both in their call rings."""
        engines = self._engines
        models = {name: self._chat_ring(model) for name, model in engines.chat.items()}
        shown = {name: shown_ring(self._services, responder) for name, responder in models.items()}
        routes = self._replicas.routes(models, shown)
        # A route may have the name of one of its models: the name then means the route.
        chat: dict[str, Responder] = {**models, **routes}
        self.shown = {name: shown_ring(self._services, responder) for name, responder in chat.items()}
        for name, responder in chat.items():
            created = max(engines.chat[each].created for each in (routes[name].models if name in routes else (name,)))
            self._serve(Served(name, "chat", responder, created=created))
        for model in engines.chat.values():
            self._watch(model)
        return chat

    def adopt(self, model: ChatModel, chat: dict[str, Responder]) -> None:
        """Serve a chat model that came later, with the others; ``chat`` is completed. ``auto`` chooses among them all
        from now on.

        Raises ``Conflict`` if something else is served by its name.
        """
        self._gate(model)
        ring = self._chat_ring(model)
        self._serve(Served(model.name, "chat", ring, created=model.created))
        self._services.residency.place(model.name, [each.region for each in model.all_replicas()])
        self._engines.chat[model.name] = model
        chat[model.name] = ring
        self.shown[model.name] = shown_ring(self._services, ring)
        self._watch(model)
        self.router(chat)

    def beside(self, model: ChatModel) -> Responder:
        """A chat model that came later in its call ring. It is served under no name, and ``auto`` does not choose it:
        a source of the registry says whose it is."""
        self._gate(model)
        self._services.residency.place(model.name, [each.region for each in model.all_replicas()])
        self._watch(model)
        return self._chat_ring(model)

    def window(self, name: str) -> int:
        """The largest context window that ``name`` may lead to: its own if it names exactly one model, else the largest
        of all, and at least ``_APPLICATION``."""
        own = None if name in self._serving.routes else self._engines.chat.get(name)
        if own is not None:
            return own.engine.capabilities.context_window
        return max((_APPLICATION, *(each.engine.capabilities.context_window for each in self._engines.chat.values())))

    def doors(self) -> dict[str, Gate]:
        """The gate of each name that leads to exactly one engine; later names are added."""
        return self._doors

    def close(self) -> None:
        """Release all waiting requests."""
        for gate in filter(None, self.gates.values()):
            gate.close()

    def _gate(self, model: ChatModel) -> None:
        gates = [gate_before(self._services, model.name, each.engine.capacity) for each in model.all_replicas()]
        for each, gate in zip(model.all_replicas(), gates, strict=True):
            self.gates[model.name, each.name] = gate
        if model.name not in self._serving.routes and len(gates) == 1 and gates[0] is not None:
            self._doors[model.name] = gates[0]

    def router(self, chat: dict[str, Responder]) -> None:
        """Serve ``auto`` over the chat models, if there are any."""
        models = self._engines.chat
        made = auto.make(
            self._serving.auto,
            {name: auto.RoutedModel(name, chat[name], model.engine.capabilities) for name, model in models.items()},
            default_output=self._serving.unbounded_output,
            tracing=self._telemetry.tracing,
            metrics=self._telemetry.metrics,
            embedder=self._engines.embedder,
            charging=self.charged,
            permits=self._services.residency.serves,
            tariff=self._tariffs.of,
        )
        if made is not None:
            since = max(models[name].created for name in made.models)
            self.registry.replace(Served(auto.NAME, "chat", made, created=since))

    def scaled(self) -> None:
        """Serve the names that spend more computation on each answer."""
        for name, plan in self._serving.scaled.items():
            self._serve(Served(name, "chat", Scaled(Select(self.registry, inner=True), plan)))

    def embedder(self) -> Responder:
        """Serve the embedder, in its call ring."""
        embedder = self._engines.embedder
        ring = self._priced_ring(
            EmbedResponder(embedder, model_name=embedder.name), embedder.name, "mainspring.openvino"
        )
        self._serve(Served(embedder.name, "embedding", ring, created=getattr(embedder, "pulled_at", 0)))
        return ring

    def reranker(self) -> None:
        """Serve the reranker, if there is one."""
        reranker = self._engines.reranker
        if reranker is None:
            return
        ring = self._priced_ring(RerankResponder(reranker), reranker.name, "mainspring.reranker")
        since = getattr(reranker, "pulled_at", 0)
        self._serve(Served(reranker.name, "reranker", ring, created=since, sampled=False))

    def _serve(self, served: Served) -> None:
        self.registry.add(served)
        self._telemetry.metrics.serve(served.name)

    def _watch(self, model: ChatModel) -> None:
        for each in model.all_replicas():
            shown = model.name if len(model.all_replicas()) == 1 else f"{model.name}/{each.name}"
            gauges = partial(_statistics, each, self.gates[model.name, each.name])
            self._telemetry.metrics.watch_engine(shown, gauges)

    def _chat_ring(self, model: ChatModel) -> Responder:
        services, name, provider = self._services, model.name, model.provider
        regions = [each.region for each in model.all_replicas()]
        price = self._tariffs.of(name, Price.per_million(model.price_input, model.price_output))
        budget = self._replicas.budget()
        balance = self._replicas.core(
            model,
            budget,
            side=meter(services, model=name, provider=provider, price=price),
            admit=lambda replica, inner: admit(services, self.gates[name, replica])(inner),
        )
        # An engine without a gate has no queue of ours: it is called at once.
        sends = not any(self.gates[name, each.name] for each in model.all_replicas())
        if balance is None:
            only = self.gates[name, model.all_replicas()[0].name]
            ring = call_ring(
                services,
                model.responder,
                model=name,
                provider=provider,
                price=price,
                gate=only,
                budget=budget,
                sends=sends,
                regions=regions,
            )
        else:
            ring = call_ring(
                services,
                balance,
                model=name,
                provider=provider,
                price=price,
                balanced=True,
                budget=budget,
                sends=sends,
                regions=regions,
            )
        able = model.engine.capabilities
        return Repair(ring, name, able.grammars, rounds=self._serving.repair_rounds, compiled=able.compiled)

    def _priced_ring(self, responder: Responder, name: str, provider: str) -> Responder:
        models = self._services.settings.models
        elsewhere = models.remote_rerankers.get(models.reranker) if name == self._reranker else None
        region = models.region if elsewhere is None else elsewhere.region
        price = self._tariffs.of(name)
        return call_ring(self._services, responder, model=name, provider=provider, price=price, regions=(region,))


def _statistics(replica: Replica, gate: Gate | None) -> dict[str, float]:
    return {**replica.engine.statistics(), **(gate.statistics() if gate else {})}
