"""Chat models that were trained, for the applications of their tenant."""

from __future__ import annotations

from collections.abc import Callable

from mainspring.core.errors import Conflict, MainspringError, Overloaded
from mainspring.core.types import Context, Request, Responder, Response


def is_label(model: str) -> bool:
    """Whether a model is a version, as ``NAME@NUMBER``."""
    name, _, number = model.rpartition("@")
    return bool(name) and number.isdecimal()


class Late:
    """What answers by a version, made at each request: the version may be served again by another engine, and a process
    that has just begun has not loaded it yet."""

    def __init__(self, make: Callable[[], Responder]) -> None:
        self._make = make

    def fingerprint(self, request: Request, context: Context) -> str | None:
        try:
            return self._make().fingerprint(request, context)
        except MainspringError:
            return None

    async def respond(self, request: Request, context: Context) -> Response:
        """Raises ``Overloaded`` while the version is not loaded, and what the responder raises."""
        try:
            made = self._make()
        except Conflict as error:
            raise Overloaded(f"{error.message} here yet", remedy="Ask again in some seconds") from None
        return await made.respond(request, context)
