"""Images by the models of ``images.models``: checked, guarded and charged like chats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from mainspring.core.errors import InvalidRequest, Overloaded, UnknownModel, Unsupported
from mainspring.core.nearest import shown
from mainspring.core.types import Context, Usage
from mainspring.feature import Rooms
from mainspring.features.images.provider import Drawn, ImageOrder, Provider
from mainspring.features.images.settings import DrawingModel, ImagesSettings
from mainspring.serving.money.bills import WorkBill
from mainspring.serving.money.pricing import MILLION, NANO
from mainspring.serving.ring.ports import Span

OPERATION = "image_generation"


class Images:
    """Belongs to one event loop."""

    def __init__(self, rooms: Rooms) -> None:
        self.settings = rooms.settings.section(ImagesSettings)
        self._rooms = rooms
        self._provider = Provider(self.settings.answer_mb << 20)
        self._open: Counter[str] = Counter()

    async def close(self) -> None:
        await self._provider.close()

    async def draw(self, name: str | None, wanted: ImageOrder, context: Context) -> bytes:
        """The provider's answer: JSON in OpenAI's shape.

        Raises ``UnknownModel``, ``Unsupported``, ``NoRegion``, ``GuardRefused``, ``BudgetExceeded``, ``Overloaded`` if
        the tenant has too many open, and what ``Provider.draw`` raises.
        """
        name, model = self._chosen(name, wanted.operation, context)
        count = int(wanted.fields.get("n") or 1)
        if count > self.settings.most:
            problem = f"n is {count}, but at most {self.settings.most} images are allowed"
            raise InvalidRequest(problem, remedy="Ask for fewer, or raise images.most", param="n")
        path = self._rooms.path
        path.services.residency.check(name, (model.region,), context)
        fields = dict(wanted.fields)
        if prompt := fields.get("prompt"):
            await path.inspect([prompt], context, param="prompt")
            # A provider reads what a remote chat model may read.
            fields["prompt"] = path.redact(prompt)
        telling = {"subject": "images", "model": name, "provider": "openai", "operation": OPERATION}
        attributes = {
            "gen_ai.operation.name": OPERATION,
            "gen_ai.request.model": name,
            "mainspring.tenant": context.principal.tenant,
            "mainspring.key_id": context.principal.key_id,
        }
        with self._turn(context), self._rooms.telemetry.tracing.span("image", context, **attributes) as span:
            bill = WorkBill(self._rooms.stores, span.context, **telling)
            async with path.charge(context, 0):
                try:
                    await bill.hold(_price(model, count, Usage()))
                    drawn = await self._provider.draw(name, model, ImageOrder(wanted.operation, fields, wanted.files))
                    bill.owe(_price(model, drawn.images, drawn.usage), drawn.usage)
                finally:
                    await bill.close()
            _tell(span, drawn)
        return drawn.raw

    def _chosen(self, name: str | None, operation: str, context: Context) -> tuple[str, DrawingModel]:
        reach = context.principal.reach.models
        known: Mapping[str, DrawingModel] = {
            each: model for each, model in self.settings.models.items() if not reach or each in reach
        }
        if name is None and len(known) == 1:
            name = next(iter(known))
        if name is None or name not in known:
            named = "no model" if name is None else f"no model {shown(name)!r}"
            remedy = f"Name one of {', '.join(known)}" if known else _NONE
            raise UnknownModel(f"{named} makes images here", remedy=remedy, param="model")
        if operation not in known[name].operations:
            can = ", ".join(known[name].operations)
            raise Unsupported(f"{name} has no {operation}", remedy=f"It can do {can}", param="model")
        return name, known[name]

    @contextmanager
    def _turn(self, context: Context) -> Iterator[None]:
        tenant = context.principal.tenant
        if self._open[tenant] >= self.settings.concurrent:
            problem = f"{self.settings.concurrent} requests for images are open"
            raise Overloaded(problem, remedy="Wait for one of them, or raise images.concurrent", retry_after=5.0)
        self._open[tenant] += 1
        try:
            yield
        finally:
            self._open[tenant] -= 1
            if not self._open[tenant]:
                del self._open[tenant]


_NONE = "Configure a provider's model in images.models; chat models here write SVG or Mermaid as text"


def _price(model: DrawingModel, images: int, usage: Usage) -> int:
    """In nano-US-dollars."""
    tokens = usage.prompt_tokens * model.price_input + usage.completion_tokens * model.price_output
    return round((images * model.usd_per_image + tokens / MILLION) * NANO)


def _tell(span: Span, drawn: Drawn) -> None:
    span.set("mainspring.images", drawn.images)
    span.set("gen_ai.usage.input_tokens", drawn.usage.prompt_tokens)
    span.set("gen_ai.usage.output_tokens", drawn.usage.completion_tokens)
