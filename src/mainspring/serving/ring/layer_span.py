"""A span for each layer: how long it held a request before it was answered or refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mainspring.core.path import Layer, LayerFactory
from mainspring.core.types import Context, Request, Responder, Response
from mainspring.serving.ring.ports import Tracing


class LayerSpan(Layer):
    """Opens a span named after ``layer``'s class around it, up to the commit point; inner calls are below it. A layer
    with a method ``attributes`` has them of each request on its span."""

    def __init__(self, layer: Responder, tracing: Tracing) -> None:
        super().__init__(layer)
        self._tracing = tracing
        self._name = type(layer).__name__
        self._attributes: Callable[[Request], Mapping[str, Any]] | None = getattr(layer, "attributes", None)

    async def respond(self, request: Request, context: Context) -> Response:
        attributes = {} if self._attributes is None else self._attributes(request)
        with self._tracing.span(self._name, context, **attributes) as span:
            return await self.inner.respond(request, span.context)


def steps(layers: Sequence[LayerFactory], tracing: Tracing, without: Sequence[LayerFactory] = ()) -> list[LayerFactory]:
    """Each of ``layers`` within a span, but those ``without``."""

    def step(layer: LayerFactory) -> LayerFactory:
        return lambda inner: LayerSpan(layer(inner), tracing)

    return [layer if any(layer is each for each in without) else step(layer) for layer in layers]
